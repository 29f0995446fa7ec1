package crl

import (
	"bytes"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// FuzzParse: whatever is read can be written again from what was read, is read alike by crypto/x509 where that reads it,
// and can be indexed, judged and asked.
func FuzzParse(f *testing.F) {
	a := theCA()
	f.Add(a.conforming(nil).sign(a.key))
	f.Add(a.conforming(tsukuba, revoke([]byte{1}, now), revoke([]byte{0, 0x80}, now, because(KeyCompromise))).sign(a.key))
	s := a.conforming(nil, revoke([]byte{0xff}, now, because(RemoveFromCRL), extension{"2.5.29.29", true, seq(directory(tsukuba))}), seq(integer(5), generalized(now)))
	s.set("2.5.29.27", true, integer(1))
	s.set("2.5.29.28", true, seq(relative("x"), wrap(tag(3), []byte{5, 0x60}), wrap(tag(4), flagTrue)))
	s.set("2.5.29.46", false, points(fullName(web)))
	f.Add(s.sign(a.key))
	c := a.issue(nil, nil)
	f.Fuzz(func(t *testing.T, der []byte) {
		l := agree(t, der)
		if l == nil {
			return
		}
		rewritten(t, l)
		if i, err := l.image(); (err != nil) != l.longSerial {
			t.Errorf("no image: %v", err)
		} else if err == nil {
			for serial := range l.Entries() {
				if _, ok, err := i.lookup(serial); err != nil || !ok {
					t.Errorf("entry %x is not found", serial)
				}
			}
		}
		if y, found := NewIndex(l, a.cert, a.public, allowed); (y == nil) == (len(found) == 0) {
			t.Error("neither index nor findings, or both")
		}
		// What crypto/x509 reads but this does not is in TestParseRefuses; a list that nobody signed says nothing.
		for _, strict := range []bool{false, true} {
			o := options(a)
			o.Strict = strict
			if r := NewChecker([]*List{l}, o).Status(c); r.Status != Unknown && a.public.Verify(allowed[1], l.RawTBS, l.Signature) != nil {
				t.Errorf("%+v of a list that nobody signed", r)
			}
		}
	})
}

// rewritten makes the list again from what was read of it.
func rewritten(t *testing.T, l *List) {
	if l.Signature != nil && !bytes.Equal(l.Raw, seq(l.RawTBS, l.SignatureAlgorithm.Raw, wrap(cb.BIT_STRING, []byte{0}, l.Signature))) {
		t.Error("the list is not what was read")
	}
	var entries []byte
	for left := l.RawEntries; len(left) > 0; {
		entry, serial := firstEntry(left)
		raw := cryptobyte.String(entry)
		e, ok := readEntry(&raw, l.Version)
		if !ok || len(raw) > 0 || !bytes.Equal(e.serial, serial) {
			t.Fatal("an entry is not where it was read")
		}
		begin, _, _ := measure(entry)
		content := entry[begin:]
		head := append(wrap(cb.INTEGER, e.serial), timeOf(e.revoked, content[len(wrap(cb.INTEGER, e.serial))])...)
		if !bytes.HasPrefix(content, head) {
			t.Errorf("entry % x is not % x", content, head)
		}
		rest := content[len(head):]
		if e.reason != Unspecified && !bytes.Contains(rest, []byte{4, 3, 10, 1, byte(e.reason)}) || !bytes.Contains(rest, e.certificateIssuer) {
			t.Errorf("entry % x has other extensions", content)
		}
		entries = append(entries, seq(head, rest)...)
		left = left[len(entry):]
	}
	if !bytes.Equal(entries, l.RawEntries) {
		t.Error("the entries are not what was read")
	}
}

func timeOf(at time.Time, tag byte) []byte {
	if cb.Tag(tag) == cb.UTCTime {
		return utc(at)
	}
	return generalized(at)
}

// FuzzChecker: bags of signed lists made at random, and a list by anybody. What nobody signed changes nothing; what is
// signed is nothing when it was changed.
func FuzzChecker(f *testing.F) {
	certs := subjects()
	names := slices.Sorted(maps.Keys(certs))
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed), uint16(seed*37), theCA().conforming(nil, revoke(serial, now)).sign(otherRSA()))
	}
	f.Fuzz(func(t *testing.T, seed uint64, which uint8, at uint16, foreign []byte) {
		r := chance{mrand.New(mrand.NewPCG(seed, 1))}
		cert := certs[names[int(which)%len(names)]]
		o := options(theCA(), publisher())
		o.MaxAge, o.Strict = 1000*time.Hour, seed%4 == 0
		var lists, changed []*List
		authentic := false
		for range 1 + r.IntN(4) {
			d := r.draft()
			if r.one(3) {
				r.mutate(d)
			}
			der := r.encode(d)
			l, err := Parse(der)
			if err != nil {
				continue
			}
			lists = append(lists, l)
			authentic = authentic || signedByOurs(l)
			der = bytes.Clone(der)
			begin := bytes.Index(der, l.RawTBS)
			der[begin+int(at)%len(l.RawTBS)] ^= 1 << (at % 8)
			if l, err := Parse(der); err == nil && !signedByOurs(l) {
				changed = append(changed, l)
			}
		}
		status := func(lists []*List) Result { return NewChecker(lists, o).Status(cert) }
		before := status(lists)
		slices.Reverse(lists)
		if again := status(lists); again.Status != before.Status || again.Reason != before.Reason {
			t.Errorf("%+v and, in another order, %+v", before, again)
		}
		if before.Status != Unknown && !authentic {
			t.Errorf("%+v, and nobody signed anything", before)
		}
		if l, err := Parse(foreign); err == nil && !signedByOurs(l) {
			changed = append(changed, l)
		}
		after := status(slices.Concat(changed, lists))
		if after.Status != before.Status || after.Reason != before.Reason || !after.RevocationTime.Equal(before.RevocationTime) || !after.ThisUpdate.Equal(before.ThisUpdate) {
			t.Errorf("%+v, and with lists that nobody signed %+v", before, after)
		}
		if r := status(changed); r.Status != Unknown || len(r.Findings) == 0 {
			t.Errorf("%+v of lists that nobody signed", r)
		}
		// Less belief never makes a certificate good: without signers nothing is known.
		o.Signers = nil
		if r := status(lists); r.Status != Unknown || slices.Contains(r.Findings, reason.CRLSignatureInvalid) {
			t.Errorf("%+v without signers", r)
		}
	})
}

func signedByOurs(l *List) bool {
	return slices.ContainsFunc([]*authority{theCA(), publisher()}, func(a *authority) bool {
		return a.public.Verify(allowed[1], l.RawTBS, l.Signature) == nil
	})
}
