package crl

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// publisher issues indirect lists; the authority certified it.
var publisher = sync.OnceValue(func() *authority {
	a := theCA()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(99), Subject: xpkix.Name{CommonName: "publisher"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte("publisher"),
	}
	key := otherECKey()
	der := must(x509.CreateCertificate(rand.Reader, t, a.parent, key.Public(), a.key))
	c := must(pkix.ParseCertificate(der))
	return &authority{c, must(x509.ParseCertificate(der)), key, publicKeyOf(c)}
})

// subjects are the certificates that are asked for, by name, all of one serial number.
func subjects() map[string]*pkix.Certificate {
	a := theCA()
	freshest := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, xpkix.Extension{Id: []int{2, 5, 29, 46}, Value: points(fullName(web))})
	}
	theirs := issuedBy(publisher().cert.Subject)
	return map[string]*pkix.Certificate{
		"no point": a.issue(nil, nil), "CA": a.issue(nil, asCA), "freshest": a.issue(nil, freshest),
		"point 1":          a.issue(points(fullName(web)), freshest),
		"points 2, 1":      a.issue(points(fullName(other), fullName(web)), freshest),
		"relative":         a.issue(points(relative("x")), freshest),
		"reasons":          a.issue(points(join(fullName(web), ofReason(5, 0x60))), freshest),
		"reasons, two":     a.issue(points(join(fullName(web), ofReason(5, 0x60)), join(fullName(other), ofReason(7, 0x1f, 0x80))), freshest),
		"cRLIssuer":        a.issue(points(join(fullName(web), theirs)), freshest),
		"cRLIssuer only":   a.issue(points(theirs), freshest),
		"cRLIssuer or own": a.issue(points(join(fullName(web), theirs), fullName(other)), freshest),
		"cRLIssuer itself": a.issue(points(join(fullName(web), issuedBy(a.cert.Subject))), freshest),
	}
}

// draft is a list to be made at random, with the words by which disagreements are explained.
type draft struct {
	*listSpec
	by    *authority
	words []string
	flip  bool
}

func (d *draft) says(words ...string) { d.words = append(d.words, words...) }

type chance struct{ *mrand.Rand }

func (r chance) one(n int) bool { return r.IntN(n) == 0 }

func pick[T any](r chance, all ...T) T { return all[r.IntN(len(all))] }

func (r chance) draft() *draft {
	a := theCA()
	d := &draft{listSpec: a.conforming(nil), by: a}
	idp := func(parts ...[]byte) { d.set("2.5.29.28", true, seq(parts...)) }
	d.this = utc(now.Add(-time.Duration(1+r.IntN(3)) * time.Hour))
	d.set("2.5.29.20", false, integer(int64(1+r.IntN(4))))
	switch kind := pick(r, "complete", "complete", "complete", "point", "user", "CA", "reasons", "point and reasons", "indirect", "own indirect", "delta", "delta"); kind {
	case "point":
		idp(fullName(pick(r, web, other, directory(name("CN=x,"+caName)))))
	case "user":
		idp(flag(1))
	case "CA":
		idp(flag(2))
	case "reasons":
		idp(pick(r, bitsOf(5, 0x60), bitsOf(7, 0x1f, 0x80), bitsOf(allBits...)))
		d.says("reasons")
	case "point and reasons":
		idp(fullName(pick(r, web, other)), pick(r, bitsOf(5, 0x60), bitsOf(7, 0x1f, 0x80), bitsOf(allBits...)))
		d.says("reasons")
	case "indirect":
		p := publisher()
		d.issuer, d.by = p.cert.Subject, p
		d.set("2.5.29.35", false, seq(wrap(tag(0), p.cert.SubjectKeyID)))
		idp(pick(r, nil, fullName(web), fullName(directory(p.cert.Subject))), flag(4))
		d.says(kind)
	case "own indirect":
		idp(pick(r, nil, fullName(web)), flag(4))
	case "delta":
		d.set("2.5.29.27", true, integer(int64(1+r.IntN(3))))
		d.set("2.5.29.20", false, integer(int64(2+r.IntN(4))))
		d.says(kind)
	}
	if r.one(2) {
		d.set("2.5.29.46", false, points(fullName(web)))
	}
	var entries [][]byte
	for range r.IntN(4) {
		var list []extension
		if r.one(2) {
			list = append(list, because(pick(r, KeyCompromise, CertificateHold, CertificateHold, Superseded)))
		}
		if slices.Contains(d.words, "delta") && r.one(3) {
			list = []extension{because(RemoveFromCRL)}
			d.says("removed")
		}
		if bytes.Contains(seq(extensions(d.extensions)), flag(4)) && r.one(2) {
			list = append(list, extension{"2.5.29.29", true, seq(directory(pick(r, a.cert.Subject, a.cert.Subject, tsukuba)))})
		}
		entries = append(entries, revoke(pick(r, serial, serial, []byte{1}, []byte{2}), now.Add(-time.Hour), list...))
	}
	if entries != nil {
		d.entries = seq(entries...)
	}
	return d
}

