package chain

import (
	"bytes"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Builder finds certification paths over certificates that nobody trusts. It remembers which signatures it has checked. It is
// not safe for concurrent use, but Options.Accept may call Build again.
type Builder struct {
	Settings
	bySubject   map[string][]*pkix.Certificate // the untrusted ones, by Key of the name
	signed      map[link][]reason.ID           // what was found against signatures; nothing if they are right
	keys        map[*pkix.Certificate]*signature.PublicKey
	authorities map[*pkix.Certificate][]reason.ID // what checkAuthority found
}

// NewBuilder makes a Builder over certificates that may help.
func NewBuilder(untrusted []*pkix.Certificate, s Settings) *Builder {
	if s.Budget == nil {
		s.Budget = DefaultBudget()
	}
	b := &Builder{Settings: s, bySubject: map[string][]*pkix.Certificate{}, signed: map[link][]reason.ID{},
		keys: map[*pkix.Certificate]*signature.PublicKey{}, authorities: map[*pkix.Certificate][]reason.ID{}}
	for _, u := range untrusted {
		name := u.Subject.Key()
		b.bySubject[name] = append(b.bySubject[name], u)
	}
	return b
}

// BySubject are the untrusted certificates with a name.
func (b *Builder) BySubject(name pkix.Name) []*pkix.Certificate {
	return b.bySubject[name.Key()]
}

// Build finds a certification path from the target to one of the anchors (RFC 4158), and validates it. It goes from the target
// upwards, the likeliest issuer first, and back where a path ends or is refused, until a path is valid, there are no
// more, or the budget is spent. Without a path the findings are those of the one that came closest; they are never empty then.
func (b *Builder) Build(target *pkix.Certificate, o Options) (*Path, []reason.ID) {
	s := &search{Builder: b, o: o, byName: map[string][]*Anchor{}}
	for _, a := range o.Anchors {
		name := a.Certificate.Subject.Key()
		s.byName[name] = append(s.byName[name], a)
	}
	if found := b.checkTarget(target); len(found) > 0 {
		return nil, found
	}
	s.climb([]*pkix.Certificate{target})
	switch {
	case s.found != nil:
		return s.found, nil
	case s.spent:
		return nil, exceeded
	case s.closest == nil:
		return nil, []reason.ID{reason.NoCertificateChainFound}
	}
	return nil, s.closest
}

// search is one call of Build under way.
type search struct {
	*Builder
	o       Options
	byName  map[string][]*Anchor // by Key of the name
	found   *Path
	spent   bool
	closest []reason.ID
	rank    int // of closest
}

// link is a certificate and one that may have signed it.
type link struct{ certificate, issuer *pkix.Certificate }

// The ranks of refusals: which of them says most of why there is no path.
const (
	rankSignature = iota + 1 // an issuer by name, whose key did not sign
	rankAuthority            // an issuer that may not be one, or not now
	rankPath                 // a whole path that is not valid
	rankOpen                 // a whole path whose validity is open
)

func (b *search) refuse(rank int, found []reason.ID) {
	if rank == rankPath && !slices.ContainsFunc(found, func(id reason.ID) bool { return reason.Get(id).Severity == reason.Invalid }) {
		rank = rankOpen
	}
	if rank > b.rank {
		b.rank, b.closest = rank, found
	}
}

func (b *search) done() bool { return b.found != nil || b.spent }

// climb tries everything above the last certificate of upwards, which begins with the target.
func (b *search) climb(upwards []*pkix.Certificate) {
	c := upwards[len(upwards)-1]
	name := c.Issuer.Key()
	for _, a := range b.byName[name] {
		if b.done() || !b.step() {
			return
		}
		b.finish(upwards, a)
	}
	if len(upwards) > maxPathLength || b.o.MaxIntermediates >= 0 && len(upwards) > b.o.MaxIntermediates+1 {
		b.refuse(rankPath, []reason.ID{reason.PathTooLong})
		return
	}
	for _, issuer := range b.issuers(c, name) {
		if b.done() || !b.step() {
			return
		}
		if slices.ContainsFunc(upwards, func(used *pkix.Certificate) bool { return sameEntity(used, issuer) }) {
			continue
		}
		if found := b.checkAuthority(issuer); len(found) > 0 {
			b.refuse(rankAuthority, found)
			continue
		}
		key := b.key(issuer)
		if key == nil {
			b.refuse(rankAuthority, []reason.ID{reason.PublicKeyUnacceptable})
			continue
		}
		if b.checkSignature(c, issuer, key) {
			b.climb(append(slices.Clip(upwards), issuer))
		}
	}
}

// direct says whether a path is a target whose issuer is believed.
func (b *Builder) direct(path []*pkix.Certificate) bool { return b.TrustedIssuers && len(path) == 1 }

// maxPathLength bounds the depth of the search; nobody's path is a tenth of it.
const maxPathLength = 32

func (b *search) step() bool {
	if !spend(&b.Budget.Steps, 1) {
		b.spent = true
	}
	return !b.spent
}

// finish validates the whole path below an anchor.
func (b *search) finish(upwards []*pkix.Certificate, a *Anchor) {
	if !b.direct(upwards) {
		if found := b.checkAnchor(a.Certificate); len(found) > 0 {
			b.refuse(rankAuthority, found)
			return
		}
	}
	if !b.checkSignature(upwards[len(upwards)-1], a.Certificate, a.Key) {
		return
	}
	if !spend(&b.Budget.Paths, 1) {
		b.spent = true
		return
	}
	p := &Path{Anchor: a, Certificates: slices.Clone(upwards)}
	slices.Reverse(p.Certificates)
	found := b.process(p)
	if len(found) == 0 && b.o.Accept != nil {
		found = b.o.Accept(p)
	}
	switch {
	case len(found) == 0:
		b.found = p
	case slices.Contains(found, reason.PathBudgetExceeded):
		b.spent = true
	default:
		b.refuse(rankPath, found)
	}
}

// issuers are the candidates for the issuer of a certificate by name, the likeliest first: the key identifiers that agree
// before those that say nothing, before those that differ; then those valid at the time; then those that are valid longer.
func (b *Builder) issuers(c *pkix.Certificate, name string) []*pkix.Certificate {
	out := slices.Clone(b.bySubject[name])
	likeliness := func(issuer *pkix.Certificate) int {
		n := 0
		switch {
		case len(c.AuthorityKeyID) == 0 || len(issuer.SubjectKeyID) == 0:
			n = 2
		case bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID):
			n = 4
		}
		if validAt(issuer, b.At) {
			n++
		}
		return n
	}
	slices.SortStableFunc(out, func(x, y *pkix.Certificate) int {
		if d := likeliness(y) - likeliness(x); d != 0 {
			return d
		}
		return y.NotAfter.Compare(x.NotAfter)
	})
	return out
}

