package conformance

import (
	"fmt"
	"net/netip"
	"time"
)

const serverAuth = "1.3.6.1.5.5.7.3.1"

// ReadBetterTLS reads the file that Netflix's BetterTLS exports: path building and name constraints as clients of web servers need them.
// It is no folder beside the checkout, because its certificates are made anew, valid from that day, whenever it exports.
func ReadBetterTLS(name string) ([]Suite, error) {
	var file struct {
		TrustRoot []byte
		Suites    map[string]struct {
			TestCases []struct {
				ID           int
				Certificates [][]byte // end entity first
				Hostname     string
				Expected     string
			}
		}
	}
	if err := readJSON(name, &file); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	var suites []Suite
	for _, s := range []struct{ key, name string }{{"pathbuilding", "BetterTLS path building"}, {"nameconstraints", "BetterTLS name constraints"}} {
		out := Suite{Name: s.name}
		for _, c := range file.Suites[s.key].TestCases {
			ok, err := valid(c.Expected, "ACCEPT", "REJECT")
			if err != nil || len(c.Certificates) == 0 {
				return nil, fmt.Errorf("conformance: %s %d: %v, %d certificates", s.name, c.ID, err, len(c.Certificates))
			}
			out.Cases = append(out.Cases, Case{
				Name: c.Hostname, Valid: ok,
				Line: Line{
					ID: fmt.Sprint(c.ID), TrustAnchors: [][]byte{file.TrustRoot}, Certificate: c.Certificates[0], Intermediates: c.Certificates[1:],
					Time: now, ServerName: c.Hostname, ExtendedKeyUsage: []string{serverAuth},
				},
			})
		}
		if out.Cases == nil {
			return nil, fmt.Errorf("conformance: no cases of %s in %s", s.name, name)
		}
		suites = append(suites, out)
	}
	return suites, nil
}

// isAddress says whether the server's name is an IP address, which other judges want to be told of apart.
func (l Line) isAddress() bool {
	_, err := netip.ParseAddr(l.ServerName)
	return err == nil
}