// mutate makes one thing wrong, or odd.
func (r chance) mutate(d *draft) {
	word := pick(r, "stale", "stale", "future", "endless", "forged", "other key id", "no key id", "no number", "critical number", "unknown", "unknown in entry",
		"not critical", "version 1", "bare", "own name", "empty point", "contradiction", "removed from complete", "issuer in entry", "relative", "reason 7",
		"other letters", "flip", "flip", "flip", "critical reason", "unsorted")
	d.says(word)
	one := func(list ...extension) { d.entries = seq(revoke(serial, now.Add(-time.Hour), list...)) }
	switch word {
	case "stale":
		d.next = utc(now.Add(-time.Minute))
	case "future":
		d.this = utc(now.Add(time.Minute))
	case "endless":
		d.next = nil
	case "forged":
		d.by = newAuthority(otherECKey(), name(caName), nil)
		if slices.Contains(d.words, "indirect") {
			d.by = theCA()
		}
	case "other key id":
		d.set("2.5.29.35", false, seq(wrap(tag(0), []byte{1})))
	case "no key id":
		d.drop("2.5.29.35")
	case "no number":
		d.drop("2.5.29.20")
	case "critical number":
		d.set("2.5.29.20", true, integer(3))
	case "unknown":
		d.set("1.2.3", r.one(2), nil)
	case "unknown in entry":
		one(extension{"1.2.3", r.one(2), nil})
	case "not critical":
		for i := range d.extensions {
			d.extensions[i].critical = false
		}
	case "version 1":
		d.version, d.extensions, d.entries = nil, nil, seq(revoke(pick(r, serial, []byte{1}), now))
	case "bare":
		d.extensions = nil
	case "own name":
		d.set("2.5.29.28", true, seq(fullName(directory(theCA().cert.Subject))))
	case "empty point":
		d.set("2.5.29.28", true, seq())
	case "contradiction":
		d.set("2.5.29.28", true, seq(flag(1), flag(5)))
	case "removed from complete":
		one(because(RemoveFromCRL))
	case "issuer in entry":
		one(extension{"2.5.29.29", true, seq(directory(pick(r, theCA().cert.Subject, tsukuba)))})
	case "relative":
		d.set("2.5.29.28", true, seq(relative("X")))
	case "reason 7":
		one(because(7))
	case "other letters":
		d.issuer = name(strings.ToUpper(caName))
	case "flip":
		d.flip = true
	case "critical reason":
		one(extension{"2.5.29.21", true, []byte{10, 1, 1}})
	case "unsorted":
		d.entries = seq(revoke([]byte{9}, now), revoke(serial, now, because(CertificateHold)), revoke([]byte{1}, now), revoke(serial, now))
		d.says("twice")
	}
	if d.entries != nil && bytes.Contains(d.entries, element("2.5.29.29")) && !bytes.Contains(extensions(d.extensions), flag(4)) {
		d.says("issuer in entry")
	}
	if d.entries != nil && bytes.Contains(d.entries, because(RemoveFromCRL).der()) && !bytes.Contains(extensions(d.extensions), element("2.5.29.27")) {
		d.says("removed from complete")
	}
	if slices.Contains(d.words, "delta") && (word == "stale" || word == "future") {
		d.says("untimely delta")
	}
	if slices.Contains(d.words, "delta") && word == "forged" {
		d.says("forged delta")
	}
}

// encode signs the list, if need be after one octet of it was changed.
func (r chance) encode(d *draft) []byte {
	tbs := d.tbs()
	if d.flip {
		tbs[r.IntN(len(tbs))] ^= 1 << r.IntN(8)
	}
	return d.signOver(tbs, d.by.key)
}

// class is a way in which openssl 3.0 answers otherwise, and why. Whatever is in none fails the test.
type class struct {
	why     string
	answers []string // ours, theirs
	words   []string // of which the bag has one; any bag if nil
	points  []string // of which the certificate's is one; any if nil
	some    bool     // of some of the lists openssl must say what is said here of all
}

