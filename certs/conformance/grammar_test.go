package conformance

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"

	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// The grammar of worlds: an anchor, up to three authorities below it, an end entity, lists,
// settings. All is well signed (but where it says otherwise), so that verifiers must differ
// in what they make of it, not in whether they can read it. Each oddity leaves its word in
// Case.Needs, by which disagreements are sorted.

var worldTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	policy1 = "1.3.6.1.4.1.32473.2.1" // the documentation arc, RFC 5612
	policy2 = "1.3.6.1.4.1.32473.2.2"
	policy3 = "1.3.6.1.4.1.32473.2.3"
)

// world is being written; its Rand is seeded.
type world struct {
	*rand.Rand
	words  []string
	serial int64

	policies, names, lists bool // what this world is about
	identifiers            bool // every certificate has an authority key identifier, and it is right
}

// odd says, in so many of a hundred, yes, and then leaves the word.
func (w *world) odd(percent int, word string) bool {
	if w.IntN(100) >= percent {
		return false
	}
	w.words = append(w.words, word)
	return true
}

func (w *world) maybe(percent int) bool { return w.IntN(100) < percent }

func pick[T any](w *world, of ...T) T { return of[w.IntN(len(of))] }

func (w *world) nextSerial() *big.Int {
	w.serial++
	return big.NewInt(w.serial)
}

// authority is a CA of the world.
type authority struct {
	certificate
	depth int
}

// generate writes the world of a seed.
func generate(seed uint64) Case {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 5280)), serial: 100}
	w.policies, w.names, w.lists, w.identifiers = w.maybe(50), w.maybe(40), w.maybe(40), w.maybe(80)

	root := authority{certificate: certificate{
		serial: w.nextSerial(), subject: w.authorityName(0), key: keys()[0],
		notBefore: worldTime.AddDate(-5, 0, 0), notAfter: worldTime.AddDate(5, 0, 0),
	}}
	root.issuer, root.signer = root.subject, root.key
	root.extensions = []extension{basicConstraints(true, true, -1), keyUsage(true, keyCertSign, crlSign), subjectKeyID(root.key)}
	path := []authority{root}
	for depth := range w.IntN(4) {
		path = append(path, w.authority(path[depth], depth+1))
	}
	if !w.identifiers {
		w.words = append(w.words, "without key identifiers")
	}
	w.words = append(w.words, anchorAt(len(path)))
	leaf := w.endEntity(path[len(path)-1])

	c := Case{Line: Line{
		ID: fmt.Sprintf("seed %d", seed), TrustAnchors: [][]byte{root.der()}, Time: worldTime,
		Revocation: "none", Scope: "chain", Policy: w.settings(),
	}}
	var crls [][]byte
	if w.lists {
		c.Revocation, c.Scope = "crl", pick(w, "chain", "chain", "leaf")
		crls = w.revocation(path, &leaf)
	}
	c.CRLs = crls
	c.Certificate = leaf.der()
	for _, a := range path[1:] {
		c.Intermediates = append(c.Intermediates, a.der())
	}
	w.addDecoys(&c, path)
	w.Shuffle(len(c.Intermediates), func(i, j int) {
		c.Intermediates[i], c.Intermediates[j] = c.Intermediates[j], c.Intermediates[i]
	})
	c.Needs = w.words
	return c
}

// anchorAt is the word for the anchor's depth as openssl counts it.
func anchorAt(depth int) string { return fmt.Sprintf("at %d depth is the anchor", depth) }

func (w *world) authorityName(depth int) name {
	return name{printable(country, "JP"), printable(organization, "Example"), printable(commonName, fmt.Sprintf("Authority %d", depth))}
}

// restyle writes a name that RFC 5280 section 7.1 calls equal: other case, white space, or
// string type.
func (w *world) restyle(n name) name {
	n = append(name(nil), n...)
	for i := range n {
		switch w.IntN(4) {
		case 0:
			n[i].value = strings.ToUpper(n[i].value)
		case 1:
			if n[i].oid != country {
				n[i].value = "  " + strings.ReplaceAll(n[i].value, " ", "   ") + " "
			}
		case 2:
			n[i].tag = tag.UTF8String
		}
	}
	return n
}

