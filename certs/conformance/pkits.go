package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// readPKITS reads NIST's Public Key Interoperability Test Suite as its folder keeps it.
// Revocation is hard-fail for every certificate of the path, from the given lists only.
func readPKITS(dir string) ([]Case, error) {
	var file struct {
		Cases []struct {
			ID, Name string
			Certs    []string // anchor first, end entity last
			Extra    []string `json:"extra_certs"`
			CRLs     []string
			Needs    []string
			Settings struct {
				InitialPolicySet []string  `json:"initial_policy_set"`
				ExplicitPolicy   bool      `json:"initial_explicit_policy"`
				InhibitMapping   bool      `json:"initial_policy_mapping_inhibit"`
				InhibitAny       bool      `json:"initial_inhibit_any_policy"`
				Time             time.Time `json:"validation_time"`
			}
			Expected  string
			PolicySet []string `json:"expected_user_constrained_policy_set"`
		}
	}
	if err := readJSON(filepath.Join(dir, "cases.json"), &file); err != nil {
		return nil, err
	}
	certs := func(names []string) ([][]byte, error) { return readFiles(filepath.Join(dir, "certs"), names) }
	var cases []Case
	for _, c := range file.Cases {
		if len(c.Certs) < 2 {
			return nil, fmt.Errorf("%s: no path", c.ID)
		}
		path, err := certs(c.Certs)
		if err != nil {
			return nil, err
		}
		extra, err := certs(c.Extra)
		if err != nil {
			return nil, err
		}
		crls, err := readFiles(filepath.Join(dir, "crls"), c.CRLs)
		if err != nil {
			return nil, err
		}
		ok, err := valid(c.Expected, "valid", "invalid")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		last := len(path) - 1
		cases = append(cases, Case{
			Name: c.Name, Valid: ok, PolicySet: c.PolicySet, Needs: c.Needs,
			Line: Line{
				ID: c.ID, TrustAnchors: path[:1], Intermediates: append(path[1:last:last], extra...), Certificate: path[last],
				CRLs: crls, Time: c.Settings.Time, Revocation: "crl", Scope: "chain",
				Policy: &Policy{
					InitialPolicySet:      c.Settings.InitialPolicySet,
					RequireExplicitPolicy: c.Settings.ExplicitPolicy,
					InhibitPolicyMapping:  c.Settings.InhibitMapping,
					InhibitAnyPolicy:      c.Settings.InhibitAny,
				},
			},
		})
	}
	return cases, nil
}

func readJSON(name string, into any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func readFiles(dir string, names []string) ([][]byte, error) {
	var all [][]byte
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}
