package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/tashika-jp/tashika/certs/signature/eightlane"
)

// TestVerifyAll: together or alone, in lanes or not, each check has the error that VerifyDigest gives it, or Verify where it has the message.
func TestVerifyAll(t *testing.T) {
	message := []byte("content")
	digest := sha256.Sum256(message)
	type maker func() (*PublicKey, Algorithm, []byte)
	pkcs1 := Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA256}
	pss := Algorithm{Scheme: RSASSA_PSS, Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}
	rsaMaker := func(key *rsa.PrivateKey, a Algorithm) maker {
		return func() (*PublicKey, Algorithm, []byte) {
			var s []byte
			var err error
			if a.Scheme == RSASSA_PSS {
				s, err = rsa.SignPSS(rand.Reader, key, a.Hash, digest[:], &rsa.PSSOptions{SaltLength: 32})
			} else {
				s, err = rsa.SignPKCS1v15(nil, key, a.Hash, digest[:])
			}
			if err != nil {
				t.Fatal(err)
			}
			return publicKey(t, key.Public()), a, s
		}
	}
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	makers := []maker{rsaMaker(rsaKey(), pkcs1), rsaMaker(rsaKey(), pss), rsaMaker(large, pkcs1), func() (*PublicKey, Algorithm, []byte) {
		s, err := ecdsa.SignASN1(rand.Reader, curve, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return publicKey(t, curve.Public()), Algorithm{Scheme: ECDSA, Hash: crypto.SHA256}, s
	}}
	spoil := []struct {
		change func(*Check)
		want   error
	}{
		{func(*Check) {}, nil},
		{func(c *Check) { c.Signature[len(c.Signature)-1] ^= 1 }, ErrInvalid},
		{func(c *Check) { c.Signature = c.Signature[1:] }, ErrInvalid},
		{func(c *Check) { c.Digest = c.Digest[1:] }, ErrDigestLength},
		{func(c *Check) { c.Digest = append([]byte{1}, c.Digest[1:]...) }, ErrInvalid},
		{func(c *Check) { c.Algorithm = Algorithm{} }, ErrUnknown},
		{func(c *Check) { clear(c.Signature) }, ErrInvalid},
		{func(c *Check) { c.Message, c.Digest = message, nil }, nil},
		{func(c *Check) { c.Message = []byte("other content") }, ErrInvalid},
		{func(c *Check) { c.Message, c.Algorithm.Hash = message, crypto.RIPEMD160 }, ErrUnknown},
		{func(c *Check) { c.Signature = append([]byte{0xff, 0xff}, c.Signature[2:]...) }, ErrInvalid}, // of RSA: not below the modulus
	}
	for n := range 2 * len(makers) * len(spoil) {
		checks, wants := make([]Check, n), make([]error, n)
		for i := range checks {
			key, a, s := makers[(n+i)%len(makers)]()
			checks[i] = Check{Key: key, Algorithm: a, Digest: append([]byte(nil), digest[:]...), Signature: s}
			how := spoil[(n*7+i/len(makers))%len(spoil)]
			how.change(&checks[i])
			wants[i] = how.want
		}
		errs := make([]error, n)
		VerifyAll(checks, errs)
		for i, c := range checks {
			alone := c.Key.VerifyDigest(c.Algorithm, c.Digest, c.Signature)
			if c.Message != nil {
				alone = c.Key.Verify(c.Algorithm, c.Message, c.Signature)
			}
			if !errors.Is(errs[i], wants[i]) || !errors.Is(alone, wants[i]) {
				t.Fatalf("%d of %d: %s: together %v, alone %v, want %v", i, n, c.Key, errs[i], alone, wants[i])
			}
		}
	}
}

// TestLanesAreWatched: one wrong result among those that are raised again turns the lanes off, and is not believed.
func TestLanesAreWatched(t *testing.T) {
	if !eightlane.Available {
		t.Skip("no lanes")
	}
	defer lanes.off.Store(lanes.off.Load())
	defer lanes.wrong.Store(lanes.wrong.Load())
	key := publicKey(t, rsaKey().Public())
	digest := sha256.Sum256([]byte("content"))
	s, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	j := &eightlane.Job{Modulus: &key.lanes, Signature: [eightlane.Size]byte(s)}
	eightlane.Raise(j, nil)
	right := j.Result
	j.Result[100] ^= 1
	believed := 0
	for range sampling {
		em, ok := key.raised(j)
		switch {
		case ok && string(em) == string(right[:]):
			believed++
		case string(em) != string(j.Result[:]):
			t.Fatal("neither the lanes' result nor the other code's")
		}
	}
	if stats := Lanes(); believed != 1 || stats.InUse || stats.Wrong == 0 || stats.Compared == 0 {
		t.Errorf("of %d results %d were taken from the other code; %+v", sampling, believed, stats)
	}
	if key.inLanes(s) {
		t.Error("the lanes are still in use")
	}
	if err := key.VerifyDigest(Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA256}, digest[:], s); err != nil {
		t.Errorf("without lanes: %v", err)
	}
}