// issued is what every certificate below the anchor has.
func (w *world) issued(by authority, subject name, key *ecdsa.PrivateKey) certificate {
	c := certificate{
		serial: w.nextSerial(), issuer: by.subject, subject: subject, key: key, signer: by.key,
		notBefore: worldTime.AddDate(-1, 0, 0), notAfter: worldTime.AddDate(1, 0, 0),
	}
	switch {
	case w.odd(10, "name restyled"):
		c.issuer = w.restyle(c.issuer)
	case w.odd(1, "name of another issuer"):
		c.issuer = w.authorityName(9)
	}
	switch {
	case w.odd(2, "expired"):
		c.notAfter = worldTime.Add(-time.Second)
	case w.odd(1, "not yet valid"):
		c.notBefore = worldTime.Add(time.Second)
	case w.odd(1, "at its last second"):
		c.notAfter = worldTime
	case w.odd(2, "at its first second"):
		c.notBefore = worldTime
	}
	if w.odd(1, "signed by another key") {
		c.signer = keys()[20]
	}
	c.extensions = append(c.extensions, subjectKeyID(key))
	switch {
	case w.identifiers || w.maybe(60):
		c.extensions = append(c.extensions, authorityKeyID(by.key))
	case w.odd(2, "authority key identifier of another key"):
		c.extensions = append(c.extensions, authorityKeyID(keys()[21]))
	}
	switch {
	case w.odd(2, "unknown critical extension"):
		c.extensions = append(c.extensions, unknown(true))
	case w.maybe(10):
		c.extensions = append(c.extensions, unknown(false))
	}
	if set := pick(w, policySets...); w.policies && set != nil {
		c.extensions = append(c.extensions, policies(w.maybe(30), set...))
	}
	return c
}

func (w *world) authority(by authority, depth int) authority {
	subject := w.authorityName(depth)
	if w.odd(15, "self-issued") {
		subject = by.subject
	}
	a := authority{w.issued(by, subject, keys()[depth]), depth}
	switch {
	case w.odd(2, "authority without basic constraints"):
	case w.odd(2, "authority that is none"):
		a.extensions = append(a.extensions, basicConstraints(true, false, -1))
	default:
		pathLen := -1
		if w.maybe(25) {
			pathLen = w.IntN(3)
		}
		a.extensions = append(a.extensions, basicConstraints(!w.maybe(10), true, pathLen))
	}
	switch {
	case w.maybe(8): // RFC 5280 section 6.1.4 (n): only if present
	case w.odd(2, "authority without keyCertSign"):
		a.extensions = append(a.extensions, keyUsage(true, digitalSignature, crlSign))
	case w.odd(2, "authority without cRLSign"):
		a.extensions = append(a.extensions, keyUsage(true, keyCertSign))
	default:
		a.extensions = append(a.extensions, keyUsage(!w.maybe(10), keyCertSign, crlSign))
	}
	if w.policies {
		a.extensions = append(a.extensions, w.policyControls()...)
	}
	if w.names && w.maybe(60) {
		a.extensions = append(a.extensions, w.constraints())
	}
	if w.odd(4, "authority with extended key usage") {
		a.extensions = append(a.extensions, extendedKeyUsage(false, pick(w, "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.9")))
	}
	if w.odd(1, "version 1") {
		a.v1, a.extensions = true, nil
	}
	if w.odd(1, "an extension twice") && len(a.extensions) > 0 {
		a.extensions = append(a.extensions, pick(w, a.extensions...))
	}
	return a
}

func (w *world) endEntity(by authority) certificate {
	subject := name{printable(country, "JP"), printable(organization, pick(w, "Example", "EXAMPLE", "Other")), printable(commonName, "Holder")}
	if w.odd(3, "end entity of its issuer's name") {
		subject = by.subject
	}
	if w.names && w.odd(20, "e-mail address in the subject") {
		subject = append(subject, attribute{emailInName, pick(w, mailboxes...), tag.IA5String})
	}
	c := w.issued(by, subject, keys()[15])
	if w.maybe(50) {
		c.extensions = append(c.extensions, keyUsage(true, digitalSignature))
	}
	if w.maybe(30) {
		c.extensions = append(c.extensions, basicConstraints(true, w.odd(15, "end entity that is an authority"), -1))
	}
	if w.maybe(30) {
		c.extensions = append(c.extensions, extendedKeyUsage(w.maybe(30), "1.3.6.1.5.5.7.3.2"))
	}
	if w.names {
		if n := w.alternatives(); len(n) > 0 {
			c.extensions = append(c.extensions, alternative(n...))
		}
	}
	if w.odd(1, "end entity of version 1") {
		c.v1, c.extensions = true, nil
	}
	return c
}

