package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Config says what the index stands on. Anchors and Allow are required.
type Config struct {
	// Anchors are the authorities whose lists and answers are believed.
	Anchors *anchors.Set
	// Allow are the algorithms accepted in the signatures of lists. Those of OCSP
	// answers come with each question.
	Allow signature.AllowList
	// Sources of lists.
	Sources []Source
	// Responders for OCSP, at most one for each key of an issuer.
	Responders []Responder
	// AllowAIA lets a certificate name its own responder where none is configured for its
	// issuer's key. The address is the issuer's word, because certs.Verify asks only after the signature
	// over the certificate was found right; still it decides whom this server connects to.
	AllowAIA bool
	// OCSPHash makes the CertID of questions to responders that do not say: SHA-1 (0 means
	// that) or SHA-256. It only names the issuer, it protects nothing, and SHA-1 is what every
	// responder knows (RFC 5019 section 2.1.1); which J-LIS wants is not public.
	OCSPHash crypto.Hash
	// OCSPTimeout bounds a question that comes without a timeout; 0 means 5 seconds.
	OCSPTimeout time.Duration
	// OCSPMaxConcurrent bounds the questions under way to one responder; 0 means 64. More are not put: their
	// answer is that the responder is not available.
	OCSPMaxConcurrent int
	// Asked is told how each question was settled and how long it took; nil: nobody is. It must not block.
	Asked func(OCSPOutcome, time.Duration)
	// Admit are lists, by List.Digest in lower-case hexadecimal, that pass the bounds of growth and shrink and may have a lower
	// number or an older time than the list that serves: what an operator looked at and let through. Nothing else of
	// the gate is conceded to them.
	Admit []string
	// StateDir keeps accepted lists over restarts; empty means memory only. It must be
	// this process's own.
	StateDir string
	// ClockSkew is how far our clock may be off when we ask whether a list is from the
	// future or stale; 0 means none. Use the profiles' value.
	ClockSkew time.Duration
	// RetryMin is the first wait after a failure, doubled with each further one up to
	// the source's period, and likewise how long a host is left alone that does not answer; 0 means 30 seconds.
	RetryMin time.Duration
	// MaxConcurrent bounds the fetches under way; 0 means 8.
	MaxConcurrent int
	// MaxPerHost bounds those to one host; 0 means 4.
	MaxPerHost int
	// HTTPClient to fetch and ask with; nil means one for each with a pool of its own. Its redirect
	// policy is replaced by ours.
	HTTPClient *http.Client
	// Dial connects to LDAP servers; nil means net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for ldaps; nil means the authorities of the system.
	TLS *tls.Config
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Random spreads the schedule, in [0, 1); nil means math/rand/v2.
	Random func() float64
	// Logger; nil means slog.Default.
	Logger *slog.Logger
}

// Source is where lists come from: a URL, which gives one, a directory, which may have many, or a manifest, which names many
// URLs.
type Source struct {
	// Name, unique among sources and responders: letters, digits, '.', '_', '-'.
	Name string
	// URL of a list in DER: http, https, ldap or ldaps. Lists are signed, so http and ldap lose nothing but
	// privacy. ldap://host[:port]/dn?attribute?base names an entry, by RFC 4516; without a dn the
	// Partition is it, and the attribute is certificateRevocationList;binary if none is named.
	URL string
	// Directory in which every *.crl is a list in DER. Move files into it, so that none is
	// seen half written.
	Directory string
	// Manifest is a file that names partitions, each with a URL of its own; see manifest.go.
	Manifest string
	// Required: the server is not ready while this source is not fresh.
	Required bool
	// Period between visits; 0 means an hour for a URL and a minute for a directory. The visits to the rows of a manifest are
	// spread over it.
	Period time.Duration
	// Jitter is the share of the period by which visits come earlier, at random, below 1;
	// 0 means 0.1.
	Jitter float64
	// Timeout of a whole fetch; 0 means 15 minutes, in which a list of the default size arrives at 1.2 MB a second.
	Timeout time.Duration
	// Stall is the time within which something has to arrive, 4 KiB for each of its seconds, or else the fetch ends
	// long before its timeout; 0 means 30 seconds.
	Stall time.Duration
	// MaxSize of a list in bytes, whatever it was compressed to; 0 means 1 GiB. A list goes to disk as it comes, so this
	// bounds the disk that a source may take, and not memory.
	MaxSize int64
	// MaxLists that are looked at in a directory; 0 means 4096.
	MaxLists int
	// Partition that the lists must be limited to; nil means whatever comes first.
	Partition pkix.Name
	// IssuerKeyID of the key that must have signed; nil means any anchor.
	IssuerKeyID []byte
	// Bounds are how much a list may change at once.
	Bounds crl.Bounds

	manifest string      // the source that it is a row of; empty: none
	ldap     *ldapTarget // of an LDAP URL
	promised string      // Partition as text
}

