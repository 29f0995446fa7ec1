package revocation

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// country is an index that has the lists of so many partitions, from one manifest.
func country(t testing.TB, n int) (*Living, *hands) {
	t.Helper()
	a, s, clock := newAuthority(t), newSite(), &hands{at: testNow.Add(time.Minute)}
	rows := new(strings.Builder)
	rows.WriteString("name,url,partition\n")
	for i := range n {
		name := fmt.Sprintf("CN=City %d CRLDP,OU=Prefecture %d,OU=CRL Distribution Points,OU=JPKI for user authentication,O=JPKI,C=JP", i, i%47)
		var scope pkix.Name = nameFrom(t, name)
		der := a.list(t, listing{number: 7, scope: scope, serials: []int64{1, 2, 3}, thisUpdate: testNow.Add(-time.Duration(i) * time.Second), nextUpdate: testNow.Add(24*time.Hour + time.Duration(i)*time.Second)})
		s.page(fmt.Sprintf("/%d", i), func(w http.ResponseWriter, r *http.Request) { w.Write(der) })
		fmt.Fprintf(rows, "p%d,http://ca.example/%d,\"%s\"\n", i, i, name)
	}
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Clock: clock.now,
		Sources: []Source{{Name: "jpki", Manifest: manifestFile(t, rows.String()), Required: true}}})
	refresh(t, l)
	return l, clock
}

// TestWhole: what is known of a manifest as a whole, and when it is fresh, to the second.
func TestWhole(t *testing.T) {
	const n = 40
	l, clock := country(t, n)
	s := sourceState(t, l, "jpki")
	if s.State != Fresh || s.Partitions != [OnDemand + 1]int{Fresh: n} || s.Lists != n || s.Entries != 3*n || s.Fetches != n || s.Failing != 0 || !s.Required || s.PartOf != "" {
		t.Errorf("%+v", s)
	}
	if !s.OldestUpdate.Equal(testNow.Add(-(n-1)*time.Second)) || !s.NextExpected.Equal(testNow.Add(24*time.Hour)) || !s.ThisUpdate.IsZero() || s.LastFetch != clock.now() {
		t.Errorf("%+v", s)
	}
	if row := sourceState(t, l, "jpki/p7"); row.PartOf != "jpki" || row.Partitions != [OnDemand + 1]int{Fresh: 1} || !strings.HasPrefix(row.Partition, "CN=City 7 CRLDP,") ||
		row.Number != "7" || row.Lists != 1 || !row.Required {
		t.Errorf("%+v", row)
	}
	for after, want := range map[time.Duration]bool{
		0: true, 24 * time.Hour: true, 24*time.Hour + time.Second: false, -time.Second: false, time.Hour: true,
	} {
		if got := l.Ready(testNow.Add(after)); got != want {
			t.Errorf("ready %v after %v", got, after)
		}
	}
	clock.set(testNow.Add(24*time.Hour + 3*time.Second - time.Millisecond))
	if s := sourceState(t, l, "jpki"); s.State != Stale || s.Partitions != [OnDemand + 1]int{Fresh: n - 3, Stale: 3} {
		t.Errorf("%+v", s)
	}
	clock.set(testNow.Add(time.Hour))
	next := Config{Anchors: l.conf.Load().Anchors, Allow: allow, Clock: clock.now, Logger: quiet, Sources: []Source{
		{Name: "jpki", Manifest: manifestFile(t, "name,url\np0,http://ca.example/0\nnone,http://ca.example/none\n"), Required: true}}}
	if err := l.Reconfigure(next); err != nil {
		t.Fatal(err)
	}
	if l.Ready(clock.now()) {
		t.Error("ready without a partition that is required")
	}
	_ = l.Refresh(t.Context(), "jpki")
	if s := sourceState(t, l, "jpki"); s.State != Missing || s.Partitions != [OnDemand + 1]int{Fresh: 1, Missing: 1} || s.Failing != 1 || s.Failures != 1 || l.Ready(clock.now()) {
		t.Errorf("%+v", s)
	}
	next.Sources[0].Required = false
	if err := l.Reconfigure(next); err != nil || !l.Ready(clock.now()) {
		t.Errorf("not ready with nothing required: %v", err)
	}
}

// BenchmarkCountry: what a health check and a look at the sources cost with 3,482 partitions.
func BenchmarkCountry(b *testing.B) {
	l, clock := country(b, 3482)
	b.Run("Ready", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !l.Ready(clock.now()) {
				b.Fatal("not ready")
			}
		}
	})
	b.Run("Sources", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Sources()
		}
	})
}
