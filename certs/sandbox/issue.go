package sandbox

import (
	"fmt"
	"time"
)

// IssueOptions says how a device is issued. The zero value is what nearly
// everybody has: RSA-2048, the current key generation, the default secrets.
type IssueOptions struct {
	PIN      string // default DefaultPIN
	Password string // default DefaultPassword
	Key      KeyType
	// Generation of the CA key; 0 is the current one. An older generation issues
	// into its past: notBefore lies before the roll and the serial is one of that time.
	Generation int
	// Municipality overrides the holder's as the issuing one, such as
	// UnpublishedMunicipality.
	Municipality string
	// Expired issues certificates whose validity ended on the holder's last
	// birthday that is over. They come from generation 1 unless Generation says otherwise.
	Expired bool
	// NotBefore and NotAfter override the profile's validity where not zero, to
	// the second: for certificates that end soon or begin later.
	NotBefore, NotAfter time.Time
}

// A resident is a holder as the register has them now. Guarded by World.mu.
type resident struct {
	holder Holder
	// cardIssued decides when certificates end: on the fifth birthday after it.
	cardIssued time.Time
	phone      *Phone
	card       *Phone
	busy       bool // an application is being worked on (keys are being made)
}

// Issue gives a holder a phone with a new MOBILE_SIGN and MOBILE_AUTH pair. A
// holder has one device: while the old one's certificates live (held ones too)
// it is [ErrHasDevice].
func (w *World) Issue(h Holder, o IssueOptions) (*Phone, error) {
	return w.apply("issue phone for", h, o, false, nil)
}

// IssueCard gives a holder the My Number card with a CARD_SIGN and CARD_AUTH
// pair. Phones can be issued without: the sandbox does not ask to see the card.
func (w *World) IssueCard(h Holder, o IssueOptions) (*Phone, error) {
	return w.apply("issue card for", h, o, true, nil)
}

// apply issues a device. takeOver, when given, runs under w.mu once everything
// else is ready, right before the new device becomes the holder's: it may refuse, or end the old one.
func (w *World) apply(op string, h Holder, o IssueOptions, card bool, takeOver func(*resident) error) (*Phone, error) {
	p, err := w.applyChecked(op, h, o, card, takeOver)
	if err != nil {
		return nil, refuse(op, h.ID, err)
	}
	return p, nil
}

func (w *World) applyChecked(op string, h Holder, o IssueOptions, card bool, takeOver func(*resident) error) (*Phone, error) {
	if o.PIN == "" {
		o.PIN = DefaultPIN
	}
	if o.Password == "" {
		o.Password = DefaultPassword
	}
	if !isPIN(o.PIN) {
		return nil, ErrPINFormat
	}
	if !isPassword(o.Password) {
		return nil, ErrPasswordFormat
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	r, err := w.enter(h)
	if err != nil {
		return nil, err
	}
	defer w.leave(r)
	if takeOver != nil {
		// The next device of a known holder: as the register has them now.
		w.mu.RLock()
		h = r.holder
		w.mu.RUnlock()
	} else {
		takeOver = func(r *resident) error {
			old := r.phone
			if card {
				old = r.card
			}
			if old != nil && w.livingLocked(old) {
				return ErrHasDevice
			}
			return nil
		}
		// Ask before the expensive part too; it is asked again at the end.
		w.mu.RLock()
		err := takeOver(r)
		w.mu.RUnlock()
		if err != nil {
			return nil, err
		}
	}
	p := &Phone{
		world: w, card: card, random: w.random, keyType: o.Key, holder: h,
		pin:      secret{value: o.PIN, tries: pinTries},
		password: secret{value: o.Password, tries: passwordTries},
	}
	if err := together(
		func() (err error) { p.current[Sign], err = w.newCredential(Sign, h, r, card, o); return err },
		func() (err error) { p.current[Auth], err = w.newCredential(Auth, h, r, card, o); return err },
	); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := takeOver(r); err != nil {
		for _, c := range p.current {
			w.destroyLocked(c)
		}
		return nil, err
	}
	r.holder = h
	what := "phone"
	if card {
		what, r.card = "card", p
	} else {
		r.phone = p
	}
	p.id = fmt.Sprintf("%s-%d", what, len(w.order)+1)
	w.devices[p.id] = p
	w.order = append(w.order, p)
	return p, nil
}

// enter finds or makes the holder's entry and marks it busy, so that two
// applications for one person cannot overlap while keys are being made.
func (w *World) enter(h Holder) (*resident, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.publicURL == "" {
		return nil, ErrNoPublicURL
	}
	w.issued = true
	r, ok := w.residents[h.ID]
	if !ok {
		now := w.clock().UTC()
		// Cards are of different ages: up to some twenty months, spread by the
		// holder's id so that it is the same in every run.
		age := 0
		for _, c := range h.ID {
			age = (age*31 + int(c)) % 600
		}
		r = &resident{holder: h, cardIssued: now.AddDate(0, 0, -age)}
		w.residents[h.ID] = r
	}
	if r.busy {
		return nil, ErrBusy
	}
	r.busy = true
	return r, nil
}

func (w *World) leave(r *resident) {
	w.mu.Lock()
	r.busy = false
	w.mu.Unlock()
}

// livingLocked: some certificate of the device is neither revoked nor expired. The caller holds w.mu.
func (w *World) livingLocked(p *Phone) bool {
	for _, a := range authorities {
		if r := w.recordLocked(p, a); r.now().Status != Revoked && w.clock().Before(r.notAfter) {
			return true
		}
	}
	return false
}

// recordLocked is the register's entry of the device's present certificate. The caller holds w.mu.
func (w *World) recordLocked(p *Phone, a Authority) *record {
	return w.cas[a].records[p.credential(a).cert.Serial]
}

// newCredential makes a key and a certificate for it. Only the drawing of the
// serial needs the lock; key and signature, the slow parts, do not.
func (w *World) newCredential(a Authority, h Holder, r *resident, card bool, o IssueOptions) (*credential, error) {
	if o.Municipality == "" {
		o.Municipality = h.Municipality
	}
	m, ok := w.municipality(o.Municipality)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrMunicipality, o.Municipality)
	}
	if o.Generation == 0 {
		o.Generation = Generations
		if o.Expired {
			o.Generation = 1
		}
	}
	g, ok := w.generation(a, o.Generation)
	if !ok {
		return nil, fmt.Errorf("%w: generation %d", ErrGeneration, o.Generation)
	}
	if o.Key < RSA2048 || o.Key > P384 {
		return nil, fmt.Errorf("%w: %v", ErrAlgorithm, o.Key)
	}
	w.mu.RLock()
	notBefore, notAfter := w.validityLocked(g, h, r.cardIssued, o)
	w.mu.RUnlock()
	if !notBefore.Before(notAfter) {
		return nil, fmt.Errorf("%w: %s to %s", ErrValidity, notBefore.Format(time.RFC3339), notAfter.Format(time.RFC3339))
	}
	key, err := w.keys.newKey(o.Key)
	if err != nil {
		return nil, err
	}

	w.mu.Lock()
	serial, err := g.drawEndEntity()
	if err != nil {
		w.mu.Unlock()
		return nil, err
	}
	rec := &record{
		serial: serial, generation: g, municipality: m.Code, notAfter: notAfter,
		history: []State{{Status: Good, Since: notBefore}},
	}
	g.ca.records[serial] = rec
	base := w.publicURL
	w.mu.Unlock()

	kind := kindOf(a, card)
	der, err := g.endEntity(kind, h, m, key.Public(), serial, notBefore, notAfter, base)
	if err != nil {
		return nil, err
	}
	return &credential{key: key, cert: Certificate{
		DER: der, Kind: kind, Authority: a, Generation: g.number, Serial: serial, Municipality: m.Code,
		Partition: partitionName(a, m).String(), NotBefore: notBefore, NotAfter: notAfter,
	}}, nil
}

