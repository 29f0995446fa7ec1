package server

import (
	"context"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// badLists is everything that can stand where a list should, and what is said of it.
var badLists = []struct {
	fault   sandbox.ListFault
	failure string
}{
	{sandbox.ListFault{Kind: sandbox.ListMissing}, "FETCH_STATUS"},
	{sandbox.ListFault{Kind: sandbox.ListUnavailable}, "FETCH_STATUS"},
	{sandbox.ListFault{Kind: sandbox.ListDropped}, "FETCH_INTERRUPTED"},
	{sandbox.ListFault{Kind: sandbox.ListStale}, "CRL_STALE"},
	{sandbox.ListFault{Kind: sandbox.ListFuture}, "CRL_NOT_YET_VALID"},
	{sandbox.ListFault{Kind: sandbox.ListWrongPartition}, "CRL_SCOPE_MISMATCH"},
	{sandbox.ListFault{Kind: sandbox.ListOlderNumber}, "CRL_NUMBER_LOWER"},
	{sandbox.ListFault{Kind: sandbox.ListTruncated}, "CRL_FORMAT_FAILURE"},
	{sandbox.ListFault{Kind: sandbox.ListForeignSignature}, "CRL_SIGNATURE_INVALID"},
	{sandbox.ListFault{Kind: sandbox.ListOversized, Size: 8 << 20}, "FETCH_TOO_LARGE"},
	{sandbox.ListFault{Kind: sandbox.ListOtherAuthority}, "CRL_ISSUER_MISMATCH"},
	{sandbox.ListFault{Kind: sandbox.ListOtherGeneration}, "CRL_ISSUER_MISMATCH"},
	{sandbox.ListFault{Kind: sandbox.ListShrunken}, "CRL_SHRINK_IMPLAUSIBLE"},
	{sandbox.ListFault{Kind: sandbox.ListGrown, Size: 3000}, "CRL_GROWTH_IMPLAUSIBLE"},
	{sandbox.ListFault{Kind: sandbox.ListErrorPage}, "CRL_FORMAT_FAILURE"},
	{sandbox.ListFault{Kind: sandbox.ListTrickle}, "FETCH_TIMEOUT"},
	{sandbox.ListFault{Delay: time.Hour}, "FETCH_TIMEOUT"},
	{sandbox.ListFault{Kind: sandbox.ListBomb}, "FETCH_TOO_LARGE"},
}

// TestBadListsChangeNothing: whatever stands where a list should, the last good one answers on, the source says what is wrong, and
// when it is over the next good list is taken. Counters verify while lists come.
func TestBadListsChangeNothing(t *testing.T) {
	n := newNation(t, sandbox.Config{Partitions: 2 * len(badLists), Revoked: 1000})
	n.settle(t, 2*len(badLists)) // one of two is held: neither answer may turn
	names := make([]string, len(badLists))
	for i, b := range badLists {
		names[i] = n.citizens[i].auth.List().Name()
		if b.fault.Kind == sandbox.ListWrongPartition {
			badLists[i].fault.Other = n.citizens[len(badLists)].auth.Municipality
		}
	}
	r := start(t, func(c *Config) {
		n.config(c)
		for i := range c.Revocation.Sources {
			s := &c.Revocation.Sources[i]
			s.MaxSize = 4 << 20
			for j, b := range badLists {
				if s.Name == names[j] && b.failure == "FETCH_TIMEOUT" {
					s.Stall, s.Timeout = time.Second, 5*time.Second
				}
			}
		}
	})
	refresh := func() {
		t.Helper()
		// Where the machine has better things to do a good list may miss the short times as well: it is fetched again.
		var err error
		for range 10 {
			if err = r.Refresh(context.Background()); err == nil {
				return
			}
		}
		t.Fatalf("%.1000v", err)
	}
	refresh()
	stop := n.keepAsking(t, r)
	for i, c := range n.citizens {
		if i%2 == 0 {
			c.may(good, bad)
			if err := n.ReportLost(c.phone); err != nil {
				t.Fatal(err)
			}
		}
	}
	refresh()
	for i, c := range n.citizens {
		if i%2 == 0 {
			c.may(bad)
		}
	}
	n.everybody(t, r, "with good lists")
	before := r.sources()

	// Meanwhile what was true turns, so that an answer by anything but the list before would show. A rollback shows by itself: it goes
	// behind the last event.
	turned := func(i int) bool { return badLists[i].fault.Kind != sandbox.ListOlderNumber }
	for i, b := range badLists {
		c := n.citizens[i]
		if err := n.SetListFault(c.auth.List(), b.fault); err != nil {
			t.Fatal(err)
		}
		turn := n.ReportLost
		if i%2 == 0 {
			turn = n.LiftStop
		}
		if !turned(i) {
			continue
		}
		if err := turn(c.phone); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is refused once is refused again
		if r.Refresh(context.Background()) == nil {
			t.Error("nothing is wrong with the lists")
		}
		n.everybody(t, r, "with bad lists")
		now := r.sources()
		for i, b := range badLists {
			was, is := before[names[i]], now[names[i]]
			if is.GetLastFailure() != b.failure || is.GetCrlNumber() != was.GetCrlNumber() || is.GetEntries() != was.GetEntries() ||
				is.GetState() != tashikav1.RevocationSource_STATE_FRESH || !is.GetThisUpdate().AsTime().Equal(was.GetThisUpdate().AsTime()) {
				t.Errorf("%+v: %v, want %s of list %s with %d entries", b.fault, is, b.failure, was.GetCrlNumber(), was.GetEntries())
			}
		}
	}

	for _, c := range n.citizens[:len(badLists)] {
		c.may(good, bad)
	}
	n.ClearFaults()
	n.PublishCRLs()
	refresh()
	for i, c := range n.citizens[:len(badLists)] {
		if i%2 == 0 && turned(i) {
			c.may(good)
		} else {
			c.may(bad)
		}
	}
	n.everybody(t, r, "with the next good lists")
	for name, is := range r.sources() {
		if was := before[name]; !older(was.GetCrlNumber(), is.GetCrlNumber()) || is.GetLastFailureTime().AsTime().After(is.GetLastFetchTime().AsTime()) {
			t.Errorf("%s: %v", name, is)
		}
	}
	t.Logf("%d answers meanwhile", stop())
}