var (
	weMore = []string{"good, unknown", "revoked, unknown"} // openssl does not know
	weLess = []string{"unknown, good", "unknown, revoked"} // here it is not known
)

var classes = []class{
	{"here the list is refused as malformed (strict DER, reasons that do not exist, extensions that make no sense); openssl reads it",
		slices.Concat(weLess, weMore, either), []string{"not read"}, nil, false},
	{"here the list is refused, because entries name issuers and the list is not indirect; openssl goes by the entry",
		slices.Concat(weLess, either), []string{"issuer in entry"}, nil, false},
	{"here an empty issuing distribution point is refused (section 5.2.5)",
		slices.Concat(weLess, either), []string{"empty point"}, nil, false},
	{"here a complete list with removeFromCRL is refused (section 5.3.1); openssl takes the entry for none",
		slices.Concat(weLess, either), []string{"removed from complete"}, nil, false},
	{"for openssl the authority key identifier must name the signer; here the signature proves",
		slices.Concat(weMore, either), []string{"other key id"}, nil, false},
	{"openssl takes a critical CRL number or reason for unknown; here they are known",
		slices.Concat(weMore, either), []string{"critical number", "critical reason"}, nil, false},
	{"for openssl a point without name fits an indirect list of any name; section 6.3.3 (b)(2)(i): of that of cRLIssuer",
		slices.Concat(weLess, either), []string{"indirect"}, []string{"cRLIssuer only"}, false},
	{"openssl does not assume a point of the issuer's name (section 6.3.3, at its end)",
		append(weMore, "revoked, good"), []string{"own name"}, nil, false},
	{"openssl uses deltas only where the certificate or the complete list has freshestCRL; here they are used if they are there",
		slices.Concat(weMore, either), []string{"delta"}, []string{"no point", "CA"}, false},
	{"openssl believes a delta whatever its times where the complete list is within its own",
		either, []string{"untimely delta"}, nil, false},
	{"for openssl removeFromCRL lifts any revocation; here a hold (section 5.3.1)",
		[]string{"revoked, good"}, []string{"removed"}, nil, false},
	{"openssl knows the last list by thisUpdate only; here the number counts too",
		[]string{"good, revoked", "unknown, revoked"}, []string{"same time"}, nil, true},
	{"the same, where openssl says good to nothing",
		[]string{"good, revoked"}, []string{"same time"}, []string{"reasons", "reasons, two"}, false},
	{"for openssl a list is for the reasons of the point that leads to it; here the list of an issuer without point's name is for those that it says (section 6.3.3, at its end)",
		append(weMore, "revoked, good"), nil, []string{"reasons", "reasons, two"}, false},
	{"where a delta has the certificate, openssl does not look at the complete list, not even for what it must not ignore",
		weLess, []string{"delta"}, nil, false},
	{"openssl chooses a delta before it knows who signed it",
		weMore, []string{"forged delta"}, nil, false},
	{"a name that is no valid string is equal to none; openssl takes a list with such a name of its point for one without",
		weLess, []string{"no name"}, nil, false},
	{"openssl asks one list for each reason, and gives up where that one is no good; here all in scope are asked. Given some of them only, it says what is said here",
		[]string{"revoked, good", "revoked, unknown", "good, unknown"}, nil, nil, true},
}

var either = []string{"good, revoked", "revoked, good"}

func (c *class) explains(answers, subject string, words []string, some func() bool) bool {
	return slices.Contains(c.answers, answers) && (c.points == nil || slices.Contains(c.points, subject)) &&
		(c.words == nil || slices.ContainsFunc(c.words, func(w string) bool { return slices.Contains(words, w) })) && (!c.some || some())
}

var errorAt = regexp.MustCompile(`^error (\d+) at \d+ depth lookup`)

// theirStatuses is openssl verify for certificates in files, in one run.
func theirStatuses(t *testing.T, dir, lists string, files []string) map[string]Status {
	t.Helper()
	args := []string{"verify", "-crl_check", "-extended_crl", "-use_deltas", "-attime", fmt.Sprint(now.Unix()),
		"-CAfile", filepath.Join(dir, "ca.pem"), "-untrusted", filepath.Join(dir, "publisher.pem"), "-CRLfile", lists}
	out := map[string]Status{}
	var codes []string
	for line := range strings.Lines(openssl(t, append(args, files...)...)) {
		line = strings.TrimSpace(line)
		if m := errorAt.FindStringSubmatch(line); m != nil {
			codes = append(codes, m[1])
		} else if file, is := strings.CutSuffix(line, ": OK"); is {
			out[file] = Good
		} else if strings.HasSuffix(line, ": verification failed") {
			file := strings.TrimSuffix(strings.TrimPrefix(line, "error "), ": verification failed")
			out[file] = Unknown
			if slices.Equal(codes, []string{"23"}) { // and nothing else was wrong
				out[file] = Revoked
			}
			codes = nil
		}
	}
	return out
}

