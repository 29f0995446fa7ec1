package server

import (
	"encoding/pem"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/sandbox"
	"go.yaml.in/yaml/v4"
)

const example = "tashikad.example.yaml"

// TestExampleHasEveryField, and none that does not exist: the fields of Config by reflection, those of the file by its keys,
// commented examples included.
func TestExampleHasEveryField(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	// An entry that is commented out belongs to the list that is empty above it.
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\n  #    ", "\n      "), "\n  #  - ", "\n    - ")
	text = strings.ReplaceAll(text, "responders: []          #", "responders: #")
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	inFile := map[string]bool{}
	var keys func(prefix string, n *yaml.Node)
	keys = func(prefix string, n *yaml.Node) {
		switch n.Kind {
		case yaml.DocumentNode, yaml.SequenceNode:
			for _, c := range n.Content {
				keys(prefix, c)
			}
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				path := strings.TrimPrefix(prefix+"."+n.Content[i].Value, ".")
				inFile[path] = true
				keys(path, n.Content[i+1])
			}
		}
	}
	keys("", &root)
	inConfig := map[string]bool{}
	var fields func(prefix string, x reflect.Type)
	fields = func(prefix string, x reflect.Type) {
		for x.Kind() == reflect.Slice {
			x = x.Elem()
		}
		if x.Kind() != reflect.Struct {
			return
		}
		for i := range x.NumField() {
			name := x.Field(i).Tag.Get("yaml")
			if name == "-" {
				continue
			}
			if name == "" {
				t.Errorf("%s.%s has no name in YAML", x, x.Field(i).Name)
			}
			path := strings.TrimPrefix(prefix+"."+name, ".")
			inConfig[path] = true
			fields(path, x.Field(i).Type)
		}
	}
	fields("", reflect.TypeFor[Config]())
	for path := range inConfig {
		if !inFile[path] {
			t.Errorf("%s is not in the example", path)
		}
	}
	for path := range inFile {
		if !inConfig[path] && !strings.HasPrefix(path, "anchors.policies.") {
			t.Errorf("%s of the example is not in Config", path)
		}
	}
	if len(inConfig) < 60 {
		t.Errorf("only %d fields found", len(inConfig))
	}
}

// TestEveryFieldHasAComment that begins with its name.
func TestEveryFieldHasAComment(t *testing.T) {
	for _, name := range []string{"config.go", "config_revocation.go"} {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			x, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range x.Fields.List {
				if !strings.HasPrefix(f.Doc.Text(), f.Names[0].Name) {
					t.Errorf("%s: %s has no comment that begins with its name", name, f.Names[0].Name)
				}
			}
			return true
		})
	}
}

// exampleDir writes the example with files that exist, of the sandbox's world.
func exampleDir(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t)
	files := ca.files(t)
	text := strings.NewReplacer("/etc/tashika/server.pem", files.CertificateFile, "/etc/tashika/server.key", files.KeyFile,
		"/etc/tashika/clients.pem", files.ClientCAFile, "/etc/tashika/fingerprint.key", keyFile(t), "/etc/tashika/", "", "/var/lib/tashika/", dir+"/",
		"set: production", "set: sandbox", "2.999.1.1", sandbox.PolicyMobileAuth, "2.999.1.2", sandbox.PolicyMobileSign,
		"0.0.0.0:8443", "127.0.0.1:0", "0.0.0.0:8080", "127.0.0.1:0", "127.0.0.1:9464", "127.0.0.1:0").Replace(string(data))
	for _, a := range world().Anchors() {
		if a.Generation != 2 {
			continue
		}
		der := a.DER
		if a.Authority == sandbox.Sign { // one of them in PEM
			der = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("jpki-%v-2023.cer", a.Authority)), der, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "tashikad.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleLoads(t *testing.T) {
	if _, err := LoadConfig(example); err != nil {
		t.Error(err)
	}
	c, err := LoadConfig(exampleDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Revocation.StateDir); err == nil {
		t.Error("Check made a state directory")
	}
}

