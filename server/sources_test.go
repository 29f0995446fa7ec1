package server

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// TestManifestIsOneSource to operators, in what is listed and measured, and read again by a reload; its partitions are told beside it.
func TestManifestIsOneSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "partitions.csv")
	write := func(lists int) (n int) {
		rows := "name,url,partition,issuer_key_id\n"
		for i, l := range world().Sources().Lists {
			if i < lists {
				rows += fmt.Sprintf("p%d,%s,\"%s\",%s\n", i, l.URL, strings.ReplaceAll(l.Partition, `"`, `""`), hex.EncodeToString(l.KeyID))
				n++
			}
		}
		if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := write(1 << 20)
	if n < 3 {
		t.Fatalf("only %d lists", n)
	}
	var c Config
	r := refreshed(t, func(in *Config) {
		in.Revocation.Sources = []ListSource{{Name: "jpki", Manifest: path}}
		c = *in
	})
	if v, err := r.verification().Verify(as(kioskToken), r.kioskRequest(newPhone(t))); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("%v, %v", v, err)
	}
	look := func(want int) {
		t.Helper()
		out, err := tashikav1.NewRevocationServiceClient(r.conn).ListSources(as(kioskToken), &tashikav1.ListSourcesRequest{PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		whole := out.GetSources()[0]
		if p := whole.GetPartitions(); whole.GetName() != "jpki" || whole.GetState() != tashikav1.RevocationSource_STATE_FRESH || int(p.GetFresh()) != want ||
			p.GetStale()+p.GetMissing()+p.GetFailing() != 0 || !whole.GetRequired() || whole.GetOldestUpdate() == nil || whole.GetNextExpected() == nil || whole.GetPartOf() != "" {
			t.Errorf("the whole: %v", whole)
		}
		if len(out.GetSources()) != want+1 {
			t.Errorf("%d sources, want %d and the whole", len(out.GetSources()), want)
		}
		for _, s := range out.GetSources()[1:] {
			if s.GetPartOf() != "jpki" || !strings.HasPrefix(s.GetName(), "jpki/p") || s.GetPartitions().GetFresh() != 1 || s.GetThisUpdate() == nil {
				t.Errorf("a partition: %v", s)
			}
		}
		text := r.scrape()
		for _, line := range []string{
			fmt.Sprintf(`tashika_revocation_source_partitions{source="jpki",state="fresh"} %d`, want),
			`tashika_revocation_source_partitions{source="jpki",state="missing"} 0`,
			`tashika_revocation_source_failing{source="jpki"} 0`,
			`tashika_revocation_sources{state="fresh"} 1`,
			`tashika_revocation_refresh_failed 0`,
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s is missing", line)
			}
		}
		var names []string
		for _, m := range regexp.MustCompile(`[{,]source="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		if slices.Sort(names); !slices.Equal(slices.Compact(names), []string{"jpki"}) {
			t.Errorf("labels %v", names)
		}
		for _, name := range []string{"oldest_age", "next_expected", "last_success_age"} {
			if !strings.Contains(text, "\ntashika_revocation_source_"+name+`_seconds{source="jpki"} `) {
				t.Errorf("no %s", name)
			}
		}
	}
	look(n)
	write(n - 1)
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	look(n - 1)
	if err := os.WriteFile(path, []byte("name,url\na,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"reload": r.Reload(c), "check": c.Check()} {
		if err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s of a bad manifest: %v", what, err)
		}
	}
	look(n - 1)
}