// TestAgainstOpenSSL holds bags of lists made at random, right and wrong, against openssl verify.
func TestAgainstOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	bags := 500
	if underRace {
		bags = 50
	}
	dir := t.TempDir()
	write := func(file, kind string, ders ...[]byte) string {
		var b bytes.Buffer
		for _, der := range ders {
			pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
		}
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("ca.pem", "CERTIFICATE", theCA().cert.Raw)
	write("publisher.pem", "CERTIFICATE", publisher().cert.Raw)
	certs := subjects()
	names := slices.Sorted(maps.Keys(certs))
	var files []string
	for _, name := range names {
		files = append(files, write(name+".pem", "CERTIFICATE", certs[name].Raw))
	}
	r := chance{mrand.New(mrand.NewPCG(7, 8))}
	lists, compared, explained, agreed := 0, 0, map[string]int{}, map[string]int{}
	for i := range bags {
		var ders [][]byte
		var words []string
		for range 1 + r.IntN(3) {
			d := r.draft()
			if r.one(2) {
				r.mutate(d)
			}
			ders, words = append(ders, r.encode(d)), append(words, d.words...)
		}
		var ours []*List
		for _, der := range ders {
			l := agree(t, der)
			if l == nil {
				words = append(words, "not read")
				continue
			}
			if id := l.AuthorityKeyID; id != nil && !bytes.Equal(id, theCA().cert.SubjectKeyID) && !bytes.Equal(id, publisher().cert.SubjectKeyID) {
				words = append(words, "other key id") // by a flip
			}
			if l.IDP != nil && slices.ContainsFunc(l.IDP.FullName, func(g pkix.GeneralName) bool {
				return g.Kind == pkix.DirectoryName && pkix.Name(g.Value).Canonical() == ""
			}) {
				words = append(words, "no name") // by a flip
			}
			if slices.ContainsFunc(ours, func(o *List) bool {
				return o.Issuer.Equal(l.Issuer) && o.ThisUpdate.Equal(l.ThisUpdate) && !bytes.Equal(o.Number, l.Number)
			}) {
				words = append(words, "same time")
			}
			ours = append(ours, l)
		}
		lists += len(ders)
		parts := sync.OnceValue(func() (all []map[string]Status) {
			for set := 1; set < 1<<len(ders)-1; set++ {
				var part [][]byte
				for k, der := range ders {
					if set>>k&1 != 0 {
						part = append(part, der)
					}
				}
				all = append(all, theirStatuses(t, dir, write("part.pem", "X509 CRL", part...), files))
			}
			return all
		})
		theirs := theirStatuses(t, dir, write("lists.pem", "X509 CRL", ders...), files)
		b := newBag([]*pkix.Certificate{theCA().cert, publisher().cert}, ours, CheckOptions{At: now, MaxAge: 1000 * time.Hour, Allow: allowed})
		for j, subject := range names {
			compared++
			ourStatus := b.checker.Status(certs[subject])
			if ourStatus.Status == OnHold {
				ourStatus.Status = Revoked
			}
			answers := ourStatus.Status.String() + ", " + theirs[files[j]].String()
			if ourStatus.Status == theirs[files[j]] {
				agreed[ourStatus.Status.String()]++
				continue
			}
			some := func() bool {
				return slices.ContainsFunc(parts(), func(part map[string]Status) bool { return part[files[j]] == ourStatus.Status })
			}
			k := slices.IndexFunc(classes, func(c class) bool { return c.explains(answers, subject, words, some) })
			if k < 0 {
				t.Errorf("bag %d, %s, lists %d %q: %s; findings %v", i, subject, len(ders), words, answers, ourStatus.Findings)
				continue
			}
			explained[classes[k].why]++
		}
	}
	t.Logf("%d lists in %d bags, %d comparisons, agreed %v", lists, bags, compared, agreed)
	for _, why := range slices.Sorted(maps.Keys(explained)) {
		t.Logf("%5d %s", explained[why], why)
	}
}
