package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tashika-jp/tashika/certs/profile"
	"golang.org/x/time/rate"
)

// party is a relying party at work. All but the limiter and the count of its streams is immutable.
type party struct {
	name    string
	uses    []profile.Use
	rate    Rate
	limiter *rate.Limiter
	streams *atomic.Int64 // open ones
	pins    []pin
	sans    []string
}

// pin is the SHA-256 of a SubjectPublicKeyInfo.
type pin [sha256.Size]byte

// granted says whether the party may verify for a use.
func (p *party) granted(use profile.Use) bool { return slices.Contains(p.uses, use) }

// fits says whether a client certificate is the party's own.
func (p *party) fits(c *claim) bool {
	pinned := len(p.pins) == 0 || slices.Contains(p.pins, c.pin)
	named := len(p.sans) == 0 || slices.ContainsFunc(p.sans, func(san string) bool { return slices.Contains(c.sans, san) })
	return pinned && named && len(p.pins)+len(p.sans) > 0
}

// parties are all relying parties, by what they are known by.
type parties struct {
	all    []*party
	tokens []tokenHash
}

type tokenHash struct {
	hash  [sha256.Size]byte
	party *party
}

// claim is what a caller shows of itself.
type claim struct {
	token string // without "Bearer"; empty if none
	// certified: there is a TLS client certificate.
	certified bool
	pin       pin
	sans      []string // only of a certificate that an authority vouches for
}

// minToken is the least length of a token as text: 32 random bytes are no shorter in any form.
const minToken = 32

// find returns the party of a claim, or why there is none. What is shown must be right: a wrong
// token is refused beside a right certificate, and both must be of one party. A certificate that no
// party is known by says nothing, for it may be that of a mesh on the way.
func (ps *parties) find(c *claim) (*party, failure) {
	var byToken, byCertificate *party
	if c.token != "" {
		if byToken = ps.byToken(c.token); byToken == nil {
			return nil, credentialsUnknown
		}
	}
	if c.certified {
		for _, p := range ps.all {
			if !p.fits(c) {
				continue
			}
			if byCertificate != nil { // names of two parties in one certificate
				return nil, credentialsConflict
			}
			byCertificate = p
		}
	}
	switch {
	case byToken == nil && byCertificate == nil && c.certified:
		return nil, credentialsUnknown
	case byToken == nil && byCertificate == nil:
		return nil, credentialsMissing
	case byToken == nil:
		return byCertificate, ""
	case byCertificate != nil && byCertificate != byToken:
		return nil, credentialsConflict
	}
	return byToken, ""
}

// byToken compares with every hash, to the last byte, so that the time tells nothing.
func (ps *parties) byToken(text string) *party {
	if len(text) < minToken {
		return nil
	}
	hash := sha256.Sum256([]byte(text))
	var found *party
	for i := range ps.tokens {
		if subtle.ConstantTimeCompare(hash[:], ps.tokens[i].hash[:]) == 1 {
			found = ps.tokens[i].party
		}
	}
	return found
}

// newParties makes the parties of a configuration that was checked. A limiter whose rate did not change goes
// on as it is: a reload is no way to a fresh burst.
func newParties(configs []RelyingParty, before *parties) *parties {
	out := &parties{}
	for _, c := range configs {
		p := &party{name: c.Name, uses: c.Uses, rate: c.Rate, sans: c.MTLS.SAN}
		for _, text := range c.MTLS.SPKISHA256 {
			p.pins = append(p.pins, pin(mustHash(text)))
		}
		if before != nil {
			for _, old := range before.all {
				if old.name != p.name {
					continue
				}
				p.streams = old.streams
				if old.rate == p.rate {
					p.limiter = old.limiter
				}
			}
		}
		if p.streams == nil {
			p.streams = &atomic.Int64{}
		}
		if p.limiter == nil {
			p.limiter = rate.NewLimiter(rate.Limit(c.Rate.PerSecond), c.Rate.Burst)
		}
		out.all = append(out.all, p)
		for _, text := range c.BearerTokenSHA256 {
			out.tokens = append(out.tokens, tokenHash{mustHash(text), p})
		}
	}
	return out
}

// mustHash reads what checkParties has seen.
func mustHash(text string) (out [sha256.Size]byte) {
	_, _ = hex.Decode(out[:], []byte(text))
	return out
}

func (c *Config) checkParties() error {
	if len(c.RelyingParties) == 0 {
		return errors.New("relying_parties: there is none, so nobody could call")
	}
	seen := map[string]bool{}
	once := func(what string) error {
		if seen[what] {
			return errors.New("given twice")
		}
		seen[what] = true
		return nil
	}
	for _, p := range c.RelyingParties {
		if err := c.checkParty(p, once); err != nil {
			return fmt.Errorf("relying_parties: %q: %w", p.Name, err)
		}
	}
	return nil
}

func (c *Config) checkParty(p RelyingParty, once func(string) error) error {
	mtls := len(p.MTLS.SPKISHA256)+len(p.MTLS.SAN) > 0
	switch {
	case !partyName.MatchString(p.Name):
		return errors.New("a name is lower-case letters, digits, '.', '_' and '-', at most 63")
	case len(p.Uses) == 0:
		return errors.New("uses are missing")
	case len(p.BearerTokenSHA256) == 0 && !mtls:
		return errors.New("neither bearer_token_sha256 nor mtls: it could not authenticate")
	case mtls && c.Listen.Plaintext != "":
		return errors.New("mtls needs TLS")
	case len(p.MTLS.SAN) > 0 && c.Listen.TLS.ClientCAFile == "":
		return errors.New("mtls.san needs listen.tls.client_ca_file: without an authority anybody can write any name")
	case !(p.Rate.PerSecond > 0) || p.Rate.PerSecond > 1e6 || p.Rate.Burst < 1 || p.Rate.Burst > 1e6:
		return errors.New("rate must be above 0 and at most 1000000")
	}
	errs := []error{once("name " + p.Name)}
	for i, use := range p.Uses {
		if use == 0 || slices.Contains(p.Uses[:i], use) {
			errs = append(errs, errors.New("uses: given twice or empty"))
		}
	}
	for what, hashes := range map[string][]string{"bearer_token_sha256": p.BearerTokenSHA256, "mtls.spki_sha256": p.MTLS.SPKISHA256} {
		for _, h := range hashes {
			if b, err := hex.DecodeString(h); err != nil || len(b) != sha256.Size {
				errs = append(errs, fmt.Errorf("%s: not 64 hexadecimal digits", what))
			} else if err := once(what + strings.ToLower(h)); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", what, err))
			}
		}
	}
	for _, san := range p.MTLS.SAN {
		kind, name, _ := strings.Cut(san, ":")
		if kind != "dns" && kind != "uri" || name == "" || !printable(name) {
			errs = append(errs, fmt.Errorf("mtls.san: %q is not dns:NAME or uri:URI", san))
		} else if err := once(san); err != nil {
			errs = append(errs, fmt.Errorf("mtls.san: %q: %w", san, err))
		}
	}
	return errors.Join(errs...)
}

// printable says whether a text is ASCII that can be seen, as names in certificates and in metadata have to be.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
