package sandbox

import (
	"crypto"
	"crypto/x509"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// The secrets a device has unless [IssueOptions] says otherwise.
const (
	DefaultPIN      = "1234"
	DefaultPassword = "SANDBOX123"
)

const (
	// passwordTries: the signing password locks after five wrong ones (jpki.md section 5, C).
	passwordTries = 5
	// pinTries: the domain page gives no number for the PIN; the sandbox treats it like the password.
	pinTries = 5
)

// A Certificate is one issued certificate and what a test wants to know of it
// without parsing it.
type Certificate struct {
	DER          []byte
	Kind         Kind
	Authority    Authority
	Generation   int
	Serial       uint64
	Municipality string // code of the partition its distribution point names
	Partition    string // the distribution point's directoryName, RFC 4514 form
	NotBefore    time.Time
	NotAfter     time.Time
}

// List is the list the certificate would stand in if it were revoked. For
// [UnpublishedMunicipality] there is none.
func (c Certificate) List() ListID {
	return ListID{c.Authority, c.Generation, c.Municipality}
}

// A credential is a certificate with its private key. Immutable.
type credential struct {
	cert Certificate
	key  crypto.Signer
}

// A secret is a PIN or password with its counter of wrong tries.
type secret struct {
	value string
	tries int
	wrong int
}

// check counts. A right one sets the counter back; once locked, even a right one is refused.
func (s *secret) check(given string, wellFormed func(string) bool, malformed error) error {
	if s.wrong >= s.tries {
		return ErrLocked
	}
	if !wellFormed(given) {
		return malformed
	}
	if given != s.value {
		s.wrong++
		if s.wrong >= s.tries {
			return ErrLocked
		}
		return &WrongSecretError{Left: s.tries - s.wrong}
	}
	s.wrong = 0
	return nil
}

func isPIN(s string) bool { return len(s) == 4 && strings.Trim(s, "0123456789") == "" }

func isPassword(s string) bool {
	return len(s) >= 6 && len(s) <= 16 && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}

// A Phone is a device with a pair of certificates and their keys: a smartphone,
// or (see [Phone.IsCard]) the My Number card itself. It knows nothing of
// revocation and goes on signing whatever happens, as a lost phone does.
type Phone struct {
	id      string
	world   *World
	card    bool
	random  io.Reader
	keyType KeyType // for the certificates issued later on this device, too

	mu       sync.Mutex
	holder   Holder                        // guarded by mu; as of the last certificate
	current  [len(authorities)]*credential // guarded by mu
	past     []Certificate                 // guarded by mu: certificates this device had before
	pin      secret                        // guarded by mu
	password secret                        // guarded by mu
}

// ID names the device in this world, such as "phone-3" or "card-1".
func (p *Phone) ID() string { return p.id }

// IsCard: the device is a My Number card, not a phone.
func (p *Phone) IsCard() bool { return p.card }

// Holder is whom the device's latest certificates describe.
func (p *Phone) Holder() Holder {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holder
}

// Certificate is the device's present certificate of one authority. It is
// handed to whoever asks, without PIN, as the real chips do for auth.
func (p *Phone) Certificate(a Authority) Certificate {
	c := p.credential(a).cert
	c.DER = slices.Clone(c.DER)
	return c
}

// Past lists the certificates this device had before, oldest first: an ended
// sign certificate after a lifted stop or a move.
func (p *Phone) Past() []Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.past)
}

func (p *Phone) credential(a Authority) *credential {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current[a]
}

// SignChallenge answers a relying party's challenge with the auth key.
func (p *Phone) SignChallenge(pin string, alg Algorithm, challenge []byte) ([]byte, error) {
	c, err := p.unlockAuth(pin)
	if err != nil {
		return nil, err
	}
	return sign(p.random, c.key, alg, challenge)
}

// SignChallengeDigest is SignChallenge over a digest the caller made, as the
// chip's own interface has it.
func (p *Phone) SignChallengeDigest(pin string, alg Algorithm, digest []byte) ([]byte, error) {
	c, err := p.unlockAuth(pin)
	if err != nil {
		return nil, err
	}
	return signDigest(p.random, c.key, alg, digest)
}

// SignContent signs a transaction's content with the sign key.
func (p *Phone) SignContent(password string, alg Algorithm, content []byte) ([]byte, error) {
	c, err := p.unlockSign(password)
	if err != nil {
		return nil, err
	}
	return sign(p.random, c.key, alg, content)
}

// SignContentDigest is SignContent over a digest the caller made.
func (p *Phone) SignContentDigest(password string, alg Algorithm, digest []byte) ([]byte, error) {
	c, err := p.unlockSign(password)
	if err != nil {
		return nil, err
	}
	return signDigest(p.random, c.key, alg, digest)
}

func (p *Phone) unlockAuth(pin string) (*credential, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.pin.check(pin, isPIN, ErrPINFormat); err != nil {
		return nil, err
	}
	return p.current[Auth], nil
}

func (p *Phone) unlockSign(password string) (*credential, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.password.check(password, isPassword, ErrPasswordFormat); err != nil {
		return nil, err
	}
	return p.current[Sign], nil
}

// ResetSecrets sets a new PIN and password and unlocks both, as the holder does
// with the physical card.
func (p *Phone) ResetSecrets(pin, password string) error {
	if !isPIN(pin) {
		return ErrPINFormat
	}
	if !isPassword(password) {
		return ErrPasswordFormat
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pin = secret{value: pin, tries: pinTries}
	p.password = secret{value: password, tries: passwordTries}
	return nil
}

// Keep returns a second handle on the keys and certificates as they are now,
// untouched by what the world later puts on the device. No real chip can do
// this; a test needs it to present an ended certificate with a perfect
// signature, so that the status alone is what speaks against it. Operations on
// the world refuse the copy ([ErrReplaced]).
func (p *Phone) Keep() *Phone {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Phone{
		id: p.id, world: p.world, card: p.card, random: p.random, keyType: p.keyType,
		holder: p.holder, current: p.current, past: slices.Clone(p.past), pin: p.pin, password: p.password,
	}
}

// ExportKey returns a private key, PKCS #8. No real chip does that: it lets other programs sign
// as the phone.
func (p *Phone) ExportKey(a Authority) ([]byte, error) {
	return x509.MarshalPKCS8PrivateKey(p.credential(a).key)
}

// replace puts a new credential on the device.
func (p *Phone) replace(c *credential, h Holder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.past = append(p.past, p.current[c.cert.Authority].cert)
	p.current[c.cert.Authority] = c
	p.holder = h
}