// destroyLocked ends a certificate that never reached its holder: destroyed
// before hand-over, which the CPS calls unspecified. The caller holds w.mu.
func (w *World) destroyLocked(c *credential) {
	w.changeLocked(w.cas[c.cert.Authority].records[c.cert.Serial], Revoked, Unspecified)
}

// drawEndEntity takes the next serial, for a closed generation one of those
// kept back for it. The caller holds World.mu.
func (g *generation) drawEndEntity() (uint64, error) {
	if g.number == Generations {
		return g.ca.draw(), nil
	}
	if g.pastNext == g.pastEnd {
		return 0, fmt.Errorf("%w: generation %d has no serial left", ErrGeneration, g.number)
	}
	g.pastNext++
	return g.pastNext - 1, nil
}

// validityLocked: a phone's certificates end when the card's do, on the fifth
// birthday after the card's issue (jpki.md section 2). The caller holds w.mu.
func (w *World) validityLocked(g *generation, h Holder, cardIssued time.Time, o IssueOptions) (notBefore, notAfter time.Time) {
	notBefore = w.clock().UTC().Truncate(time.Second)
	switch {
	case o.Expired:
		// The last birthday that is over is the fifth after a card's issue; the
		// phone's pair was issued three months after the card.
		for back := 1; ; back++ {
			cardIssued = w.clock().UTC().AddDate(-back, 0, 0).AddDate(-4, 0, 0)
			if notAfter = fifthBirthday(h.Birth, cardIssued); notAfter.Before(w.clock()) {
				break
			}
		}
		notBefore = cardIssued.AddDate(0, 3, 0)
		if notBefore.Before(g.notBefore) {
			notBefore = g.notBefore.AddDate(0, 0, 1)
		}
	case g.number < Generations:
		// A month before the roll, on a card that was half a year old by then.
		notBefore = w.cas[g.ca.authority].generations[g.number].notBefore.AddDate(0, -1, 0)
		notAfter = fifthBirthday(h.Birth, notBefore.AddDate(0, -6, 0))
	default:
		notAfter = fifthBirthday(h.Birth, cardIssued)
	}
	if !o.NotBefore.IsZero() {
		notBefore = o.NotBefore.UTC().Truncate(time.Second)
	}
	if !o.NotAfter.IsZero() {
		notAfter = o.NotAfter.UTC().Truncate(time.Second)
	}
	return notBefore, notAfter
}

// Devices lists every phone and card in the order of issue, replaced ones too.
func (w *World) Devices() []*Phone {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return append([]*Phone(nil), w.order...)
}

// Device finds a phone or card by its id.
func (w *World) Device(id string) (*Phone, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	p, ok := w.devices[id]
	return p, ok
}