// Responder answers OCSP for one key of an issuer.
type Responder struct {
	// Name, unique among sources and responders.
	Name string
	// URL, http or https.
	URL string
	// IssuerKeyID of the key that it answers for.
	IssuerKeyID []byte
	// Hash of the CertID, SHA-1 or SHA-256; 0 means Config.OCSPHash.
	Hash crypto.Hash
}

// Defaults of Config and Source.
const (
	defaultPeriod          = time.Hour
	defaultDirectoryPeriod = time.Minute
	defaultJitter          = 0.1
	defaultTimeout         = 15 * time.Minute
	defaultStall           = 30 * time.Second
	defaultMaxSize         = 1 << 30
	largestSize            = 1 << 36
	defaultMaxLists        = 4096
	maxAdmitted            = 256
	defaultRetryMin        = 30 * time.Second
	defaultOCSPTimeout     = 5 * time.Second
	defaultOCSPConcurrent  = 64
	defaultMaxConcurrent   = 8
	defaultMaxPerHost      = 4
)

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	digestForm = regexp.MustCompile(`^([0-9a-f]{2}){20,64}$`)

	errNameForm = errors.New("a name is letters, digits, '.', '_' and '-'")
)

// conf is a Config that was checked and completed. It is immutable.
type conf struct {
	Config
	feeds      []Source              // all that is visited: the sources, and for a manifest its rows
	responders map[string]*responder // by issuer key identifier
	admitted   map[string]bool       // by digest
	desk       *desk                 // what it holds is of these anchors and responders
	asking     *http.Client          // for OCSP
}

// complete checks a Config and fills in its defaults.
func (c Config) complete() (*conf, error) {
	if c.Anchors == nil || len(c.Allow) == 0 {
		return nil, errors.New("revocation: anchors and an allow-list are required")
	}
	if c.ClockSkew < 0 || c.RetryMin < 0 || c.OCSPTimeout < 0 || c.OCSPMaxConcurrent < 0 || c.MaxConcurrent < 0 || c.MaxPerHost < 0 {
		return nil, errors.New("revocation: negative bound")
	}
	if c.OCSPHash == 0 {
		c.OCSPHash = crypto.SHA1
	}
	if err := checkHash(c.OCSPHash); err != nil {
		return nil, fmt.Errorf("revocation: %w", err)
	}
	or(&c.OCSPTimeout, defaultOCSPTimeout)
	or(&c.OCSPMaxConcurrent, defaultOCSPConcurrent)
	or(&c.RetryMin, defaultRetryMin)
	or(&c.MaxConcurrent, defaultMaxConcurrent)
	or(&c.MaxPerHost, defaultMaxPerHost)
	asking := &http.Client{Transport: newAskingTransport(c.OCSPMaxConcurrent)}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Transport: newTransport()}
	} else {
		*asking = *c.HTTPClient
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.TLS == nil {
		c.TLS = new(tls.Config)
	}
	// A redirect is no answer: it would let whoever sits between choose the host.
	asking.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	out := &conf{Config: c, responders: make(map[string]*responder), admitted: make(map[string]bool), desk: new(desk), asking: asking}
	if len(c.Admit) > maxAdmitted {
		return nil, fmt.Errorf("revocation: more than %d admitted lists: those that serve need not be named any longer", maxAdmitted)
	}
	for _, digest := range c.Admit {
		if !digestForm.MatchString(digest) {
			return nil, fmt.Errorf("revocation: admitted list %q: not a digest in lower-case hexadecimal", digest)
		}
		out.admitted[digest] = true
	}
	names := make(map[string]bool)
	claim := func(name string) error {
		if !nameForm.MatchString(name) {
			return errNameForm
		}
		if names[name] || name == aiaName {
			return errors.New("the name is taken")
		}
		names[name] = true
		return nil
	}
	out.Sources = slices.Clone(c.Sources)
	for i := range out.Sources {
		s := &out.Sources[i]
		err := claim(s.Name)
		if err == nil {
			err = s.complete(c.Anchors)
		}
		feeds := []Source{*s}
		if err == nil && s.Manifest != "" {
			feeds, err = readManifest(s, c.Anchors)
		}
		if err != nil {
			return nil, fmt.Errorf("revocation: source %q: %w", s.Name, err)
		}
		out.feeds = append(out.feeds, feeds...)
	}
	for _, r := range c.Responders {
		err := claim(r.Name)
		if err == nil {
			err = r.complete(&c)
		}
		if err != nil {
			return nil, fmt.Errorf("revocation: responder %q: %w", r.Name, err)
		}
		if out.responders[string(r.IssuerKeyID)] != nil {
			return nil, fmt.Errorf("revocation: responder %q: the issuer's key has one already", r.Name)
		}
		out.responders[string(r.IssuerKeyID)] = newResponder(r)
	}
	return out, nil
}

