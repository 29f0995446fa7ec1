package sandbox

import (
	"crypto/rsa"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
)

// An Authority is one of the two CAs. Together with the policy OID it makes the
// kind of a certificate (jpki.md section 2).
type Authority int

const (
	Sign Authority = iota // 署名用
	Auth                  // 利用者証明用
)

var authorities = [...]Authority{Sign, Auth}

// String is "sign" or "auth", as in the served paths.
func (a Authority) String() string {
	switch a {
	case Sign:
		return "sign"
	case Auth:
		return "auth"
	}
	return fmt.Sprintf("Authority(%d)", int(a))
}

func (a Authority) unit() string {
	if a == Sign {
		return "JPKI for digital signature"
	}
	return "JPKI for user authentication"
}

// Generations is how many keys each CA has had: 1 is the older one, still valid
// but closed (it issues only into its own past); 2 issues now.
const Generations = 2

// Config configures a [World]. The zero value makes a world that can be built
// but issues nothing until it is told its PublicURL.
type Config struct {
	// Clock is the only clock the world reads. Default: time.Now.
	Clock func() time.Time
	// PublicURL is where the handler will be reached, such as
	// "http://127.0.0.1:8180": it becomes the OCSP address inside certificates,
	// so it must be known (here or by SetPublicURL) before the first issue.
	PublicURL string
	// Random supplies the salts of RSASSA-PSS signatures. Default: crypto/rand.
	// Keys, and whatever else Go's crypto makes, never come from it: since Go
	// 1.26 crypto/rsa and crypto/ecdsa ignore a caller's reader.
	Random io.Reader
	// Keys is the pool that keys come from. Default: a pool of the world's own.
	Keys *KeyPool
	// ListValidity is the time from thisUpdate to nextUpdate. Default: 24 hours.
	ListValidity time.Duration
	// ListOverlap is how long before nextUpdate the next issue of a list appears
	// by itself. Default: a quarter of ListValidity.
	ListOverlap time.Duration
	// DailyLists makes publication as slow as the real one: lists change only by
	// PublishCRLs or when the next issue is due, OCSP data only every 15 minutes
	// (jpki.md section 3). By default both tell the truth at once, which is what
	// somebody developing a kiosk wants to see.
	DailyLists bool
	// Partitions is how many municipalities the world has, and so how many lists each CA key publishes. Default: the
	// real ones of [Municipalities]; the country has [NationalPartitions], and up to [MaxPartitions] can be had. Those beyond the
	// real ones are invented.
	Partitions int
	// Revoked is how many revoked certificates more each list has, which nobody holds: 3,000 in each of
	// [NationalPartitions] make some ten million for every two lists of a municipality. They cost time when a list is read,
	// and no memory.
	Revoked int
	// Neighbours is how many other certificates each CA key has issued in each
	// municipality. They have serials and a status but no phone: every seventh is
	// revoked, so that no list is empty and serials are dense, as in life.
	// Default: 21, or 7 where Partitions says how many municipalities; a negative number is none.
	Neighbours int
}

const (
	defaultListValidity = 24 * time.Hour
	defaultNeighbours   = 21
	fewNeighbours       = 7
	// pastSerials are kept back for what an older generation issued before the
	// roll, so that serial order remains order of issue across generations.
	pastSerials = 20000
)

// A World is the two CAs, everything they issued, and what they publish. All
// methods may be called from any number of goroutines.
type World struct {
	clock    func() time.Time
	random   io.Reader // wrapped so that concurrent use is safe; nil means crypto/rand
	keys     *KeyPool
	validity time.Duration
	overlap  time.Duration
	daily    bool

	municipalities []Municipality

	cas    [len(authorities)]*ca
	faults *faults
	forger *forger // the impostor key that faulty answers are signed with, made when first needed

	// mu guards what follows and the mutable fields of cas, lists, records and
	// residents. It is never held while keys are made or lists are signed. Taken before Phone.mu where both are needed.
	mu        sync.RWMutex
	publicURL string
	issued    bool // a certificate carries publicURL already
	residents map[string]*resident
	devices   map[string]*Phone
	order     []*Phone // devices in the order of issue
}

