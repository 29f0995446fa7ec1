package anchors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
)

var policies = map[profile.Kind][]pkix.OID{
	profile.MobileSign: {pkix.MustOID("1.3.6.1.4.1.32473.8.1.40")},
	profile.MobileAuth: {pkix.MustOID("1.3.6.1.4.1.32473.8.3.40")},
}

// real returns J-LIS's certificates, or skips.
func real(t *testing.T) map[string]Source {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "jpki-ca", "*.cer"))
	if len(paths) == 0 {
		t.Skip("no shared certificates of J-LIS")
	}
	out := map[string]Source{}
	for _, path := range paths {
		der, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".cer")
		ca := Auth
		if strings.Contains(name, "sign") {
			ca = Sign
		}
		out[name] = Source{DER: der, CA: ca}
	}
	return out
}

func TestProductionIsPinned(t *testing.T) {
	var sources []Source
	for name, source := range real(t) {
		if got, want := PinnedName(source.DER), strings.ReplaceAll(strings.ToUpper(name[:4])+name[4:], "-", " "); got != want {
			t.Errorf("%s is pinned as %q", name, got)
		}
		sources = append(sources, source)
	}
	set, err := New(Config{Set: Production, Sources: sources, Policies: policies})
	if err != nil {
		t.Fatal(err)
	}
	// All generations have one name: only the key identifier tells them apart.
	for _, a := range set.All() {
		found := set.ByKeyID(a.Certificate.Subject, a.Certificate.SubjectKeyID)
		if len(found) != 1 || found[0] != a {
			t.Errorf("%s: %d anchors by key identifier", PinnedName(a.Certificate.Raw), len(found))
		}
		if set.ByKeyID(a.Certificate.Subject, nil) != nil {
			t.Error("found by name alone")
		}
	}
	if set.Kind(Auth, pkix.MustOID("1.2.392.200149.8.5.1.3.30")) != profile.CardAuth ||
		set.Kind(Sign, pkix.MustOID("1.2.392.200149.8.5.1.3.30")) != 0 {
		t.Error("a policy means something only with its authority")
	}
}

func TestWhatIsRefused(t *testing.T) {
	all := real(t)
	sign, auth := all["jpki-sign-2023"], all["jpki-auth-2023"]
	tampered := append([]byte(nil), sign.DER...)
	tampered[len(tampered)-1] ^= 1
	for name, c := range map[string]Config{
		"no name":               {Sources: []Source{sign}, Policies: policies},
		"no certificates":       {Set: Production, Policies: policies},
		"twice":                 {Set: Production, Sources: []Source{sign, sign}, Policies: policies},
		"wrong authority":       {Set: Production, Sources: []Source{{auth.DER, Sign}}, Policies: policies},
		"no authority":          {Set: Production, Sources: []Source{{auth.DER, 0}}, Policies: policies},
		"real one in a sandbox": {Set: "sandbox", Sources: []Source{sign}, Policies: policies},
		"tampered with":         {Set: Production, Sources: []Source{{tampered, Sign}}, Policies: policies},
		"tampered with, named":  {Set: Production, Sources: []Source{{tampered, Sign}}, Policies: policies, Named: []string{Fingerprint(tampered)}},
		"no mobile policies":    {Set: Production, Sources: []Source{sign}},
		"one policy, two kinds": {Set: Production, Sources: []Source{sign}, Policies: map[profile.Kind][]pkix.OID{
			profile.MobileSign: {pkix.MustOID("1.2.392.200149.8.5.1.1.20")}, profile.MobileAuth: policies[profile.MobileAuth]}},
		"rubbish": {Set: Production, Sources: []Source{{[]byte("-----BEGIN CERTIFICATE-----"), Sign}}, Policies: policies},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