// or sets a value that is zero to its default.
func or[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func (s *Source) complete(set *anchors.Set) error {
	period := defaultPeriod
	given := 0
	for _, place := range []string{s.URL, s.Directory, s.Manifest} {
		if place != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("either a URL, or a directory, or a manifest")
	case s.URL != "":
		if err := s.completeURL(); err != nil {
			return err
		}
	case s.Directory != "":
		period = defaultDirectoryPeriod
		s.Directory = filepath.Clean(s.Directory)
	}
	if s.Period < 0 || s.Timeout < 0 || s.Stall < 0 || s.MaxSize < 0 || s.MaxSize > largestSize || s.MaxLists < 0 || s.Jitter < 0 || s.Jitter >= 1 {
		return errors.New("a bound is negative or too large, or the jitter not below 1")
	}
	or(&s.Period, period)
	or(&s.Timeout, defaultTimeout)
	or(&s.Stall, defaultStall)
	or(&s.MaxSize, defaultMaxSize)
	or(&s.MaxLists, defaultMaxLists)
	or(&s.Jitter, defaultJitter)
	if !s.Bounds.Check() {
		return errors.New("max growth is negative, or max shrink not between 0 and 1")
	}
	// A name that cannot be compared would promise nothing (pkix.Name.Canonical).
	if s.Partition != nil && s.Partition.Canonical() == "" {
		return errors.New("the partition is not a name that can be compared")
	}
	s.promised = s.Partition.String()
	if s.IssuerKeyID != nil {
		return checkKeyID(set, s.IssuerKeyID)
	}
	return nil
}

func (r *Responder) complete(c *Config) error {
	or(&r.Hash, c.OCSPHash)
	return errors.Join(checkURL(r.URL), checkHash(r.Hash), checkKeyID(c.Anchors, r.IssuerKeyID))
}

func checkKeyID(set *anchors.Set, id []byte) error {
	for _, a := range set.All() {
		if len(id) > 0 && bytes.Equal(a.Certificate.SubjectKeyID, id) {
			return nil
		}
	}
	return fmt.Errorf("no anchor has the key identifier %s", hex.EncodeToString(id))
}

func checkHash(h crypto.Hash) error {
	if h != crypto.SHA1 && h != crypto.SHA256 {
		return errors.New("the hash of a CertID is SHA-1 or SHA-256")
	}
	return nil
}

func (s *Source) completeURL() error {
	u, err := parseURL(s.URL, "http", "https", "ldap", "ldaps")
	if err != nil || u.Scheme == "http" || u.Scheme == "https" {
		return err
	}
	if s.ldap, err = parseLDAP(u, s.Partition); err != nil {
		return err
	}
	s.URL = s.ldap.String()
	return nil
}

func checkURL(raw string) error {
	_, err := parseURL(raw, "http", "https")
	return err
}

func parseURL(raw string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(raw)
	// The URL itself stays out of the error: it may hold what should not be in a log.
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.Fragment != "" {
		return nil, fmt.Errorf("the URL is not one of %s, with a host", strings.Join(schemes, ", "))
	}
	if u.User != nil {
		return nil, errors.New("credentials do not belong into a URL")
	}
	return u, nil
}

// location is where a source is, for people and for telling whether it moved.
func (s *Source) location() string {
	if s.URL != "" {
		return s.URL
	}
	return s.Directory
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // fetchHTTP asks for it, and bounds it
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    64, // those to one host are all in use while a country's lists are fetched
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// newAskingTransport keeps as many connections to a responder as questions may be under way to it. A connection that
// leads nowhere any more must not be found out by one question after the other: a dial has its own time, and HTTP/2
// pings what has been silent.
func newAskingTransport(most int) *http.Transport {
	t := newTransport()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, most
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 5 * time.Second
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second}
	return t
}

func (c *conf) log(level slog.Level, message string, attributes ...any) {
	c.Logger.Log(context.Background(), level, message, attributes...)
}