// A ca is one authority with its key generations.
type ca struct {
	authority   Authority
	name        name
	generations [Generations]*generation
	nextSerial  uint64             // guarded by World.mu; THE counter, which goes on across generations
	records     map[uint64]*record // guarded by World.mu; every end-entity serial ever issued
}

// A generation is one key of a CA. Immutable but for the fields that say so.
type generation struct {
	ca        *ca
	number    int // from 1
	key       *rsa.PrivateKey
	serial    uint64
	der       []byte
	keyID     []byte // SKI, and the AKI of what it issues
	spki      []byte // the subjectPublicKey bits, for OCSP's issuerKeyHash
	notBefore time.Time
	notAfter  time.Time

	// What issued certificates say about their issuer. It is the truth except
	// in an impostor world that forges the real CA's identifiers.
	claimKeyID  []byte
	claimSerial uint64

	pastNext, pastEnd uint64           // guarded by World.mu: serials left of those kept back
	lists             map[string]*list // by municipality; the map is immutable, the lists are guarded by World.mu
	order             []*list          // the same, in the order of World.municipalities

	crowdFirst, crowdEnd, crowdStride uint64 // of the serials that crowds have; see crowd
	responder                         *responder
}

// New makes a world: keys (in parallel), CA certificates, responders, neighbours
// and the first issue of every list, which is signed when it is first read.
func New(c Config) (*World, error) {
	return newWorld(c, nil, false)
}

func newWorld(c Config, victim *World, forge bool) (*World, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Keys == nil {
		c.Keys = NewKeyPool(KeyPoolConfig{})
	}
	if c.ListValidity == 0 {
		c.ListValidity = defaultListValidity
	}
	if c.ListOverlap == 0 {
		c.ListOverlap = c.ListValidity / 4
	}
	if c.ListValidity < time.Second || c.ListOverlap < 0 || c.ListOverlap >= c.ListValidity {
		return nil, fmt.Errorf("sandbox: list validity %v with overlap %v", c.ListValidity, c.ListOverlap)
	}
	if c.Neighbours == 0 {
		if c.Neighbours = defaultNeighbours; c.Partitions != 0 {
			c.Neighbours = fewNeighbours
		}
	}
	if victim != nil {
		c.Neighbours = 0 // an impostor has no history
	}
	if c.Partitions == 0 {
		c.Partitions = len(municipalities)
	}
	if c.Partitions < len(municipalities) || c.Partitions > MaxPartitions {
		return nil, fmt.Errorf("sandbox: %d partitions, not %d to %d", c.Partitions, len(municipalities), MaxPartitions)
	}
	crowdSerials := uint64(max(c.Revoked, 0)) * uint64(c.Partitions) * perPlace
	if c.Revoked < 0 || c.Revoked > lastCrowdSerial || crowdSerials > lastCrowdSerial/8 {
		return nil, fmt.Errorf("sandbox: %d revoked in each of %d partitions", c.Revoked, c.Partitions)
	}
	w := &World{
		clock: c.Clock, keys: c.Keys, validity: c.ListValidity, overlap: c.ListOverlap, daily: c.DailyLists,
		municipalities: country()[:c.Partitions],
		faults:         newFaults(),
		residents:      make(map[string]*resident), devices: make(map[string]*Phone),
	}
	w.forger = &forger{keys: c.Keys}
	if c.Random != nil {
		w.random = &lockedReader{r: c.Random}
	}
	if c.PublicURL != "" {
		if err := w.SetPublicURL(c.PublicURL); err != nil {
			return nil, err
		}
	}

	// One key for each CA generation and one for each responder.
	const n = 2 * len(authorities) * Generations
	c.Keys.Prepare(n)
	var keys [n]*rsa.PrivateKey
	makers := make([]func() error, n)
	for i := range makers {
		makers[i] = func() (err error) { keys[i], err = c.Keys.fresh(); return err }
	}
	if err := together(makers...); err != nil {
		return nil, fmt.Errorf("sandbox: CA keys: %w", err)
	}
	for i, a := range authorities {
		k := keys[2*Generations*i:]
		var err error
		if w.cas[a], err = w.found(a, k[:Generations], k[Generations:2*Generations], max(c.Neighbours, 0), c.Revoked, victim, forge); err != nil {
			return nil, err
		}
	}
	w.PublishCRLs()
	return w, nil
}

