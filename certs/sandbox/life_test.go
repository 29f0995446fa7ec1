package sandbox

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

func TestHoldAndLift(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	sign, auth := p.Certificate(Sign), p.Certificate(Auth)
	f.expect(t, "new sign", sign, Good, 0)
	f.expect(t, "new auth", auth, Good, 0)

	if err := f.LiftStop(p); !errors.Is(err, ErrNotHeld) {
		t.Errorf("lift of a good phone: %v", err)
	}
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	held := f.clock.now()
	f.expect(t, "held sign", sign, Held, CertificateHold)
	f.expect(t, "held auth", auth, Held, CertificateHold)
	if err := f.ReportLost(p); !errors.Is(err, ErrHeld) {
		t.Errorf("second report: %v", err)
	}
	if err := f.ApplySign(p); !errors.Is(err, ErrHeld) {
		t.Errorf("apply while held: %v", err)
	}
	if _, err := f.StartAgain(p, IssueOptions{}); !errors.Is(err, ErrStillLive) {
		t.Errorf("start again while held: %v", err)
	}
	if _, err := f.Issue(p.Holder(), IssueOptions{}); !errors.Is(err, ErrHasDevice) {
		t.Errorf("second phone beside a held one: %v", err)
	}

	f.clock.advance(time.Hour)
	copyOfOld := p.Keep()
	if err := f.LiftStop(p); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "lifted auth", auth, Good, 0)
	f.expect(t, "ended sign", sign, Revoked, Superseded)
	f.expect(t, "reissued sign", p.Certificate(Sign), Good, 0)
	if got := p.Certificate(Auth).Serial; got != auth.Serial {
		t.Error("lifting changed the auth certificate")
	}
	if got := p.Certificate(Sign).Serial; got <= sign.Serial {
		t.Errorf("reissued sign has serial %d, not after %d", got, sign.Serial)
	}
	if past := p.Past(); len(past) != 1 || past[0].Serial != sign.Serial {
		t.Errorf("past = %v", past)
	}
	// The date of an ended hold remains the date of the hold.
	if s, _ := f.Status(Sign, sign.Serial); !s.Date.Equal(held) || !s.Since.Equal(f.clock.now()) {
		t.Errorf("ended hold: date %v since %v", s.Date, s.Since)
	}
	// A kept copy still signs with the ended key, and no operation takes it.
	if copyOfOld.Certificate(Sign).Serial != sign.Serial {
		t.Error("the kept copy changed")
	}
	if err := f.ReportLost(copyOfOld); !errors.Is(err, ErrReplaced) {
		t.Errorf("operation on a kept copy: %v", err)
	}
}