// sameEntity: a path that comes again to the same name with the same key leads in a circle (RFC 4158 section 2.4.2).
func sameEntity(x, y *pkix.Certificate) bool {
	return x == y || bytes.Equal(x.RawSubjectPublicKeyInfo, y.RawSubjectPublicKeyInfo) && x.Subject.Equal(y.Subject)
}

// key is the public key of a certificate; nil if it is of no use.
func (b *Builder) key(c *pkix.Certificate) *signature.PublicKey {
	key, known := b.keys[c]
	if !known {
		key, _ = signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey)
		b.keys[c] = key
	}
	return key
}

// checkSignature: RFC 5280 section 6.1.3 (a)(1). Each pair is checked once.
func (b *search) checkSignature(c, issuer *pkix.Certificate, key *signature.PublicKey) bool {
	pair := link{c, issuer}
	found, known := b.signed[pair]
	if !known {
		algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm)
		switch {
		case err != nil || !b.Allow.Allows(algorithm):
			found = []reason.ID{reason.CryptoConstraintsFailure}
		case !key.Permits(algorithm):
			found = []reason.ID{reason.AlgorithmKeyMismatch}
		case !spend(&b.Budget.Signatures, 1):
			b.spent = true
			return false
		case key.Verify(algorithm, c.RawTBS, c.Signature) != nil:
			found = []reason.ID{reason.CertificateSignatureInvalid}
		}
		b.signed[pair] = found
	}
	if found != nil {
		b.refuse(rankSignature, found)
	}
	return found == nil
}

// checkTime: RFC 5280 section 6.1.3 (a)(2); section 4.1.2.5: through notAfter, whose second is not over until the next begins.
func checkTime(c *pkix.Certificate, at time.Time) (early, late bool) {
	return at.Before(c.NotBefore), !at.Before(c.NotAfter.Add(time.Second))
}

// checkTarget is what the target says of itself.
func (b *Builder) checkTarget(c *pkix.Certificate) []reason.ID {
	var found reason.Findings
	early, late := checkTime(c, b.At)
	found.Add(early, reason.NotYetValid)
	found.Add(late, reason.Expired)
	// RFC 5280 section 6.1.5 (f).
	found.Add(len(c.UnknownCritical) > 0, reason.UnknownCriticalExtension)
	// RFC 5280 section 4.1.2.4: a non-empty issuer.
	found.Add(c.Issuer.Empty(), reason.IssuerMissing)
	if b.Strict {
		found.Add(true, checkProfile(c, endEntity)...)
	}
	return found
}

// checkAuthority is what a certificate says of itself that is to be an issuer's.
func (b *Builder) checkAuthority(c *pkix.Certificate) []reason.ID {
	if found, known := b.authorities[c]; known {
		return found
	}
	var found reason.Findings
	early, late := checkTime(c, b.At)
	found.Add(early || late, reason.IssuerNotValidNow)
	// RFC 5280 section 6.1.4 (k): version 3 and a CA. What is no version 3 certificate cannot say so.
	found.Add(c.Version != 3 || !c.IsCA, reason.IssuerNotAllowed)
	// RFC 5280 section 6.1.4 (n).
	found.Add(c.HasKeyUsage && c.KeyUsage&pkix.KeyCertSign == 0, reason.IssuerNotAllowed)
	// RFC 5280 section 4.1.2.4: a non-empty issuer.
	found.Add(c.Issuer.Empty(), reason.IssuerMissing)
	// RFC 5280 section 6.1.4 (o).
	found.Add(len(c.UnknownCritical) > 0, reason.UnknownCriticalExtension)
	if b.Strict {
		found.Add(true, checkProfile(c, authority)...)
	}
	b.authorities[c] = found
	return found
}

// checkAnchor is what an anchor's certificate says of itself. RFC 5280 section 6.1.1 (d) asks nothing of it but name and key;
// what is here is what it would have to say in order to contradict its being an anchor.
func (b *Builder) checkAnchor(c *pkix.Certificate) []reason.ID {
	var found reason.Findings
	early, late := checkTime(c, b.At)
	found.Add(early || late, reason.IssuerNotValidNow)
	found.Add(c.HasBasicConstraints && !c.IsCA, reason.IssuerNotAllowed)
	found.Add(c.HasKeyUsage && c.KeyUsage&pkix.KeyCertSign == 0, reason.IssuerNotAllowed)
	found.Add(len(c.UnknownCritical) > 0, reason.UnknownCriticalExtension)
	if b.Strict {
		found.Add(true, checkProfile(c, trustAnchor)...)
	}
	return found
}
