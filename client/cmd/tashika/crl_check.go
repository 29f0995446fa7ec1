package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// gate is what a list has to pass before a server relies on it, without the server.
type gate struct {
	issuer    *pkix.Certificate
	key       *signature.PublicKey
	allow     signature.AllowList
	at        time.Time
	skew      time.Duration
	bounds    crl.Bounds
	partition pkix.Name
	strict    bool
	last      *crl.Index // nil: the list is the first
}

// checkView is what came of one list.
type checkView struct {
	File     string    `json:"file"`
	Passed   bool      `json:"passed"`
	Digest   string    `json:"digest,omitempty"`
	Number   string    `json:"number,omitempty"`
	Findings []finding `json:"findings"`
}

func crlCheck(i *invocation) (int, error) {
	g := gate{at: time.Now(), allow: signature.AllSHA2()}
	issuer := i.flags.String("issuer", "", "`file` of the issuer's certificate, DER or PEM, which is trusted as it is")
	last := i.flags.String("last", "", "`file` of the list before; of a delta, the complete list that it changes")
	i.flags.Float64Var(&g.bounds.Growth, "max-growth", crl.DefaultGrowth, "`share` of the entries of the list before that may be new")
	i.flags.Float64Var(&g.bounds.Shrink, "max-shrink", crl.DefaultShrink, "`share` of the entries of the list before that may be gone")
	i.flags.Func("at", "`time` to judge for, RFC 3339; now if not given", func(s string) (err error) {
		g.at, err = time.Parse(time.RFC3339, s)
		return err
	})
	i.flags.DurationVar(&g.skew, "skew", 0, "how far clocks may be apart, a `duration`")
	i.flags.Func("partition", "`name` that the list must be limited to, as in RFC 4514; any if not given", func(s string) (err error) {
		if g.partition, err = pkix.ParseName(s); err == nil && g.partition.Canonical() == "" {
			err = errors.New("not a name that can be compared")
		}
		return err
	})
	i.flags.BoolVar(&g.strict, "strict", false, "refuse also what RFC 5280 section 5 forbids to those who issue")
	allowSHA1 := i.flags.Bool("allow-sha1", false, "accept signatures over SHA-1, for material of its time")
	if err := i.parse(); err != nil {
		return exitError, err
	}
	if err := i.required("issuer"); err != nil {
		return exitUsage, err
	}
	if !g.bounds.Check() || g.skew < 0 {
		return exitUsage, usagef("-max-growth or -skew is negative, or -max-shrink not between 0 and 1")
	}
	if *allowSHA1 {
		g.allow = append(g.allow, signature.AllSHA1()...)
	}
	der, err := i.certificate(*issuer)
	if err == nil {
		if g.issuer, err = pkix.ParseCertificate(der); err == nil {
			g.key, err = signature.NewPublicKey(g.issuer.PublicKeyAlgorithm, g.issuer.PublicKey)
		}
	}
	if err != nil {
		return exitError, fmt.Errorf("%s: %w", *issuer, err)
	}
	if *last != "" {
		l, err := i.openList(*last)
		if err != nil {
			return exitError, err
		}
		defer l.close()
		var found []reason.ID
		if g.last, found = l.image.Authenticate(g.issuer, g.key, g.allow); g.last == nil {
			return exitError, fmt.Errorf("%s: the list before is none of the issuer's that could serve: %v", *last, found)
		}
	}
	return i.checkAll(&g)
}

// checkAll judges each list against the same one before; a list that cannot be read as one has not passed.
func (i *invocation) checkAll(g *gate) (int, error) {
	code := exitValid
	show := func(v checkView) error {
		if !v.Passed {
			code = exitInvalid
		}
		if i.asJSON {
			return i.json(v)
		}
		v.print(i.printer())
		return nil
	}
	err := i.eachList(func(name string, l *listFile, err error) error {
		if errors.Is(err, crl.ErrFormat) {
			fmt.Fprintln(i.stderr, clean(err.Error()))
			return show(checkView{File: name, Findings: findings([]reason.ID{reason.CRLFormatFailure})})
		}
		if err != nil {
			return err
		}
		found, err := g.judge(i, l)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return show(checkView{l.name, len(found) == 0, hex.EncodeToString(l.list.Digest()), number(l.list.Number), findings(found)})
	})
	return code, err
}

// judge is all that the gate finds.
func (g *gate) judge(i *invocation, l *listFile) ([]reason.ID, error) {
	var found reason.Findings
	if g.strict {
		found.Add(true, l.image.Check(true)...)
	}
	// A server has use for lists of holders' certificates only.
	idp := l.list.IDP
	found.Add(idp != nil && (idp.OnlyCACerts || idp.OnlyAttributeCerts), reason.CRLScopeMismatch)
	found.Add(g.partition != nil && !l.list.Scope().Equal(g.partition), reason.CRLScopeMismatch)
	index, refusal := g.authenticate(l)
	if found.Add(index == nil, refusal...); index == nil {
		return found, nil
	}
	times := index.CheckTimes(g.at, g.skew, 0)
	found.Add(true, times...)
	if g.last == nil {
		return found, nil
	}
	before := g.last.Scope()
	if (before == nil) != (index.Scope() == nil) || before != nil && !before.Equal(index.Scope()) {
		found.Add(true, reason.CRLScopeMismatch)
		return found, nil
	}
	found.Add(true, crl.Older(index, g.last)...)
	changed, err := crl.Plausible(i.ctx, index, g.last, g.bounds)
	found.Add(true, changed...)
	return found, err
}

// authenticate makes the index that would serve.
func (g *gate) authenticate(l *listFile) (*crl.Index, []reason.ID) {
	switch {
	case l.list.DeltaBase == nil:
		return l.image.Authenticate(g.issuer, g.key, g.allow)
	case g.last == nil:
		return nil, []reason.ID{reason.CRLIsDelta} // says nothing without the list that it changes
	}
	return g.last.WithDelta(l.image, g.issuer, g.key, g.allow)
}

func (v *checkView) print(p printer) {
	p.field("file", v.File)
	if v.Passed {
		p.paint("verdict", "PASSED", green)
	} else {
		p.paint("verdict", "REFUSED", red)
	}
	p.field("digest", v.Digest)
	p.field("number", v.Number)
	p.findings("reason", v.Findings)
}
