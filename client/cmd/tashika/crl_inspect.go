package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// listView is the head of a revocation list for people, or as JSON, with what its entries come to.
type listView struct {
	File               string         `json:"file"`
	Digest             string         `json:"digest,omitempty"` // the list's name, as in the server's log and in revocation.admit
	Issuer             string         `json:"issuer"`
	IssuerKeyID        string         `json:"issuerKeyId,omitempty"`
	DistributionPoints []string       `json:"distributionPoints,omitempty"`
	Limits             []string       `json:"limits,omitempty"` // the rest of the issuing distribution point
	Number             string         `json:"number,omitempty"`
	DeltaBase          string         `json:"deltaBase,omitempty"`
	ThisUpdate         time.Time      `json:"thisUpdate"`
	NextUpdate         *time.Time     `json:"nextUpdate,omitempty"`
	Version            int            `json:"version"`
	SignatureAlgorithm string         `json:"signatureAlgorithm"`
	Entries            int            `json:"entries"`
	Reasons            map[string]int `json:"reasons"`   // of serial numbers, each counted once
	Size               int64          `json:"size"`      // of the DER
	IndexSize          int64          `json:"indexSize"` // of what a server keeps beside it
	Findings           []finding      `json:"findings"`  // why it is of no use, whoever signed it
	Strict             []finding      `json:"strict"`    // what RFC 5280 forbids its issuer besides
	SHA256             string         `json:"sha256"`    // of the DER
}

func crlInspect(i *invocation) (int, error) {
	if err := i.parse(); err != nil {
		return exitError, err
	}
	return exitValid, i.eachList(func(_ string, l *listFile, err error) error {
		if err != nil {
			return err
		}
		v, err := newListView(l)
		if err != nil {
			return err
		}
		if i.asJSON {
			return i.json(v)
		}
		v.print(i.printer())
		return nil
	})
}

// eachList shows the lists that are named, or why one cannot be read, and then the others all the same.
func (i *invocation) eachList(show func(name string, l *listFile, err error) error) error {
	if i.flags.NArg() == 0 {
		return usagef("no file")
	}
	var failures []error
	for _, name := range i.flags.Args() {
		l, err := i.openList(name)
		if i.out.Len() > 0 && !i.asJSON {
			fmt.Fprintln(&i.out)
		}
		failures = append(failures, show(name, l, err))
		if l != nil {
			l.close()
		}
	}
	return errors.Join(failures...)
}

func newListView(l *listFile) (*listView, error) {
	v := &listView{
		File: l.name, Digest: hex.EncodeToString(l.list.Digest()), Issuer: l.list.Issuer.String(), IssuerKeyID: hex.EncodeToString(l.list.AuthorityKeyID),
		DeltaBase: number(l.list.DeltaBase), Number: number(l.list.Number), ThisUpdate: l.list.ThisUpdate, Version: l.list.Version,
		SignatureAlgorithm: l.list.SignatureAlgorithm.Algorithm.String(), Entries: l.list.EntryCount, Reasons: map[string]int{},
		Size: l.size, IndexSize: l.indexSize, SHA256: l.sum,
	}
	if algorithm, err := signature.FromIdentifier(l.list.SignatureAlgorithm); err == nil {
		v.SignatureAlgorithm = algorithm.String()
	}
	if next := l.list.NextUpdate; !next.IsZero() {
		v.NextUpdate = &next
	}
	v.DistributionPoints, v.Limits = scopeOf(l.list.IDP)
	found := l.image.Check(false)
	v.Findings = findings(found)
	v.Strict = findings(slices.DeleteFunc(l.image.Check(true), func(id reason.ID) bool { return slices.Contains(found, id) }))
	for e, err := range l.image.Entries() {
		if err != nil {
			return nil, err
		}
		v.Reasons[e.Reason.String()]++
	}
	return v, nil
}

// scopeOf is what an issuing distribution point says.
func scopeOf(p *crl.IssuingDistributionPoint) (names, limits []string) {
	if p == nil {
		return nil, nil
	}
	for _, n := range p.FullName {
		names = append(names, n.String())
	}
	if p.RelativeName != nil {
		names = append(names, "a name relative to the issuer's")
	}
	for _, limit := range []struct {
		name string
		is   bool
	}{
		{"onlyContainsUserCerts", p.OnlyUserCerts}, {"onlyContainsCACerts", p.OnlyCACerts}, {"onlyContainsAttributeCerts", p.OnlyAttributeCerts},
		{"indirectCRL", p.Indirect}, {"onlySomeReasons", p.HasReasons},
	} {
		if limit.is {
			limits = append(limits, limit.name)
		}
	}
	return names, limits
}

// number is a CRL number; empty if there is none.
func number(octets []byte) string {
	if octets == nil {
		return ""
	}
	return decimal(octets)
}

func (v *listView) print(p printer) {
	next := time.Time{}
	if v.NextUpdate != nil {
		next = *v.NextUpdate
	}
	p.field("file", v.File)
	p.field("digest", v.Digest)
	p.field("issuer", v.Issuer)
	p.field("issuer key id", v.IssuerKeyID)
	p.field("scope", v.DistributionPoints...)
	p.field("limited to", v.Limits...)
	p.field("number", v.Number)
	p.field("delta of", v.DeltaBase)
	p.field("this update", when(v.ThisUpdate))
	p.field("next update", when(next))
	p.field("signed with", v.SignatureAlgorithm+"; by whom is not verified: tashika crl check does")
	p.field("entries", fmt.Sprint(v.Entries))
	p.field("reasons", tally(v.Reasons)...)
	p.field("size", fmt.Sprintf("%d octets, the index %d", v.Size, v.IndexSize))
	p.findings("finding", v.Findings)
	p.findings("strictly", v.Strict)
	p.field("SHA-256", v.SHA256)
}

// tally are counts by what was counted, the most first.
func tally(counts map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	for n, name := range names {
		names[n] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return names
}
