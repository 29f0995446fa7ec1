package device

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/width"
)

func embeddedList(t testing.TB) *List {
	t.Helper()
	l, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEmbedded(t *testing.T) {
	l := embeddedList(t)
	if l.Complete() {
		t.Error("the embedded list says that it is complete; nobody could source that")
	}
	if l.Edition() != "tashika/2026-11-23" {
		t.Errorf("edition %q", l.Edition())
	}
	entries := l.Entries()
	var pixels []string
	for i, e := range entries {
		if i > 0 && entries[i-1].Name >= e.Name {
			t.Errorf("%s stands after %s", e.Name, entries[i-1].Name)
		}
		switch e.Platform {
		case Android:
			pixels = append(pixels, e.Model)
			if e.MinOSVersion != "" || !strings.Contains(e.Source, "2025-10") || !strings.Contains(e.Source, "Digital Agency") {
				t.Errorf("%+v", e)
			}
		case IOS:
			// What is the rule and what is our reading of it must both be said.
			if e.MinOSVersion != "18.5" || !strings.Contains(e.Source, "secondary source") || !strings.Contains(e.Source, "Our reading") {
				t.Errorf("%+v", e)
			}
		}
		if support, found := l.Check(e.Platform, e.Model, "99"); support != Supported || found.Name != e.Name {
			t.Errorf("%s: %v, %v", e.Name, support, found)
		}
	}
	if diff := cmp.Diff([]string{"Pixel 10", "Pixel 10 Pro", "Pixel 10 Pro Fold", "Pixel 10 Pro XL"}, pixels); diff != "" {
		t.Error(diff)
	}
	if len(entries) != 4+33 {
		t.Errorf("%d entries", len(entries))
	}
}

func TestCheck(t *testing.T) {
	l := embeddedList(t)
	for _, test := range []struct {
		platform       Platform
		model, version string
		want           Support
		entry          string
	}{
		{Android, "Pixel 10", "", Supported, "google-pixel-10"},
		{Android, "Pixel 10", "16", Supported, "google-pixel-10"},
		{Android, "Pixel 10", "what?", Supported, "google-pixel-10"}, // no version is demanded
		{0, "Pixel 10 Pro Fold", "", Supported, "google-pixel-10-pro-fold"},
		{IOS, "Pixel 10", "", NotListed, ""},
		{Platform(9), "Pixel 10", "", NotListed, ""},

		// case, width, white space, the maker's name
		{Android, "Google Pixel 10 Pro XL", "", Supported, "google-pixel-10-pro-xl"},
		{Android, "GOOGLE PIXEL10PROXL", "", Supported, "google-pixel-10-pro-xl"},
		{Android, "  ｐｉｘｅｌ　１０\tＰｒｏ\n", "", Supported, "google-pixel-10-pro"},
		{IOS, "apple iphone xs", "18.5", Supported, "apple-iphone-xs"},
		{IOS, "iPhone SE（第2世代）", "18.5", Supported, "apple-iphone-se-2"},
		{IOS, "Apple iPhone SE 3", "18.5", Supported, "apple-iphone-se-3"},
		{IOS, "iPhone SE", "18.5", NotListed, ""}, // which of three?

		// no resemblance
		{Android, "Pixel 10a", "", NotListed, ""},
		{Android, "Pixel 1", "", NotListed, ""},
		{Android, "Pixel", "", NotListed, ""},
		{Android, "Google", "", NotListed, ""},
		{Android, "Google Google Pixel 10", "", NotListed, ""},
		{Android, "Apple Pixel 10", "", NotListed, ""},
		{IOS, "iPhone X", "18.5", NotListed, ""}, // the one before the rule
		{IOS, "iPhone 8", "18.5", NotListed, ""},
		{IOS, "", "18.5", NotListed, ""},
		{IOS, strings.Repeat("iPhone 16", 1000), "18.5", NotListed, ""},
		{IOS, "iPhone 16\x00", "18.5", NotListed, ""},
		{IOS, "iPhone\xff16", "18.5", NotListed, ""},

		// versions, as numbers
		{IOS, "iPhone 16", "18.5", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "18.5.0", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "18.10", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "26", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "18.5.0.0.0.1", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "018.05", Supported, "apple-iphone-16"},
		{IOS, "iPhone 16", "18.4.999", Unsupported, "apple-iphone-16"},
		{IOS, "iPhone 16", "18", Unsupported, "apple-iphone-16"},
		{IOS, "iPhone 16", "9.9", Unsupported, "apple-iphone-16"},
		{IOS, "iPhone 16", "0", Unsupported, "apple-iphone-16"},

		// demanded but not known: neither yes nor no, and the entry says what to ask for
		{IOS, "iPhone 16", "", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "18.5 beta", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "18..5", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", ".", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "-18.5", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "+26", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "1_9", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "１９", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "9999999999", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", "26.1.1.1.1.1.1", NotListed, "apple-iphone-16"},
		{IOS, "iPhone 16", strings.Repeat("9.", 1<<16), NotListed, "apple-iphone-16"},
	} {
		support, entry := l.Check(test.platform, test.model, test.version)
		name := ""
		if entry != nil {
			name = entry.Name
		}
		if support != test.want || name != test.entry {
			t.Errorf("Check(%v, %.40q, %.20q) = %v, %q; want %v, %q", test.platform, test.model, test.version, support, name, test.want, test.entry)
		}
	}
}

func TestZeroSupportIsNoYes(t *testing.T) {
	var zero Support
	if zero != NotListed || zero == Supported {
		t.Error("a forgotten answer is a yes")
	}
}

func TestImmutable(t *testing.T) {
	l := embeddedList(t)
	before := l.Entries()
	_, e := l.Check(0, "iPhone SE 2", "26")
	e.MinOSVersion, e.Aliases[0] = "0", "overwritten"
	got := l.Entries()
	got[0].Model, got[0].Source = "overwritten", ""
	if diff := cmp.Diff(before, l.Entries()); diff != "" {
		t.Error(diff)
	}
}

const goodFile = `
edition: operator/2026-11-01
complete: true
entries:
  - {name: sharp-a, platform: ANDROID, manufacturer: シャープ, model: AQUOS テスト, aliases: [SH-00A], min_os_version: 15, source: list of 2026-11}
  - {name: apple-b, platform: IOS, manufacturer: Apple, model: iPhone B, min_os_version: 18.10, source: list of 2026-11}
`

func TestOverrideReplacesTheListWhole(t *testing.T) {
	l, err := Load([]byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	if l.Edition() != "operator/2026-11-01" || !l.Complete() || len(l.Entries()) != 2 || l.Entries()[0].Name != "apple-b" {
		t.Errorf("%s, %v, %v", l.Edition(), l.Complete(), l.Entries())
	}
	for model, want := range map[string]Support{
		"Pixel 10": NotListed, "シャープ AQUOS テスト": Supported, "AQUOS ﾃｽﾄ": Supported, "sh-00a": Supported, "iPhone B": Supported,
	} {
		if got, _ := l.Check(0, model, "18.10"); got != want {
			t.Errorf("%s: %v, want %v", model, got, want)
		}
	}
	// 18.10 without quotes looks like the number 18.1; it must not be read as that.
	if got, _ := l.Check(IOS, "iPhone B", "18.9"); got != Unsupported {
		t.Errorf("18.9 where 18.10 is demanded: %v", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	// entry returns a list of one good entry with a field replaced or added.
	entry := func(fields ...string) string {
		e := map[string]string{"name": "a", "platform": "ANDROID", "manufacturer": "M", "model": "A", "source": "page of 2026-11-01"}
		for i := 0; i < len(fields); i += 2 {
			e[fields[i]] = fields[i+1]
		}
		text := "edition: x/2026-11-01\nentries:\n  -"
		for k, v := range e {
			text += fmt.Sprintf("\n    %s: %s", k, v)
		}
		return text
	}
	if _, err := Load([]byte(entry())); err != nil {
		t.Fatal(err)
	}
	second := "\n  - {name: b, platform: IOS, manufacturer: N, model: B, source: page of 2026-11}"
	if _, err := Load([]byte(entry() + second)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":                {"", ""},
		"not_yaml":             {"\x00\x01", ""},
		"two_documents":        {entry() + "\n---\n" + entry(), ""},
		"unknown_field":        {entry("colour", "red"), "colour"},
		"unknown_top_field":    {entry() + "\nextra: 1", "extra"},
		"duplicate_key":        {entry() + "\n    model: C", "model"},
		"no_edition":           {"complete: true", "edition"},
		"undated_edition":      {strings.Replace(entry(), "x/2026-11-01", "x", 1), "edition"},
		"no_entries":           {"edition: x/2026-11-01", "no entries"},
		"no_name":              {entry("name", `""`), "name"},
		"bad_name":             {entry("name", "A B"), "name"},
		"long_name":            {entry("name", strings.Repeat("a", 65)), "name"},
		"no_platform":          {entry("platform", "~"), "platform"},
		"unknown_platform":     {entry("platform", "SYMBIAN"), "SYMBIAN"},
		"no_maker":             {entry("manufacturer", `"　"`), "manufacturer"},
		"no_model":             {entry("model", `" "`), "model"},
		"long_model":           {entry("model", strings.Repeat("a", 129)), "model"},
		"control_in_model":     {entry("model", `"A\e[31m"`), "model"},
		"direction_in_model":   {entry("model", `"A\u202eB"`), "model"},
		"empty_alias":          {entry("aliases", `[""]`), "alias"},
		"many_aliases":         {entry("aliases", "["+strings.Repeat("x, ", 16)+"y]"), "aliases"},
		"bad_version":          {entry("min_os_version", "18.x"), "min_os_version"},
		"no_source":            {entry("source", `""`), "source"},
		"undated_source":       {entry("source", "hearsay"), "date"},
		"long_source":          {entry("source", "2026-11 "+strings.Repeat("a", maxSource)), "source"},
		"same_name":            {entry() + strings.Replace(second, "name: b", "name: a", 1), "twice"},
		"same_model":           {entry() + strings.Replace(second, "model: B", "model: ａ", 1), `entry "a"`},
		"same_alias":           {entry("aliases", "[b]") + second, `entry "a"`},
		"alias_is_own_model":   {entry("aliases", "[' a']"), `entry "a"`},
		"alias_with_own_maker": {entry("aliases", "[M A]"), `entry "a"`},
		"too_large":            {entry() + "\n#" + strings.Repeat(" ", maxFileBytes), "bytes"},
		"alias_bomb": {"edition: x/2026-11-01\nentries:\n" +
			"  - &a {name: a, aliases: &x [" + strings.Repeat("y, ", 1000) + "y]}\n" + strings.Repeat("  - *a\n", 100_000), ""},
	} {
		t.Run("bad_"+name, func(t *testing.T) {
			l, err := Load([]byte(test.text))
			if err == nil || l != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.300v; want one about %q", err, test.want)
			}
		})
	}
	var many strings.Builder
	many.WriteString("edition: x/2026-11-01\nentries:\n")
	for i := range maxEntries + 1 {
		fmt.Fprintf(&many, "- {name: a%d, platform: IOS, manufacturer: M, model: A%d, source: '2026-11'}\n", i, i)
	}
	if _, err := Load([]byte(many.String())); err == nil || !strings.Contains(err.Error(), "10001 entries") {
		t.Errorf("%v", err)
	}
}

func FuzzCheck(f *testing.F) {
	l := embeddedList(f)
	f.Add(uint8(0), "Google Pixel 10", "")
	f.Add(uint8(1), "ｐｉｘｅｌ　１０", "16")
	f.Add(uint8(2), "iPhone 16", "18.5")
	f.Add(uint8(2), "Apple iPhone SE（第3世代）", "18.4.1")
	f.Add(uint8(3), "iPhone\u00a0XS", "18.")
	f.Add(uint8(2), "\xff\u0345", "..")
	f.Fuzz(func(t *testing.T, platform uint8, model, version string) {
		support, entry := l.Check(Platform(platform), model, version)
		_, known := parseVersion(version)
		switch support {
		case Supported, Unsupported:
			if entry == nil || platform != 0 && entry.Platform != Platform(platform) {
				t.Fatalf("%v without an entry that could say so: %v", support, entry)
			}
			if entry.MinOSVersion != "" && !known {
				t.Fatalf("%v for an unknown version %q", support, version)
			}
			if entry.MinOSVersion == "" && support == Unsupported {
				t.Fatal("a no that no entry gives")
			}
		case NotListed:
			if entry != nil && (entry.MinOSVersion == "" || known) {
				t.Fatalf("undecided about %q, %q", model, version)
			}
		}
		// However it is written, the answer is the same.
		if !utf8.ValidString(model) || len(model) > maxModelBytes/8 {
			return
		}
		for _, written := range []string{width.Widen.String(model), width.Narrow.String(model), " " + model + "　", fold(model)} {
			again, other := l.Check(Platform(platform), written, version)
			if again != support || (entry == nil) != (other == nil) {
				t.Fatalf("%q: %v, but %q: %v", model, support, written, again)
			}
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("edition: x/2026-11-01\nentries: [{}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if data == nil {
			return
		}
		l, err := Load(data)
		if (err == nil) != (l != nil) {
			t.Fatal(l, err)
		}
		if l == nil {
			return
		}
		// What loads can be looked up by its own words.
		for _, e := range l.Entries() {
			if _, found := l.Check(e.Platform, e.Model, e.MinOSVersion); found == nil || found.Name != e.Name {
				t.Fatalf("%+v is found as %+v", e, found)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	l := embeddedList(b)
	b.ReportAllocs()
	for b.Loop() {
		l.Check(IOS, "Apple iPhone 16 Pro Max", "18.5")
	}
}
