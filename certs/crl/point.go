package crl

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// allReasons: RFC 5280 section 6.3.3: every reason but unspecified. In ReasonFlags bit 0 is "unused", and no list has
// to claim it.
const allReasons uint16 = 1<<9 - 2

// generalNameKey is likewise for general names.
func generalNameKey(g pkix.GeneralName) string {
	if g.Kind == pkix.DirectoryName {
		return strconv.Itoa(int(g.Kind)) + pkix.Name(g.Value).Key()
	}
	return strconv.Itoa(int(g.Kind)) + string(g.Value)
}

func lengthed(s string) string { return strconv.Itoa(len(s)) + ":" + s }

// scope is equal for issuing distribution points of the same meaning; names are the keys of its names, in order.
func (p *IssuingDistributionPoint) scope(names []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%t%t%t%t%t%d;", p.OnlyUserCerts, p.OnlyCACerts, p.OnlyAttributeCerts, p.Indirect, p.HasReasons, p.Reasons)
	for _, name := range names {
		b.WriteString(lengthed(name))
	}
	return b.String()
}

// point is a distribution point of a certificate, made ready to be held against lists.
type point struct {
	issuers map[string]string // who may have issued the list: his name's Key, and the relative name made whole below it, if there is one
	names   []string          // generalNameKeys
	reasons uint16
}

// pointsOf are the distribution points of a certificate, and the one that RFC 5280 section 6.3.3 assumes beside them.
func pointsOf(c *pkix.Certificate) []point {
	issuer := c.Issuer.Key()
	var all []point
	for _, dp := range c.DistributionPoints {
		p := point{issuers: make(map[string]string), reasons: allReasons}
		if dp.HasReasons {
			p.reasons &= dp.Reasons
		}
		names := dp.FullName
		if dp.CRLIssuer == nil {
			p.issuers[issuer] = below(c.Issuer, dp.RelativeName)
		} else {
			// RFC 5280 section 6.3.3 (b)(1): with cRLIssuer, the list is that one's.
			for _, name := range dp.CRLIssuer {
				if name.Kind == pkix.DirectoryName {
					p.issuers[pkix.Name(name.Value).Key()] = below(name.Value, dp.RelativeName)
				}
			}
			// RFC 5280 section 6.3.3 (b)(2)(i): without a name of its own, the point has that of cRLIssuer.
			if dp.FullName == nil && dp.RelativeName == nil {
				names = dp.CRLIssuer
			}
		}
		for _, name := range names {
			p.names = append(p.names, generalNameKey(name))
		}
		all = append(all, p)
	}
	// RFC 5280 section 6.3.3, at its end: lists that no point leads to count as if there were a point with the
	// names of the issuer, and no reasons and no cRLIssuer.
	return append(all, point{issuers: map[string]string{issuer: ""}, names: issuerKeys(c), reasons: allReasons})
}

// below is the generalNameKey of a relative name made whole; empty if there is none. RFC 5280 section 4.2.1.13: below the
// name of cRLIssuer, else of the certificate's issuer.
func below(issuer pkix.Name, relative []byte) string {
	whole, ok := pointNames(issuer, nil, relative)
	if !ok || whole == nil {
		return ""
	}
	return generalNameKey(whole[0])
}

// issuerKeys are the names that RFC 5280 sections 5.3.3 and 6.3.3 know a certificate's issuer by: those of the issuer
// field and of the issuerAltName extension.
func issuerKeys(c *pkix.Certificate) []string {
	keys := []string{generalNameKey(pkix.GeneralName{Kind: pkix.DirectoryName, Value: c.Issuer})}
	for _, name := range c.IssuerAltNames {
		keys = append(keys, generalNameKey(name))
	}
	return keys
}

// covers is the interim reasons mask of RFC 5280 section 6.3.3 (d) for a point and a list: the reasons for which a
// certificate that has the point would be on the list. None if the list is out of scope. own is the Key of the name of the
// certificate's issuer.
func (p *point) covers(e *exhibit, own string) uint16 {
	idp := e.IDP
	relative, is := p.issuers[e.issuer]
	switch {
	// RFC 5280 section 6.3.3 (b)(1). Who writes of another's certificates says so. Authorities that name themselves
	// in cRLIssuer, which section 4.2.1.13 forbids, do not write of another's.
	case !is, e.issuer != own && (idp == nil || !idp.Indirect):
		return 0
	case idp == nil:
		return p.reasons
	// RFC 5280 section 6.3.3 (b)(2)(i).
	case e.names != nil && !e.named(relative) && !slices.ContainsFunc(p.names, e.named):
		return 0
	case idp.HasReasons:
		return p.reasons & idp.Reasons
	}
	return p.reasons
}

// named says whether the issuing distribution point has a name.
func (e *exhibit) named(key string) bool {
	_, ok := e.names[key]
	return ok
}

// scoped is a list in scope of a certificate, with the reasons for which it is.
type scoped struct {
	*exhibit
	reasons uint16
}

// inScope returns the lists that tell of a certificate, whoever signed them.
func (k *Checker) inScope(c *pkix.Certificate, found *reason.Findings) []scoped {
	ps, own := pointsOf(c), c.Issuer.Key()
	issuers := make(map[string]string)
	for _, p := range ps {
		maps.Copy(issuers, p.issuers)
	}
	var all []scoped
	relevant := false
	for _, issuer := range slices.Sorted(maps.Keys(issuers)) {
		for _, e := range k.byIssuer[issuer] {
			relevant = true
			e.judge(&k.options)
			if e.unscoped { // to be refused, and not as a list of others
				all = append(all, scoped{e, allReasons})
				continue
			}
			if e.IDP != nil && e.IDP.excludes(c) {
				continue
			}
			var reasons uint16
			for _, p := range ps {
				reasons |= p.covers(e, own)
			}
			if reasons != 0 {
				all = append(all, scoped{e, reasons})
			}
		}
	}
	found.Add(!relevant, reason.CRLMissing)
	found.Add(relevant && all == nil, reason.CRLScopeMismatch)
	return all
}
