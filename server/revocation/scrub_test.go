package revocation

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestScrubProves: an index from the state directory serves at once, and is held against its list behind the requests. A list that was
// damaged while nobody ran is fetched anew.
func TestScrubProves(t *testing.T) {
	a := newAuthority(t)
	files, whole, c := oneList(t, a)
	for _, test := range []struct {
		name    string
		damaged []byte
	}{{"whole", whole[listSuffix]}, {"truncated", whole[listSuffix][:100]}, {"changed", append([]byte{0x31}, whole[listSuffix][1:]...)}, {"gone", nil}} {
		t.Run(test.name, func(t *testing.T) {
			logs := new(journal)
			c.StateDir, c.Logger = t.TempDir(), logs.logger()
			for suffix, name := range files {
				content := whole[suffix]
				if suffix == listSuffix {
					content = test.damaged
				}
				if content == nil {
					continue
				}
				if err := os.WriteFile(filepath.Join(c.StateDir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := start(t, c)
			if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is {
				t.Fatal("does not serve at once")
			}
			l.scrub(t.Context())
			is, _ := revoked(l, a, a.certificate(t, 10, nil))
			if good := test.name == "whole"; is != good || good == strings.Contains(logs.String(), string(IndexDamaged)) {
				t.Errorf("serves %v:\n%s", is, logs)
			} else if good {
				return
			}
			if s := sourceState(t, l, "x"); s.State != Missing || s.Failure != IndexDamaged || l.feeds["x"].next != (time.Time{}) {
				t.Errorf("%+v", s)
			}
			refresh(t, l) // which must not be conditional
			if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is {
				t.Error("was not fetched anew")
			}
			l.Close()
			l = start(t, c)
			logs.text.Reset()
			l.scrub(t.Context())
			if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is || strings.Contains(logs.String(), string(IndexDamaged)) {
				t.Error("is not whole again:\n", logs)
			}
		})
	}
}

// TestDamageLosesNoGround: while a list is out of service, a mirror's older one does not take its place.
func TestDamageLosesNoGround(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	s.list("/one", a.list(t, listing{number: 5, serials: []int64{10}}))
	s.list("/two", a.list(t, listing{number: 4}))
	c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: t.TempDir(), Sources: []Source{
		{Name: "one", URL: "http://ca.example/one"}, {Name: "two", URL: "http://ca.example/two"},
	}}
	l := start(t, c)
	if err := l.Refresh(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	for _, x := range l.snapshot.Load().lists {
		l.damaged(l.conf.Load(), x)
	}
	if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != "" {
		t.Errorf("list %q serves", number)
	}
	if err := l.Refresh(t.Context(), "two"); err != nil {
		t.Error(err)
	}
	if is, number := revoked(l, a, a.certificate(t, 10, nil)); !is || number != "5" {
		t.Errorf("list %q serves, revoked %v", number, is)
	}
}

// TestDamageInMemory: where there is nothing to build an index from, the list is fetched anew, conditions or not.
func TestDamageInMemory(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	s.list("/", a.list(t, listing{number: 5, serials: []int64{10}}))
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	refresh(t, l)
	for _, x := range l.snapshot.Load().lists {
		l.damaged(l.conf.Load(), x)
	}
	if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != "" {
		t.Errorf("list %q serves", number)
	}
	refresh(t, l)
	if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is {
		t.Error("was not fetched anew")
	}
}

// TestLargeIsRebuiltLater: an index that takes long to build again keeps no start waiting, and nothing is said of its list meanwhile.
func TestLargeIsRebuiltLater(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a list of a million")
	}
	a := newAuthority(t)
	c, index := crowded(t, a, 1_000_000)
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	cert := a.certificate(t, 1_000_000, nil)
	l := start(t, c)
	if _, number := revoked(l, a, cert); number != "" || sourceState(t, l, "x").State != Missing {
		t.Errorf("list %q serves", number)
	}
	if err := l.Refresh(t.Context(), "x"); !errors.Is(err, &Error{Failures: []Failure{FetchUnreachable}}) {
		t.Errorf("error %v", err)
	}
	if is, _ := revoked(l, a, cert); !is || sourceState(t, l, "x").State != Fresh {
		t.Errorf("not built again: %+v", sourceState(t, l, "x"))
	}
	l.Close()
	if is, _ := revoked(start(t, c), a, cert); !is {
		t.Error("and not kept")
	}
}

// TestPace: a pass over a gibibyte takes more than a minute.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate, began := &pace{ctx: t.Context()}, time.Now()
		for range 1 << 14 {
			rate.spend(64 << 10)
		}
		if took := time.Since(began); took < 63*time.Second || took > 65*time.Second {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if rate.ctx = ctx; rate.spend(1) || rate.spend(1<<30) {
			t.Error("goes on after the end")
		}
	})
}

func TestSame(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for _, test := range []struct {
		a, b string
		want error
	}{
		{"", "", nil}, {"a", "a", nil}, {long, long, nil}, {long + "a", long + "a", nil},
		{"a", "b", errDiffers}, {"", "a", errDiffers}, {"a", "", errDiffers}, {long, long + "a", errDiffers}, {long + "a", long, errDiffers}, {long + "a", long + "b", errDiffers},
	} {
		if err := same(t.Context(), strings.NewReader(test.a), strings.NewReader(test.b)); err != test.want {
			t.Errorf("%d and %d octets: %v", len(test.a), len(test.b), err)
		}
	}
	if err := same(t.Context(), io.MultiReader(strings.NewReader("a"), failing{}), strings.NewReader("a")); err == nil {
		t.Error("an error is no end")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk") }
