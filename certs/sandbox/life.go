package sandbox

import (
	"strings"
	"time"
	"unicode/utf8"
)

// The life of a smartphone certificate (jpki.md section 5), as operations on the
// world. They take the device as the person does: a replaced device, another
// world's device or a [Phone.Keep] copy is refused.

// changeLocked moves a certificate to a state and tells its list. The caller holds w.mu.
func (w *World) changeLocked(r *record, s Status, reason Reason) {
	r.set(s, reason, w.clock().UTC().Truncate(time.Second))
	if l, ok := r.generation.lists[r.municipality]; ok { // none for the unpublished municipality
		l.note(r)
	}
}

// endLocked revokes what is not revoked yet and reports whether it did. The caller holds w.mu.
func (w *World) endLocked(p *Phone, a Authority, reason Reason) bool {
	if p == nil {
		return false
	}
	r := w.recordLocked(p, a)
	if r.now().Status == Revoked || w.expiredLocked(r) {
		return false
	}
	w.changeLocked(r, Revoked, reason)
	return true
}

func (w *World) expiredLocked(r *record) bool { return w.clock().After(r.notAfter) }

// ownerLocked finds the holder whose current device p is. The caller holds w.mu.
func (w *World) ownerLocked(p *Phone) (*resident, error) {
	if p == nil || p.world != w {
		return nil, ErrForeign
	}
	r := w.residents[p.Holder().ID]
	if r == nil || (r.phone != p && r.card != p) {
		return nil, ErrReplaced
	}
	if r.busy {
		return nil, ErrBusy
	}
	return r, nil
}

// operate runs f for the device's owner under w.mu.
func (w *World) operate(op string, p *Phone, f func(*resident) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, err := w.ownerLocked(p)
	if err == nil {
		err = f(r)
	}
	if err != nil {
		return refuse(op, idOf(p), err)
	}
	return nil
}

func idOf(p *Phone) string {
	if p == nil {
		return "(no device)"
	}
	return p.id
}

// ReportLost is the call to 0120-95-0178: whatever is good is held, at once.
func (w *World) ReportLost(p *Phone) error {
	return w.operate("report lost", p, func(*resident) error {
		held, done := false, false
		for _, a := range authorities {
			switch r := w.recordLocked(p, a); {
			case w.expiredLocked(r):
			case r.now().Status == Good:
				w.changeLocked(r, Held, CertificateHold)
				done = true
			case r.now().Status == Held:
				held = true
			}
		}
		switch {
		case done:
			return nil
		case held:
			return ErrHeld
		}
		return ErrEnded
	})
}

// LiftStop is what the holder does in the app when the phone is found. The auth
// certificate revives: its entry vanishes from the next list. A held sign
// certificate is never released (jpki.md section 3): it ends as superseded,
// because the new one issued here on the same phone takes its place. A sign
// certificate that had ended before the stop is not replaced (see [World.ApplySign]).
func (w *World) LiftStop(p *Phone) error {
	const op = "lift stop"
	liftable := func() error {
		if p.card {
			return ErrNotReleasable
		}
		switch r := w.recordLocked(p, Auth); {
		case w.expiredLocked(r), r.now().Status == Revoked:
			return ErrEnded
		case r.now().Status == Good:
			return ErrNotHeld
		}
		return nil
	}
	return w.reissueSign(op, p, func() (bool, error) {
		if err := liftable(); err != nil {
			return false, err
		}
		r := w.recordLocked(p, Sign)
		return r.now().Status == Held && !w.expiredLocked(r), nil
	}, func() {
		w.changeLocked(w.recordLocked(p, Auth), Good, Unspecified)
		w.endLocked(p, Sign, Superseded)
	})
}

