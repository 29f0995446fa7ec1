package certs_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// edit changes a copy of b as a fuzzer says: each three bytes are a place and what to flip there.
func edit(b, edits []byte) []byte {
	out := bytes.Clone(b)
	for ; len(edits) >= 3 && len(out) > 0; edits = edits[3:] {
		out[(int(edits[0])<<8|int(edits[1]))%len(out)] ^= edits[2]
	}
	return out
}

// shelf has the lists at hand: a world would make them anew for each look-up.
type shelf struct {
	*world
	lists map[*anchors.Anchor]*crl.Index
}

// List implements certs.Revocation.
func (s shelf) List(issuer *anchors.Anchor, _ *pkix.Certificate) (*crl.Index, string) {
	return s.lists[issuer], "shelf"
}

// FuzzVerify: what a phone presents is valid as it is, and with any octet of it changed it is not: certificate, signature or what was
// signed. The fuzzer says which, because the world's keys are others in each process.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	p := w.issue(sandbox.IssueOptions{})
	uses := []profile.Use{kiosk, kyc}
	profiles, now := map[profile.Use]*profile.Profile{kiosk: w.profile(kiosk), kyc: w.profile(kyc)}, w.clock()
	var presented []certs.Presented
	for _, use := range uses {
		presented = append(presented, w.presented(p, use))
	}
	lists := shelf{world: w, lists: map[*anchors.Anchor]*crl.Index{}}
	for i, use := range uses {
		issuer := w.verify(presented[i], use).Issuer
		lists.lists[issuer], _ = w.List(issuer, presented[i].Certificate)
	}
	f.Add(byte(0), []byte{}, []byte{}, []byte{})
	f.Add(byte(1), []byte{0, 200, 1}, []byte{}, []byte{})
	f.Add(byte(0), []byte{}, []byte{0, 255, 1}, []byte{})
	f.Add(byte(1), []byte{}, []byte{}, []byte{0, 0, 0x20})
	f.Add(byte(0), []byte{2, 0, 0x80, 3, 1, 4}, []byte{0, 1, 1}, []byte{0, 1, 1})
	f.Fuzz(func(t *testing.T, which byte, certificate, signature, message []byte) {
		n := int(which) % len(uses)
		whole := presented[n]
		der := edit(whole.Certificate.Raw, certificate)
		c, err := pkix.ParseCertificate(der)
		if err != nil {
			return
		}
		changed := whole
		changed.Certificate = c
		changed.Signature = &certs.Signature{Algorithm: whole.Signature.Algorithm,
			Value: edit(whole.Signature.Value, signature), Message: edit(whole.Signature.Message, message)}
		same := bytes.Equal(der, whole.Certificate.Raw) && bytes.Equal(changed.Signature.Value, whole.Signature.Value) &&
			bytes.Equal(changed.Signature.Message, whole.Signature.Message)
		v := certs.Verify(context.Background(), changed, certs.Trust{
			Profile: profiles[uses[n]], Anchors: w.set, Revocation: lists, Now: now,
		})
		if (v.Conclusion == certs.Valid) != same {
			t.Fatalf("unchanged %v, conclusion %d, reasons %v", same, v.Conclusion, v.Reasons)
		}
		if v.Conclusion != certs.Valid && (v.Attributes != nil || len(v.Reasons) == 0) {
			t.Fatal("attributes, or no reason, of a verdict that is not valid")
		}
	})
}

// FuzzReadHolderAttributes: what is read of alternative names are texts, with marks where they have characters.
func FuzzReadHolderAttributes(f *testing.F) {
	names := func(values ...string) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, value := range values {
				b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					id := append([]byte(pkix.MustOID("1.2.392.200149.8.5.5")), byte(i+1))
					b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(id) })
					b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
					})
				})
			}
		})
		return b.BytesOrPanic()
	}
	f.Add(names("確　花子", "0010", "2", "419900229", "架空県架空市一丁目", "000000000"))
	f.Add(names("確　花子", "0010", "9", "019900000", "架空県", "", "further"))
	f.Add(names("x", "", "1", "520250101", "y"))
	f.Fuzz(func(t *testing.T, der []byte) {
		s := cryptobyte.String(der)
		names, err := pkix.ReadGeneralNames(&s, asn1.SEQUENCE)
		if err != nil {
			return
		}
		a, err := certs.ReadHolderAttributes(&pkix.Certificate{Extensions: pkix.Extensions{SubjectAltNames: names}})
		if err != nil {
			return
		}
		for _, text := range []certs.SubstitutedText{a.CommonName, a.Address} {
			last := utf8.RuneCountInString(text.Text) - 1
			if !utf8.ValidString(text.Text) || last < 0 || !slices.IsSorted(text.Substitutes) ||
				len(text.Substitutes) > 0 && (text.Substitutes[0] < 0 || text.Substitutes[len(text.Substitutes)-1] > last) {
				t.Errorf("%+v", text)
			}
		}
		if d := a.DateOfBirth; len(d.Recorded) != 9 || d.Month > 12 || d.Day > 31 || d.Era > certs.Reiwa || d.EraYear < 0 || a.GenderCode == "" {
			t.Errorf("%+v, gender %q", d, a.GenderCode)
		}
	})
}
