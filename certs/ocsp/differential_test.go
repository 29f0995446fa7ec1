package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

var trials = flag.Uint64("trials", 2000, "how many responses openssl judges as well; a tenth under the race detector")

// scene is an authority as openssl sees it, by the clock because openssl goes by it.
type scene struct {
	*authority
	at                 time.Time
	holder, other      *pkix.Certificate
	delegates          map[string]*pkix.Certificate
	strangers          *authority // another key of the same name
	caFile, holderFile string
}

func (sc *scene) long(change func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = sc.at.AddDate(-5, 0, 0), sc.at.AddDate(5, 0, 0)
		if change != nil {
			change(c)
		}
	}
}

func newScene(t *testing.T, dir, name string, key crypto.Signer) *scene {
	sc := &scene{authority: newAuthority(key, caName), at: time.Now().Truncate(time.Second)}
	sc.strangers = newAuthority(strangersKey(), caName)
	sc.holder = sc.issue(strangersKey(), sc.long(nil))
	sc.other = sc.issue(strangersKey(), sc.long(func(c *x509.Certificate) { c.SerialNumber = big.NewInt(4712) }))
	sc.delegates = map[string]*pkix.Certificate{
		"right":    sc.delegate(sc.long(nil)),
		"nocheck":  sc.delegate(sc.long(nocheck)),
		"no usage": sc.delegate(sc.long(func(c *x509.Certificate) { c.ExtKeyUsage = nil })),
		"any":      sc.delegate(sc.long(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })),
		"over":     sc.delegate(sc.long(func(c *x509.Certificate) { c.NotAfter = sc.at.AddDate(0, -1, 0) })),
		"not yet":  sc.delegate(sc.long(func(c *x509.Certificate) { c.NotBefore = sc.at.AddDate(0, 1, 0) })),
		"cannot":   sc.delegate(sc.long(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })),
		"stranger": sc.strangers.delegate(sc.long(nil)),
		"authority": sc.delegate(sc.long(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		})),
		"self": sc.issue(delegateKey(), sc.long(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		})),
	}
	write := func(file string, c *pkix.Certificate) string {
		path := filepath.Join(dir, name+file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sc.caFile, sc.holderFile = write("ca.pem", sc.cert), write("holder.pem", sc.holder)
	return sc
}

// change makes one change that leaves a response well-formed.
func (sc *scene) change(r *rand.Rand, s *responseSpec) {
	id := func(algorithm pkix.OID, c *pkix.Certificate) []byte {
		return idOf(&Request{id: identify(c, sc.cert, algorithm)}).der()
	}
	hashes := []pkix.OID{oidSHA1, oidSHA256, "`\x86H\x01e\x03\x04\x02\x02", "`\x86H\x01e\x03\x04\x02\x03"}
	statuses := [][]byte{good, unknown, revoked(sc.at.Add(-time.Hour), -1), revoked(sc.at.Add(-time.Hour), r.IntN(12)), revoked(time.Unix(0, 0), 6)}
	one := &singleSpec{}
	if len(s.singles) > 0 {
		one = &s.singles[r.IntN(len(s.singles))]
	}
	around := func(d time.Duration) []byte { return generalized(sc.at.Add(d + 30*time.Second)) }
	durations := []time.Duration{-48 * time.Hour, -2 * time.Hour, -30 * time.Minute, -10 * time.Minute, 10 * time.Minute, 2 * time.Hour}
	pick := func() time.Duration { return durations[r.IntN(len(durations))] }
	switch r.IntN(20) {
	case 0, 1:
		one.status = statuses[r.IntN(len(statuses))]
	case 2, 3:
		one.this = around(pick())
	case 4:
		one.next = around(pick())
	case 5:
		one.next = nil
	case 6:
		s.producedAt = around(pick() * time.Duration(1+r.IntN(2)*4000))
	case 7:
		one.id = id(hashes[r.IntN(len(hashes))], sc.holder)
	case 8:
		one.id = id(hashes[r.IntN(2)], sc.other)
	case 9, 10: // once more, perhaps otherwise
		more := *one
		if r.IntN(2) == 0 {
			more.status = statuses[r.IntN(len(statuses))]
		}
		if r.IntN(2) == 0 {
			more.id = id(hashes[r.IntN(2)], []*pkix.Certificate{sc.holder, sc.other}[r.IntN(2)])
		}
		if s.singles = append(s.singles, more); r.IntN(2) == 0 {
			s.singles[0], s.singles[len(s.singles)-1] = s.singles[len(s.singles)-1], s.singles[0]
		}
	case 11: // of another issuer
		changed := certIDSpec{oidSHA1.String(), null, digest(crypto.SHA1, sc.cert.Subject), digest(crypto.SHA1, sc.cert.PublicKey), sc.holder.SerialNumber}
		if r.IntN(2) == 0 {
			changed.nameHash = digest(crypto.SHA1, nil)
		} else {
			changed.keyHash = digest(crypto.SHA1, nil)
		}
		one.id = changed.der()
	case 12:
		ids := []string{"1.2.3", idPKIXOCSP + ".6", sctList, idPKIXOCSP + ".3"}
		one.extensions = append(one.extensions, extension(ids[r.IntN(len(ids))], r.IntN(2) == 0, around(pick())))
	case 13:
		ids := []string{"1.2.3", idPKIXOCSP + ".9", idPKIXOCSP + ".2"}
		s.extensions = append(s.extensions, extension(ids[r.IntN(len(ids))], r.IntN(2) == 0, octets(nonce)))
	case 14:
		who := []*pkix.Certificate{sc.cert, sc.holder, sc.delegates["right"], sc.strangers.cert}[r.IntN(4)]
		s.responder = [][]byte{byName(who), byKey(who)}[r.IntN(2)]
	case 15, 16:
		names := []string{"right", "nocheck", "no usage", "any", "over", "not yet", "cannot", "stranger", "authority", "self"}
		d := sc.delegates[names[r.IntN(len(names))]]
		s.responder, s.key, s.algorithm = [][]byte{byName(d), byKey(d)}[r.IntN(2)], delegateKey(), ecdsaSHA256
		if s.certificates = append(s.certificates, d.Raw); r.IntN(4) == 0 {
			s.certificates = nil
		}
	case 17:
		extra := [][]byte{sc.cert.Raw, sc.holder.Raw, seq(null), sc.strangers.cert.Raw, sc.delegates["no usage"].Raw}
		s.certificates = append([][]byte{extra[r.IntN(len(extra))]}, s.certificates...)
	case 18:
		s.algorithm = [][]byte{rsaSHA1, rsaSHA256, ecdsaSHA256, seq(oid("1.2.840.10045.4.3.2"), null), seq(oid("1.2.840.113549.1.1.11"))}[r.IntN(5)]
		if _, fits := s.key.Public().(interface{ Size() int }); fits != bytes.Contains(s.algorithm, oid("1.2.840.113549.1.1.5")[2:10]) && r.IntN(4) > 0 {
			s.algorithm = map[bool][]byte{true: rsaSHA1, false: ecdsaSHA256}[fits]
		}
	case 19:
		s.key = []crypto.Signer{strangersKey(), delegateKey(), sc.key}[r.IntN(3)]
	}
}

// trial is one response before two judges.
type trial struct {
	der          []byte
	ours, theirs string
	text         string // of openssl
	found        []reason.ID
	response     *response // as it is read here; nil if it is not
	hash         pkix.OID  // under which openssl looks for the certificate
	*scene
}

func (sc *scene) trial(seed uint64) (der []byte, hash pkix.OID) {
	now := *sc
	now.at = time.Now().Truncate(time.Second) // a long run would see the answers of its beginning expire
	sc = &now
	r := rand.New(rand.NewPCG(seed, 6960))
	hash = []pkix.OID{oidSHA1, oidSHA256}[r.IntN(2)]
	req := &Request{about: sc.holder, id: identify(sc.holder, sc.cert, hash)}
	var d *pkix.Certificate
	if r.IntN(2) == 0 {
		d = sc.delegates["right"]
	}
	s := sc.conforming(req, d)
	s.producedAt = generalized(sc.at.Add(-time.Minute))
	s.singles[0].this, s.singles[0].next = generalized(sc.at.Add(-5*time.Minute)), generalized(sc.at.Add(10*time.Minute))
	for range r.IntN(4) {
		sc.change(r, s)
	}
	switch r.IntN(6) {
	case 0:
		return s.around(shuffle(r, s.tbs())), hash
	case 1:
		return shuffle(r, s.der()), hash
	case 2:
		return garble(r, s.der()), hash
	}
	return s.der(), hash
}

func (sc *scene) judge(t *testing.T, dir string, der []byte, hash pkix.OID) *trial {
	c := &trial{der: der, hash: hash, scene: sc, ours: "refused", theirs: "refused"}
	answer, found := CheckStored(der, sc.holder, sc.cert, sc.public, Options{At: time.Now(), Skew: time.Minute, MaxAge: time.Hour, Allow: allowed})
	if c.found = found; answer != nil {
		c.ours = answer.Status.String()
	}
	c.response, _ = parseResponse(der, 4)
	file := filepath.Join(dir, "response.der")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), "openssl", "ocsp", "-respin", file, "-CAfile", sc.caFile, "-no-CApath", "-no-CAstore", "-issuer", sc.caFile,
		map[pkix.OID]string{oidSHA1: "-sha1", oidSHA256: "-sha256"}[hash], "-cert", sc.holderFile, "-no_nonce", "-validity_period", "60", "-status_age", "3600").CombinedOutput()
	text := string(out)
	c.text = text
	if strings.Contains(text, "Response verify OK") && !strings.Contains(text, "WARNING: Status times invalid") {
		for _, status := range []string{"good", "revoked", "unknown"} {
			if strings.Contains(text, sc.holderFile+": "+status) {
				c.theirs = status
			}
		}
	}
	return c
}