// ApplySign applies for a new sign certificate on the same device after the old
// one has ended (a move, a change of name, revoked alone). It describes the
// holder as the register has them now and names their present municipality's
// partition.
func (w *World) ApplySign(p *Phone) error {
	return w.reissueSign("apply for sign", p, func() (bool, error) {
		switch auth := w.recordLocked(p, Auth); {
		case auth.now().Status == Held:
			return false, ErrHeld
		case auth.now().Status == Revoked, w.expiredLocked(auth):
			return false, ErrEnded // both gone: that is StartAgain
		}
		if r := w.recordLocked(p, Sign); r.now().Status != Revoked && !w.expiredLocked(r) {
			return false, ErrStillLive
		}
		return true, nil
	}, func() {})
}

// reissueSign is the frame of the two operations that put a new sign certificate
// on a device: check under the lock, make the key without it (the owner marked
// busy, so that nothing else happens to them meanwhile), finish under the lock.
func (w *World) reissueSign(op string, p *Phone, check func() (needed bool, err error), finish func()) error {
	var owner *resident
	var needed bool
	if err := w.operate(op, p, func(r *resident) (err error) {
		if needed, err = check(); err != nil {
			return err
		}
		if !needed {
			finish()
			return nil
		}
		owner, r.busy = r, true
		return nil
	}); err != nil || !needed {
		return err
	}
	defer w.leave(owner)
	w.mu.RLock()
	h := owner.holder
	w.mu.RUnlock()
	c, err := w.newCredential(Sign, h, owner, p.card, IssueOptions{Key: p.keyType})
	if err != nil {
		return refuse(op, p.id, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	finish()
	p.replace(c, h)
	return nil
}

// Revoke is 失効 in the app: choose certificates (none named: both), give the
// signing password. It counts wrong passwords like any use of it. The reason is
// cessationOfOperation, "no longer wanted". A card's revocation ends the
// phone's certificates with it (jpki.md section 3).
func (w *World) Revoke(p *Phone, password string, which ...Authority) error {
	if len(which) == 0 {
		which = authorities[:]
	}
	return w.operate("revoke", p, func(r *resident) error {
		if _, err := p.unlockSign(password); err != nil {
			return err
		}
		done := false
		for _, a := range which {
			if a < Sign || a > Auth {
				continue
			}
			done = w.endLocked(p, a, CessationOfOperation) || done
			if p.card {
				w.endLocked(r.phone, a, CessationOfOperation)
			}
		}
		if !done {
			return ErrEnded
		}
		return nil
	})
}

// Expire lets the years pass for one device, which nobody who develops a kiosk can wait for: it holds a pair
// then whose validity ended on the holder's last birthday that is over. The pair that it had ends as
// superseded, because in the register the new one has taken its place.
func (w *World) Expire(p *Phone) error {
	const op = "expire"
	var owner *resident
	if err := w.operate(op, p, func(r *resident) error {
		for _, a := range authorities {
			if rec := w.recordLocked(p, a); rec.now().Status != Revoked && !w.expiredLocked(rec) {
				owner, r.busy = r, true
				return nil
			}
		}
		return ErrEnded
	}); err != nil {
		return err
	}
	defer w.leave(owner)
	h := p.Holder()
	var pair [len(authorities)]*credential
	issue := func(a Authority) func() error {
		return func() (err error) {
			pair[a], err = w.newCredential(a, h, owner, p.card, IssueOptions{Key: p.keyType, Expired: true})
			return err
		}
	}
	if err := together(issue(Sign), issue(Auth)); err != nil {
		return refuse(op, p.id, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range authorities {
		w.endLocked(p, a, Superseded)
		p.replace(pair[a], h)
	}
	return nil
}

// ChangeDevice enrols a new phone, which ends the old pair by itself, held or
// not. The reason is superseded ("renewed", CPS 4.9.9): the holder does not
// renounce the service (that would be cessationOfOperation) and nothing recorded
// about them changed (affiliationChanged); new certificates take the old ones'
// place.
func (w *World) ChangeDevice(p *Phone, o IssueOptions) (*Phone, error) {
	const op = "change device"
	return w.succeed(op, p, o, func() error {
		if !w.livingLocked(p) {
			return ErrEnded
		}
		return nil
	}, func() {
		for _, a := range authorities {
			w.endLocked(p, a, Superseded)
		}
	})
}

// StartAgain is a new application after everything ended (revoked in the app,
// card renewed, expired): a new pair, new serials, usually on the same handset.
func (w *World) StartAgain(p *Phone, o IssueOptions) (*Phone, error) {
	return w.succeed("start again", p, o, func() error {
		if w.livingLocked(p) {
			return ErrStillLive
		}
		return nil
	}, func() {})
}

// succeed issues the next phone of p's holder. check runs before the keys are
// made and again, with finish, when they are.
func (w *World) succeed(op string, p *Phone, o IssueOptions, check func() error, finish func()) (*Phone, error) {
	var h Holder
	if err := w.operate(op, p, func(r *resident) error {
		if p.card {
			return ErrNotPhone
		}
		h = r.holder // whose id finds the entry again
		return check()
	}); err != nil {
		return nil, err
	}
	return w.apply(op+" of", h, o, false, func(r *resident) error {
		if r.phone != p {
			return ErrReplaced
		}
		if err := check(); err != nil {
			return err
		}
		finish()
		return nil
	})
}

// MoveHouse: J-LIS learns from the resident register. The sign certificates of
// phone and card are revoked with affiliationChanged, for they carry the old
// address; the auth ones stay, in the partition of the municipality that issued
// them (jpki.md sections 3 and 5). With address empty one is invented.
func (w *World) MoveHouse(p *Phone, code, address string) error {
	return w.operate("move house", p, func(r *resident) error {
		m, ok := w.municipality(code)
		if !ok {
			return ErrMunicipality
		}
		if address == "" {
			address = m.Prefecture + m.Name + "架空新町一丁目１番１号"
		}
		h := r.holder
		h.Municipality, h.Address, h.AddressMarks = m.Code, address, marksFor(address, 0)
		return w.recordChangedLocked(r, h)
	})
}

// ChangeName is a change of name in the register. marks may be empty: no
// character was substituted.
func (w *World) ChangeName(p *Phone, name, marks string) error {
	return w.operate("change name", p, func(r *resident) error {
		h := r.holder
		if marks == "" {
			marks = strings.Repeat("0", utf8.RuneCountInString(name))
		}
		h.Name, h.NameMarks, h.Registered = name, marks, name
		return w.recordChangedLocked(r, h)
	})
}

// recordChangedLocked: something that sign certificates say is no longer true.
func (w *World) recordChangedLocked(r *resident, h Holder) error {
	if err := h.check(); err != nil {
		return err
	}
	r.holder = h
	w.endLocked(r.phone, Sign, AffiliationChanged)
	w.endLocked(r.card, Sign, AffiliationChanged)
	return nil
}

// RenewCard: the card's certificates are renewed, and the phone's end with them;
// the holder applies again ([World.StartAgain], [World.IssueCard]). Both pairs
// end as superseded. p is the phone or the card. What is issued from now on ends
// on the fifth birthday after the renewal.
func (w *World) RenewCard(p *Phone) error {
	return w.operate("renew card of", p, func(r *resident) error {
		done := false
		for _, d := range []*Phone{r.phone, r.card} {
			for _, a := range authorities {
				done = w.endLocked(d, a, Superseded) || done
			}
		}
		if !done {
			return ErrEnded
		}
		r.cardIssued = w.clock().UTC()
		return nil
	})
}

// Register is what the resident register says of the device's holder now, which
// after a move is not what the certificates say.
func (w *World) Register(p *Phone) (Holder, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if p == nil || p.world != w {
		return Holder{}, refuse("look up", idOf(p), ErrForeign)
	}
	r, ok := w.residents[p.Holder().ID]
	if !ok {
		return Holder{}, refuse("look up", p.id, ErrForeign)
	}
	return r.holder, nil
}