// found makes one authority: its keys' certificates in the order in which their
// serials were drawn, the neighbours, and the lists still to be published.
func (w *World) found(a Authority, keys, responderKeys []*rsa.PrivateKey, neighbours, crowded int, victim *World, forge bool) (*ca, error) {
	now := w.clock().UTC().Truncate(time.Second)
	c := &ca{authority: a, name: authorityName(a), records: make(map[uint64]*record)}
	// About where the real counters stand (jpki.md section 2, inferred); the two
	// CAs apart, so that a serial mixed up between them is noticed.
	c.nextSerial = 160_000_001
	crowdSerials := uint64(crowded) * uint64(len(w.municipalities)) * perPlace
	if a == Auth {
		c.nextSerial += 10_000_000 + Generations*crowdSerials
	}
	if victim != nil {
		// Far from the victim's own serials, so that an impostor's certificate is
		// found out by its signature and not by a status that happens to be revoked.
		victim.mu.RLock()
		c.nextSerial = victim.cas[a].nextSerial + 1_000_000
		victim.mu.RUnlock()
	}
	for i := range Generations {
		g := &generation{ca: c, number: i + 1, key: keys[i]}
		// A key rolls about every four years and its certificate lives ten
		// (jpki.md section 1): generation 1 began six years ago, 2 two years ago.
		g.notBefore = now.AddDate(-6+4*i, 0, 0)
		g.notAfter = endOfDayJST(g.notBefore.AddDate(10, 0, 0))
		g.serial = c.draw()
		g.spki = rsaPublicKeyBits(&g.key.PublicKey)
		g.keyID = sha1Sum(g.spki)
		g.claimKeyID, g.claimSerial = g.keyID, g.serial
		if forge {
			v := victim.cas[a].generations[i]
			g.claimKeyID, g.claimSerial = v.keyID, v.serial
		}
		var err error
		if g.der, err = g.selfSigned(); err != nil {
			return nil, fmt.Errorf("sandbox: CA certificate %v generation %d: %w", a, g.number, err)
		}
		c.generations[i] = g
		if g.responder, err = g.newResponder(responderKeys[i], c.draw()); err != nil {
			return nil, fmt.Errorf("sandbox: responder %v generation %d: %w", a, g.number, err)
		}
		g.lists = make(map[string]*list, len(w.municipalities))
		g.crowdFirst, g.crowdEnd = c.nextSerial, c.nextSerial+crowdSerials
		g.crowdStride = uint64(len(w.municipalities)) * perPlace
		c.nextSerial = g.crowdEnd
		for place, m := range w.municipalities {
			l := newList(g, m)
			l.crowd = crowd{first: g.crowdFirst, stride: g.crowdStride, place: uint64(place), rounds: crowded, before: crowdTime(now)}
			g.lists[m.Code], g.order = l, append(g.order, l)
		}
		g.settle(neighbours, now)
		if i < Generations-1 {
			g.pastNext, g.pastEnd = c.nextSerial, c.nextSerial+pastSerials
			c.nextSerial += pastSerials
		}
	}
	return c, nil
}

// draw takes the next serial: dense and strictly increasing (jpki.md section 2).
func (c *ca) draw() uint64 {
	s := c.nextSerial
	c.nextSerial++
	return s
}

// settle registers the neighbours, round the municipalities as registration
// would come in. Their reasons run through the CPS's table.
func (g *generation) settle(n int, now time.Time) {
	reasons := [...]Reason{Superseded, AffiliationChanged, CertificateHold, CessationOfOperation, KeyCompromise, Unspecified}
	revoked := 0
	for i := range n {
		for _, l := range g.order {
			r := &record{
				serial: g.ca.draw(), generation: g, municipality: l.id.Municipality,
				notAfter: endOfDayJST(now.AddDate(1, i%12, 0)),
				history:  []State{{Status: Good, Since: g.notBefore.AddDate(0, 0, i+1)}},
			}
			g.ca.records[r.serial] = r
			if i%7 == 3 {
				reason := reasons[revoked%len(reasons)]
				revoked++
				r.set(statusFor(reason), reason, now.AddDate(0, -1, -i))
				l.note(r)
			}
		}
	}
}