// TestDifferential: openssl, and why it sees otherwise where it does; and x/crypto/ocsp.
func TestDifferential(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	trials := *trials
	if underRace || testing.Short() {
		trials /= 10
	}
	dir := t.TempDir()
	scenes := []*scene{newScene(t, dir, "ec", caKey()), newScene(t, dir, "rsa", rsaKey())}
	var mu sync.Mutex // guards what follows
	agreed, disagreed := map[string]int{}, map[string]int{}
	var workers sync.WaitGroup
	n := uint64(runtime.GOMAXPROCS(0))
	for w := range n {
		own := filepath.Join(dir, fmt.Sprint(w))
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		workers.Go(func() {
			for seed := w; seed < trials; seed += n {
				sc := scenes[seed%2]
				der, hash := sc.trial(seed)
				c := sc.judge(t, own, der, hash)
				c.agreeWithXCrypto(t)
				var names []string
				if c.ours != c.theirs {
					names = c.explain()
				}
				mu.Lock()
				if c.ours == c.theirs {
					agreed[c.ours]++
				} else if names == nil {
					t.Errorf("seed %d: here %s %v, openssl %s: %q\n%x", seed, c.ours, c.found, c.theirs, c.text, der)
				}
				for _, name := range names {
					disagreed[name]++
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("agreed: %v; disagreed: %v", agreed, disagreed)
	if agreed["good"] < int(trials/8) || trials >= 1000 && (agreed["revoked"] == 0 || agreed["unknown"] == 0) {
		t.Error("too few are accepted by both")
	}
	for _, name := range classes() { // some are rare
		if disagreed[name] == 0 && trials >= 10_000 {
			t.Errorf("nobody disagrees any more by %q", name)
		}
	}
}