func TestLostAndNotFound(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(p, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	for _, a := range authorities {
		f.expect(t, "lost "+a.String(), p.Certificate(a), Revoked, CessationOfOperation)
	}
	if err := f.LiftStop(p); !errors.Is(err, ErrEnded) {
		t.Errorf("lift after revocation: %v", err)
	}
}

func TestCardHoldIsNeverReleased(t *testing.T) {
	f := theWorld(t)
	card, err := f.IssueCard(someone(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ReportLost(card); err != nil {
		t.Fatal(err)
	}
	if err := f.LiftStop(card); !errors.Is(err, ErrNotReleasable) {
		t.Errorf("got %v", err)
	}
	f.expect(t, "card", card.Certificate(Auth), Held, CertificateHold)
	if _, err := f.ChangeDevice(card, IssueOptions{}); !errors.Is(err, ErrNotPhone) {
		t.Errorf("got %v", err)
	}
}

func TestRevokeInTheApp(t *testing.T) {
	f := theWorld(t)
	p := f.phone(t, IssueOptions{})
	if err := f.Revoke(p, "WRONG12345"); !errors.Is(err, ErrWrongSecret) {
		t.Errorf("wrong password: %v", err)
	}
	f.expect(t, "after a wrong password", p.Certificate(Sign), Good, 0)
	if err := f.Revoke(p, DefaultPassword, Sign); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "chosen", p.Certificate(Sign), Revoked, CessationOfOperation)
	f.expect(t, "not chosen", p.Certificate(Auth), Good, 0)
	if err := f.Revoke(p, DefaultPassword, Sign); !errors.Is(err, ErrEnded) {
		t.Errorf("again: %v", err)
	}
	if err := f.ApplySign(p); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "applied for", p.Certificate(Sign), Good, 0)
	if err := f.Revoke(p, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	if err := f.ApplySign(p); !errors.Is(err, ErrEnded) {
		t.Errorf("apply with nothing left: %v", err)
	}
	again, err := f.StartAgain(p, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range authorities {
		f.expect(t, "again "+a.String(), again.Certificate(a), Good, 0)
		if again.Certificate(a).Serial <= p.Certificate(a).Serial {
			t.Error("start again: the serial did not go on")
		}
	}
	if err := f.ReportLost(p); !errors.Is(err, ErrReplaced) {
		t.Errorf("report of a replaced phone: %v", err)
	}
	// A locked password cannot revoke: that is what the telephone line is for.
	for range passwordTries {
		err = f.Revoke(again, "WRONG12345")
	}
	if !errors.Is(err, ErrLocked) {
		t.Errorf("fifth wrong password: %v", err)
	}
	if err := f.Revoke(again, DefaultPassword); !errors.Is(err, ErrLocked) {
		t.Errorf("right password after the lock: %v", err)
	}
}

func TestChangeDevice(t *testing.T) {
	f := theWorld(t)
	old := f.phone(t, IssueOptions{Generation: 1})
	if _, err := f.Issue(old.Holder(), IssueOptions{}); !errors.Is(err, ErrHasDevice) {
		t.Errorf("second phone: %v", err)
	}
	p, err := f.ChangeDevice(old, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range authorities {
		f.expect(t, "old "+a.String(), old.Certificate(a), Revoked, Superseded)
		f.expect(t, "new "+a.String(), p.Certificate(a), Good, 0)
		if o, n := old.Certificate(a), p.Certificate(a); o.Generation != 1 || n.Generation != 2 || o.Serial >= n.Serial {
			t.Errorf("%v: g%d %d, then g%d %d", a, o.Generation, o.Serial, n.Generation, n.Serial)
		}
	}
	if _, err := f.ChangeDevice(old, IssueOptions{}); !errors.Is(err, ErrReplaced) {
		t.Errorf("change of a replaced phone: %v", err)
	}
	if err := f.Revoke(p, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ChangeDevice(p, IssueOptions{}); !errors.Is(err, ErrEnded) {
		t.Errorf("change of an ended phone: %v", err)
	}
}

func TestMoveHouse(t *testing.T) {
	f := theWorld(t)
	h := someone()
	h.Municipality = "08220"
	p, err := f.Issue(h, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	card, err := f.IssueCard(h, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sign, auth := p.Certificate(Sign), p.Certificate(Auth)
	if err := f.MoveHouse(p, "00000", ""); !errors.Is(err, ErrMunicipality) {
		t.Errorf("move to nowhere: %v", err)
	}
	if err := f.ApplySign(p); !errors.Is(err, ErrStillLive) {
		t.Errorf("apply too early: %v", err)
	}
	if err := f.MoveHouse(p, "47201", ""); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "phone sign", sign, Revoked, AffiliationChanged)
	f.expect(t, "card sign", card.Certificate(Sign), Revoked, AffiliationChanged)
	f.expect(t, "phone auth", auth, Good, 0)
	f.expect(t, "card auth", card.Certificate(Auth), Good, 0)
	if r, err := f.Register(p); err != nil || r.Municipality != "47201" || p.Holder().Municipality != "08220" {
		t.Errorf("register %q, certificate %q, %v", r.Municipality, p.Holder().Municipality, err)
	}
	if err := f.ApplySign(p); err != nil {
		t.Fatal(err)
	}
	if got := p.Certificate(Sign); got.Municipality != "47201" {
		t.Errorf("new sign certificate of %s", got.Municipality)
	}
	if got := p.Certificate(Auth); got.Municipality != "08220" || got.Serial != auth.Serial {
		t.Errorf("auth certificate left its partition: %s", got.Municipality)
	}
	f.expect(t, "new sign", p.Certificate(Sign), Good, 0)
	if err := f.ChangeName(p, "新砂場　花子", ""); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "sign after the name changed", p.Certificate(Sign), Revoked, AffiliationChanged)
	if err := f.ChangeName(p, "", ""); !errors.Is(err, ErrHolder) {
		t.Errorf("no name: %v", err)
	}
}

func TestRenewCard(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	card, err := f.IssueCard(p.Holder(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Certificate(Auth).NotAfter.Equal(card.Certificate(Auth).NotAfter) {
		t.Error("the phone's certificates do not end with the card's")
	}
	f.clock.advance(365 * 24 * time.Hour)
	if err := f.RenewCard(card); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*Phone{p, card} {
		for _, a := range authorities {
			f.expect(t, d.ID(), d.Certificate(a), Revoked, Superseded)
		}
	}
	if err := f.RenewCard(p); !errors.Is(err, ErrEnded) {
		t.Errorf("again: %v", err)
	}
	again, err := f.StartAgain(p, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Certificate(Auth).NotAfter.After(p.Certificate(Auth).NotAfter) {
		t.Error("the new pair does not live longer than the old")
	}
}

func TestCardRevocationEndsThePhone(t *testing.T) {
	f := theWorld(t)
	p := f.phone(t, IssueOptions{})
	card, err := f.IssueCard(p.Holder(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(card, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "phone", p.Certificate(Auth), Revoked, CessationOfOperation)
}

func TestExpire(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{Expired: true})
	for i := range len(sketches) { // every birthday of the curated holders, the leap day too
		q, err := f.Issue(HolderN(i), IssueOptions{Expired: true})
		if err != nil {
			t.Fatal(err)
		}
		c := q.Certificate(Auth)
		if !c.NotAfter.Before(testNow) || testNow.Sub(c.NotAfter) > 366*24*time.Hour || c.NotAfter.Format("150405") != "145959" {
			t.Errorf("holder %d: expired at %v", i, c.NotAfter)
		}
		if ca := f.issuer(t, c); c.NotBefore.Before(ca.NotBefore) {
			t.Errorf("holder %d: issued %v, before the CA began", i, c.NotBefore)
		}
	}
	if err := f.ReportLost(p); !errors.Is(err, ErrEnded) {
		t.Errorf("report of an expired phone: %v", err)
	}
	if _, err := f.StartAgain(p, IssueOptions{}); err != nil {
		t.Errorf("start again after expiry: %v", err)
	}
	// A short validity ends as the clock goes on, and its entry leaves the list
	// after one list issued beyond its end (RFC 5280 section 3.3).
	short := f.phone(t, IssueOptions{NotAfter: testNow.Add(time.Hour)})
	if err := f.ReportLost(short); err != nil {
		t.Fatal(err)
	}
	c := short.Certificate(Auth)
	f.clock.advance(2 * time.Hour)
	for i, want := range []Reason{CertificateHold, notListed} {
		if got := f.listed(t, c); got != want {
			t.Errorf("issue %d after expiry: %v, want %v", i, got, want)
		}
		f.clock.advance(time.Second)
		f.PublishCRLs()
	}
	if _, err := f.Issue(someone(), IssueOptions{NotAfter: testNow.Add(-time.Hour)}); !errors.Is(err, ErrValidity) {
		t.Errorf("validity that ends before it begins: %v", err)
	}
}

func TestForeignDevicesAreRefused(t *testing.T) {
	f := theWorld(t)
	i, err := f.Impostor(true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := i.Issue(someone(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Phone{nil, p} {
		var op *OperationError
		if err := f.ReportLost(p); !errors.Is(err, ErrForeign) || !errors.As(err, &op) || op.Op != "report lost" {
			t.Errorf("got %v", err)
		}
	}
	c := p.Certificate(Auth)
	g, _ := f.generation(Auth, c.Generation)
	if cert := parse(t, c.DER); string(cert.AuthorityKeyId) != string(g.keyID) {
		t.Error("the forged AKI is not the true key id")
	}
	if err := f.issuer(t, c).CheckSignature(x509.SHA256WithRSA, parse(t, c.DER).RawTBSCertificate, parse(t, c.DER).Signature); err == nil {
		t.Error("an impostor's certificate verifies under the true key")
	}
	if _, ok := f.Status(Auth, c.Serial); ok {
		t.Error("the impostor's serial is in the true register")
	}
}

func TestIssueRefusals(t *testing.T) {
	f := theWorld(t)
	bad := func(change func(*Holder)) Holder { h := someone(); change(&h); return h }
	for _, c := range []struct {
		name string
		h    Holder
		o    IssueOptions
		want error
	}{
		{"PIN of five digits", someone(), IssueOptions{PIN: "12345"}, ErrPINFormat},
		{"short password", someone(), IssueOptions{Password: "ABC12"}, ErrPasswordFormat},
		{"password with a space", someone(), IssueOptions{Password: "ABC 1234"}, ErrPasswordFormat},
		{"generation 3", someone(), IssueOptions{Generation: 3}, ErrGeneration},
		{"key of no type", someone(), IssueOptions{Key: 99}, ErrAlgorithm},
		{"municipality", someone(), IssueOptions{Municipality: "12345"}, ErrMunicipality},
		{"holder without id", bad(func(h *Holder) { h.ID = "" }), IssueOptions{}, ErrHolder},
		{"marks too short", bad(func(h *Holder) { h.NameMarks = "0" }), IssueOptions{}, ErrHolder},
		{"gender", bad(func(h *Holder) { h.Gender = "x" }), IssueOptions{}, ErrHolder},
		{"unborn", bad(func(h *Holder) { h.Birth = time.Time{} }), IssueOptions{}, ErrHolder},
	} {
		if _, err := f.Issue(c.h, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	w, err := New(Config{Keys: pool})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Issue(someone(), IssueOptions{}); !errors.Is(err, ErrNoPublicURL) {
		t.Errorf("issue without a URL: %v", err)
	}
	for _, u := range []string{"", "https://example.test", "127.0.0.1:80", "http://", "http://a@b", "http://h/?q", "\x00"} {
		if err := w.SetPublicURL(u); !errors.Is(err, ErrPublicURL) {
			t.Errorf("URL %q: %v", u, err)
		}
	}
	if err := f.SetPublicURL("http://other.test"); !errors.Is(err, ErrPublicURL) {
		t.Errorf("URL after the first issue: %v", err)
	}
	for _, c := range []Config{{ListValidity: -1}, {ListOverlap: -1}, {ListValidity: time.Hour, ListOverlap: time.Hour}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}

func TestExpireOperation(t *testing.T) {
	w := theWorld(t)
	p, err := w.Issue(HolderN(4001), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := p.Keep()
	if err := w.Expire(p); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Authority{Sign, Auth} {
		c, old := p.Certificate(a), before.Certificate(a)
		if !c.NotAfter.Before(w.Now()) || c.Serial == old.Serial {
			t.Errorf("%s: valid until %v", a, c.NotAfter)
		}
		if s, _ := w.Status(a, old.Serial); s.Status != Revoked || s.Reason != Superseded {
			t.Errorf("%s: the pair before is %v", a, s)
		}
	}
	if err := w.Expire(p); !errors.Is(err, ErrEnded) {
		t.Errorf("expired twice: %v", err)
	}
	if _, err := w.StartAgain(p, IssueOptions{}); err != nil {
		t.Errorf("after expiry the holder applies again: %v", err)
	}
}
