package revocation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDropDirectory(t *testing.T) {
	a, clock := newAuthority(t), &hands{at: testNow}
	drop, state := t.TempDir(), t.TempDir()
	north, south := nameFrom(t, "CN=North,OU=CRLDP,C=JP"), nameFrom(t, "CN=South,OU=CRLDP,C=JP")
	put := func(name string, der []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(drop, "new"), der, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(drop, "new"), filepath.Join(drop, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := Config{Anchors: setOf(t, a), Clock: clock.now, StateDir: state, Sources: []Source{{Name: "drop", Directory: drop, Required: true, MaxLists: 5, MaxSize: 4096}}}
	l := start(t, c)
	expect := func(what string, wantNorth, wantSouth string, want ...Failure) {
		t.Helper()
		err := l.RefreshAll(context.Background())
		if len(want) == 0 && err != nil || len(want) > 0 && !errors.Is(err, &Error{Failures: want}) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
		_, gotNorth := revoked(l, a, a.certificate(t, 10, north))
		_, gotSouth := revoked(l, a, a.certificate(t, 10, south))
		if gotNorth != wantNorth || gotSouth != wantSouth {
			t.Errorf("%s: lists %q and %q, want %q and %q", what, gotNorth, gotSouth, wantNorth, wantSouth)
		}
	}
	expect("empty", "", "")
	if s := sourceState(t, l, "drop"); s.State != Missing || l.Ready(testNow) {
		t.Errorf("empty: %+v", s)
	}
	put("n.crl", a.list(t, listing{number: 1, scope: north, serials: []int64{1, 2}}))
	put("other.txt", []byte("no list"))
	os.Mkdir(filepath.Join(drop, "directory.crl"), 0o700)
	expect("one", "1", "")
	put("s.crl", a.list(t, listing{number: 7, scope: south}))
	put("n.crl", a.list(t, listing{number: 2, scope: north}))
	expect("two", "2", "7")
	names := map[string]string{}
	for _, s := range l.Sources() {
		names[s.Name] = s.Number
	}
	id := short(a.cert.SubjectKeyId)
	if len(names) != 3 || names["drop/"+id+"/North"] != "2" || names["drop/"+id+"/South"] != "7" || names["drop"] != "" {
		t.Errorf("sources %v", names)
	}
	if s := sourceState(t, l, "drop"); s.State != Fresh || s.Lists != 2 || !l.Ready(testNow) {
		t.Errorf("two: %+v", s)
	}
	put("n.crl", a.list(t, listing{number: 1, scope: north}))
	expect("older", "2", "7", "CRL_NUMBER_LOWER")
	if s := sourceState(t, l, "drop/"+id+"/North"); s.Failure != "CRL_NUMBER_LOWER" || s.State != Fresh {
		t.Errorf("older: %+v", s)
	}
	expect("refused is said once", "2", "7")
	put("yesterday.crl", a.list(t, listing{number: 1, scope: north}))
	expect("an older file beside", "2", "7")
	put("half.crl", a.list(t, listing{number: 9, scope: north})[:200])
	expect("half a file", "2", "7", "CRL_FORMAT_FAILURE")
	put("half.crl", make([]byte, 5000))
	expect("large", "2", "7", FetchTooLarge)
	put("half.crl", a.list(t, listing{number: 9, scope: north, thisUpdate: testNow.Add(time.Hour), nextUpdate: testNow.Add(2 * time.Hour)}))
	expect("early", "2", "7", "CRL_NOT_YET_VALID")
	clock.set(testNow.Add(time.Hour))
	expect("its time has come", "9", "7")
	os.WriteFile(filepath.Join(drop, "y.crl"), nil, 0o600)
	os.WriteFile(filepath.Join(drop, "z.crl"), nil, 0o600)
	expect("too many", "9", "7", DirectoryTooFull)
	for _, name := range []string{"y.crl", "z.crl", "n.crl", "yesterday.crl", "half.crl"} {
		os.Remove(filepath.Join(drop, name))
	}
	expect("a file gone, the list serves on", "9", "7")
	l.Close()
	l = start(t, c)
	expect("so after a restart", "9", "7")
	clock.set(testNow.Add(3 * time.Hour))
	expect("until it is stale", "", "7")
	if s := sourceState(t, l, "drop"); s.State != Fresh || s.Lists != 1 {
		t.Errorf("forgotten: %+v", s)
	}
	if left := stored(t, state, recordSuffix); len(left) != 1 {
		t.Errorf("state files %v", left)
	}
	os.RemoveAll(drop)
	expect("directory gone", "", "7", DirectoryUnreadable)
}