var policySets = [][]string{{policy1}, {policy1}, {policy1, policy2}, {policy1, policy2, policy3}, {anyPolicy}, {policy2}, {policy1, anyPolicy}, nil}

func (w *world) policyControls() (all []extension) {
	if w.odd(25, "policies mapped") {
		pairs := pick(w, [][2]string{{policy1, policy2}}, [][2]string{{policy1, policy2}, {policy2, policy1}},
			[][2]string{{policy1, policy2}, {policy1, policy3}}, [][2]string{{policy2, policy3}}, [][2]string{{policy3, policy1}})
		if w.odd(5, "anyPolicy mapped") {
			pairs = pick(w, [][2]string{{anyPolicy, policy1}}, [][2]string{{policy1, anyPolicy}})
		}
		all = append(all, policyMappings(w.maybe(50), pairs...))
	}
	if w.maybe(20) {
		explicit, mapping := w.IntN(4)-1, w.IntN(4)-1
		if explicit >= 0 || mapping >= 0 || w.odd(20, "empty policy constraints") {
			all = append(all, policyConstraints(explicit, mapping))
		}
	}
	if w.maybe(15) {
		all = append(all, inhibitAnyPolicy(w.IntN(3)))
	}
	return all
}

func (w *world) settings() *Policy {
	if !w.policies {
		return &Policy{InitialPolicySet: []string{anyPolicy}}
	}
	return &Policy{
		InitialPolicySet: pick(w, []string{anyPolicy}, []string{anyPolicy}, []string{policy1}, []string{policy1, policy2},
			[]string{policy2, policy3}, []string{policy3}),
		RequireExplicitPolicy: w.maybe(30), InhibitPolicyMapping: w.maybe(10), InhibitAnyPolicy: w.maybe(10),
	}
}

var mailboxes = []string{"a@example.jp", "b@mail.example.jp", "A@EXAMPLE.JP", "a@other.jp", "B@example.jp"}

// alternatives and constraints speak of the same few names, so that they meet.
func (w *world) alternatives() (all []der) {
	for range w.IntN(4) {
		all = append(all, pick(w,
			dnsName(pick(w, "example.jp", "www.example.jp", "WWW.EXAMPLE.JP", "evilexample.jp", "other.jp")),
			emailName(pick(w, mailboxes...)),
			uriName(w.uri()),
			ipName(pick(w, []byte{10, 1, 2, 3}, []byte{192, 168, 0, 1}, append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...))...),
			directoryName(pick(w, w.authorityName(1), w.restyle(w.authorityName(1)), name{printable(country, "JP")}, name{printable(country, "US")})),
		))
	}
	return all
}

func (w *world) uri() string {
	if w.odd(10, "URI with user information") {
		return "https://user@www.example.jp:8443/?q"
	}
	return pick(w, "https://www.example.jp/a", "https://example.jp", "https://www.example.jp:8443/?q", "ldap://other.jp/")
}

func (w *world) constraint() der {
	switch {
	case w.odd(20, "directoryName constraint"):
		return directoryName(w.subtree())
	case w.odd(25, "e-mail constraint"):
		return emailName(pick(w, "example.jp", ".example.jp", "a@example.jp", "EXAMPLE.JP"))
	case w.odd(30, "URI constraint"):
		return uriName(pick(w, "www.example.jp", ".example.jp", "example.jp"))
	case w.maybe(60):
		return dnsName(pick(w, "example.jp", "www.example.jp", "EXAMPLE.jp", "jp", "other.jp"))
	}
	if w.maybe(30) {
		return ipName(append(append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...), append([]byte{255, 255, 255, 255}, make([]byte, 12)...)...)...)
	}
	return ipName(pick(w, []byte{10, 0, 0, 0, 255, 0, 0, 0}, []byte{10, 1, 2, 3, 255, 255, 255, 255})...)
}

func (w *world) subtree() name {
	all := w.authorityName(0)
	return pick(w, all[:0], all[:1], all[:2], w.restyle(all[:2]), name{all[0], printable(organization, "Other")})
}

func (w *world) constraints() extension {
	var permitted, excluded []der
	for range 1 + w.IntN(2) {
		if w.maybe(65) {
			permitted = append(permitted, w.constraint())
		} else {
			excluded = append(excluded, w.constraint())
		}
	}
	return nameConstraints(!w.odd(5, "name constraints not critical"), permitted, excluded)
}