// record is the register's entry of a serial. The caller holds World.mu.
func (c *ca) record(serial uint64) (*record, bool) {
	if r, ok := c.records[serial]; ok {
		return r, true
	}
	for _, g := range c.generations {
		if r, ok := g.crowdRecord(serial); ok {
			return r, true
		}
	}
	return nil, false
}

// SetPublicURL tells the world where its handler is reached. It is refused once
// a certificate carries another URL.
func (w *World) SetPublicURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("sandbox: %w: %w", ErrPublicURL, err)
	}
	// The profile has an http:// OCSP address (jpki.md section 2); OCSP answers
	// are signed, so plain HTTP is right and TLS would only hide mistakes.
	if u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("sandbox: %w: %q is not http://host[:port][/path]", ErrPublicURL, raw)
	}
	s := strings.TrimSuffix(u.String(), "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.issued && w.publicURL != s {
		return fmt.Errorf("sandbox: %w: certificates already say %s", ErrPublicURL, w.publicURL)
	}
	w.publicURL = s
	return nil
}

// PublicURL is where the world says it is served; empty if it was not told.
func (w *World) PublicURL() string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.publicURL
}

// Now is the world's time.
func (w *World) Now() time.Time { return w.clock().UTC() }

// An Anchor is one CA certificate.
type Anchor struct {
	Authority  Authority
	Generation int
	DER        []byte
	KeyID      []byte // its subjectKeyIdentifier
}

// Anchors lists the CA certificates, all generations.
func (w *World) Anchors() []Anchor {
	var as []Anchor
	for _, c := range w.cas {
		for _, g := range c.generations {
			as = append(as, Anchor{c.authority, g.number, append([]byte(nil), g.der...), append([]byte(nil), g.claimKeyID...)})
		}
	}
	return as
}

// A ListID names one list.
type ListID struct {
	Authority    Authority
	Generation   int
	Municipality string // code
}

// Path is where the handler serves the list, such as /crl/auth/g2/08220.crl.
func (id ListID) Path() string {
	return fmt.Sprintf("/crl/%v/g%d/%s.crl", id.Authority, id.Generation, id.Municipality)
}

// A ListSource is what a verifier must know to fetch one list.
type ListSource struct {
	ListID
	KeyID        []byte // of the key that signs it
	Partition    string // the distribution point's directoryName, RFC 4514 form (last RDN first)
	PartitionDER []byte // the same, the DER of the Name
	URL          string // only a path while the world has no PublicURL
}

// An OCSPSource is where one CA key's responder answers.
type OCSPSource struct {
	Authority  Authority
	Generation int
	KeyID      []byte
	URL        string
}

// Sources is everything the world publishes.
type Sources struct {
	Lists []ListSource
	OCSP  []OCSPSource
}

// Sources lists every published list and every responder.
func (w *World) Sources() Sources {
	base := w.PublicURL()
	var s Sources
	for _, c := range w.cas {
		for _, g := range c.generations {
			for _, l := range g.order {
				s.Lists = append(s.Lists, ListSource{
					ListID: l.id, KeyID: append([]byte(nil), g.keyID...),
					Partition: l.point.String(), PartitionDER: l.point.der(), URL: base + l.id.Path(),
				})
			}
			s.OCSP = append(s.OCSP, OCSPSource{c.authority, g.number, append([]byte(nil), g.keyID...), base + g.ocspPath()})
		}
	}
	return s
}

func (g *generation) tag() string { return fmt.Sprintf("g%d", g.number) }

func (g *generation) ocspPath() string {
	return fmt.Sprintf("/ocsp/%v/%s", g.ca.authority, g.tag())
}

// generation finds a key by authority and number.
func (w *World) generation(a Authority, number int) (*generation, bool) {
	if a < Sign || a > Auth || number < 1 || number > Generations {
		return nil, false
	}
	return w.cas[a].generations[number-1], true
}

// endOfDayJST is 23:59:59 JST of t's day, which is 14:59:59Z (jpki.md section 1).
func endOfDayJST(t time.Time) time.Time {
	y, m, d := t.In(jst).Date()
	return time.Date(y, m, d, 23, 59, 59, 0, jst).UTC()
}

// A lockedReader lets phones in several goroutines share the caller's reader.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader // guarded by mu
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}