// TestConfigIsStrict: each change of the example, alone, is refused, and the error says what it is about.
func TestConfigIsStrict(t *testing.T) {
	path := exampleDir(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pin := "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for _, c := range []struct{ name, from, to, mention string }{
		{"unknown_field", "log:\n", "colour: red\nlog:\n", "colour"},
		{"unknown_field_inside", "  format: json", "  format: json\n  colour: red", "colour"},
		{"field_twice", "profiles_dir: \"\"", "profiles_dir: \"\"\nprofiles_dir: \"\"", "profiles_dir"},
		{"duration_without_unit", "ttl: 5m", "ttl: 300", "time.Duration"},
		{"no_tls", "    key_file", "    #key_file", "key_file"},
		{"plaintext_beside_tls", "plaintext: \"\" ", "plaintext: loopback-only ", "exclude"},
		{"plaintext_unnamed", "plaintext: \"\" ", "plaintext: yes-please ", "loopback-only"},
		{"no_port", "grpc: 127.0.0.1:0", "grpc: 127.0.0.1", "listen.grpc"},
		{"no_client_ca_for_a_name", "    client_ca_file", "    #client_ca_file", "client_ca_file"},
		{"party_twice", "name: clinic-network", "name: kiosk-chain", "twice"},
		{"party_name", "name: clinic-network", "name: Clinic Network", "name"},
		{"party_without_uses", "    uses: [health-insurance]\n", "", "uses"},
		{"party_unknown_use", "uses: [health-insurance]", "uses: [bakery]", "bakery"},
		{"token_in_the_clear", "[2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae]", "[my-token]", "bearer_token_sha256"},
		{"pin_short", pin, pin[2:], "spki_sha256"},
		{"san_of_no_kind", "dns:kyc.bank.example", "kyc.bank.example", "san"},
		{"rate_negative", "per_second: 200", "per_second: -1", "rate"},
		{"rate_not_a_number", "per_second: 200", "per_second: .nan", "rate"},
		{"anchor_of_no_authority", "ca: sign", "ca: other", "other"},
		{"anchor_missing", "jpki-sign-2023.cer", "nothing.cer", "nothing.cer"},
		{"anchors_of_the_other_set", "set: sandbox", "set: production", "pinned"},
		{"policy_kind", "    MOBILE_AUTH:", "    MOBILE:", "MOBILE"},
		{"policy_not_oid", sandbox.PolicyMobileAuth, "x.y", "policies"},
		{"policy_missing", "    MOBILE_SIGN:", "    CARD_SIGN:", "MOBILE_SIGN"},
		{"profiles_missing", "profiles_dir: \"\"", "profiles_dir: nowhere", "profiles_dir"},
		{"hash", "ocsp_hash: SHA-1", "ocsp_hash: MD5", "MD5"},
		{"source_partition", "CN=Tsukuba-shi", "Tsukuba-shi", "partition"},
		{"source_key", "issuer_key_id: \"\"", "issuer_key_id: 00ff", "00ff"},
		{"source_url", "http://lists.example", "ftp://lists.example", "auth-tsukuba"},
		{"challenge_for_ever", "ttl: 5m", "ttl: 48h", "TTL"},
		{"devices_missing", "devices_file: \"\"", "devices_file: nothing.yaml", "nothing.yaml"},
		{"no_fingerprint_key", "\nfingerprint_key_file", "\n#fingerprint_key_file", "fingerprint_key_file"},
		{"deadlines_crossed", "default_deadline: 10s", "default_deadline: 31s", "default_deadline"},
		{"deadline_below_ocsp", "default_deadline: 10s", "default_deadline: 1s", "ocsp_timeout"},
		{"message_too_small", "max_message_bytes: 4194304", "max_message_bytes: 1000", "max_message_bytes"},
		{"log_level", "level: INFO", "level: LOUD", "LOUD"},
		{"log_format", "format: json", "format: xml", "xml"},
		{"metrics_exposed", "address: 127.0.0.1:0", "address: 0.0.0.0:9464", "loopback"},
		{"metrics_choice", "plaintext: loopback-only ", "plaintext: everywhere ", "metrics.plaintext"},
	} {
		t.Run("bad_"+c.name, func(t *testing.T) {
			if !strings.Contains(string(data), c.from) {
				t.Fatalf("%q is not in the example", c.from)
			}
			changed := filepath.Join(filepath.Dir(path), "changed.yaml")
			if err := os.WriteFile(changed, []byte(strings.Replace(string(data), c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			config, err := LoadConfig(changed)
			if err == nil {
				err = config.Check()
			}
			if err == nil || !strings.Contains(err.Error(), c.mention) {
				t.Errorf("%v; it should say %q", err, c.mention)
			}
		})
	}
}

// TestPlaintextIsLoopback: the named choice allows literal loopback addresses and nothing else.
func TestPlaintextIsLoopback(t *testing.T) {
	for address, good := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "127.9.9.9:1": true, "0.0.0.0:0": false, ":0": false,
		"localhost:0": false, "192.0.2.1:0": false, "[::]:0": false, "127.0.0.1:http": false, "127.0.0.1:65536": false} {
		c := testConfig()
		c.Listen.GRPC = address
		if err := c.complete(); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := testConfig()
	c.RelyingParties[0].MTLS.SPKISHA256 = hashOf("x")
	if c.complete() == nil {
		t.Error("mtls without TLS")
	}
}

// TestReloadKeepsTheLimiter: a reload is no way to a fresh burst, unless the rate was changed.
func TestReloadKeepsTheLimiter(t *testing.T) {
	configs := []RelyingParty{{Name: "a", Rate: Rate{1, 2}}, {Name: "b", Rate: Rate{1, 2}}}
	before := newParties(configs, nil)
	next := slices.Clone(configs)
	next[1].Rate.Burst = 3
	after := newParties(next, before)
	if after.all[0].limiter != before.all[0].limiter || after.all[1].limiter == before.all[1].limiter {
		t.Error("limiters")
	}
}
