package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
)

// openssl runs the program, or skips.
func openssl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pemFiles writes the key and the certificate of a holder.
func (h *holder) pemFiles(t testing.TB, dir, name string) (key, cert string) {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(h.key)
	if err != nil {
		t.Fatal(err)
	}
	key = writeFile(t, filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	cert = writeFile(t, filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.cert.Raw}))
	return key, cert
}

// opensslMessages are made by openssl cms -sign with every option that changes a message.
func opensslMessages(t testing.TB, dir string, content []byte) map[string]*vector {
	t.Helper()
	file := writeFile(t, filepath.Join(dir, "content"), content)
	signers := make([][]string, 3)
	for i, name := range []string{"rsa", "p256", "p384"} {
		key, cert := holders()[i].pemFiles(t, dir, name)
		signers[i] = []string{"-signer", cert, "-inkey", key}
	}
	pss := []string{"-keyopt", "rsa_padding_mode:pss"}
	out := map[string]*vector{}
	for name, args := range map[string][]string{
		"good_rsa_attached":       append([]string{"-nodetach"}, signers[0]...),
		"good_rsa_detached":       signers[0],
		"good_rsa_sha512":         append([]string{"-nodetach", "-md", "sha512"}, signers[0]...),
		"bad_rsa_sha1":            append([]string{"-nodetach", "-md", "sha1"}, signers[0]...),
		"good_rsa_stream":         append([]string{"-nodetach", "-stream"}, signers[0]...),
		"good_rsa_keyid":          append([]string{"-nodetach", "-keyid"}, signers[0]...),
		"good_rsa_noattr":         append([]string{"-nodetach", "-noattr"}, signers[0]...),
		"good_rsa_noattr_stream":  append([]string{"-nodetach", "-noattr", "-indef"}, signers[0]...),
		"good_rsa_nocerts":        append([]string{"-nodetach", "-nocerts"}, signers[0]...),
		"good_rsa_cades":          append([]string{"-nodetach", "-cades"}, signers[0]...),
		"good_rsa_cades_sha384":   append([]string{"-nodetach", "-cades", "-md", "sha384"}, signers[0]...),
		"good_rsa_type":           append([]string{"-nodetach", "-econtent_type", "1.2.840.113549.1.9.16.1.4"}, signers[0]...),
		"good_pss":                append(append([]string{"-nodetach"}, signers[0]...), pss...),
		"good_pss_salt":           append(append(append([]string{"-nodetach"}, signers[0]...), pss...), "-keyopt", "rsa_pss_saltlen:7"),
		"good_pss_salt_max":       append(append(append([]string{"-nodetach"}, signers[0]...), pss...), "-keyopt", "rsa_pss_saltlen:-2"),
		"bad_pss_mgf1_sha1":       append(append(append([]string{"-nodetach"}, signers[0]...), pss...), "-keyopt", "rsa_mgf1_md:sha1"),
		"good_p256":               append([]string{"-nodetach"}, signers[1]...),
		"good_p256_sha512":        append([]string{"-nodetach", "-md", "sha512"}, signers[1]...),
		"good_p384_stream_keyid":  append([]string{"-nodetach", "-stream", "-keyid", "-md", "sha384"}, signers[2]...),
		"good_p384_noattr":        append([]string{"-nodetach", "-noattr"}, signers[2]...),
		"good_three_signers":      append(append(append([]string{"-nodetach"}, signers[0]...), signers[1]...), signers[2]...),
		"good_three_cades_stream": append(append(append([]string{"-nodetach", "-cades", "-stream"}, signers[0]...), signers[1]...), signers[2]...),
	} {
		path := filepath.Join(dir, name)
		all := append([]string{"cms", "-sign", "-binary", "-in", file, "-outform", "DER", "-out", path}, args...)
		if text, err := openssl(t, all...); err != nil {
			t.Fatalf("%s: %v: %s", name, err, text)
		}
		ber, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &vector{name: name, ber: ber}
	}
	out["good_rsa_detached"].content = content
	out["good_rsa_nocerts"].beside = append(out["good_rsa_nocerts"].beside, holders()[0].cert)
	for _, name := range []string{"bad_rsa_sha1", "bad_pss_mgf1_sha1"} {
		out[name].want = ids(reason.CryptoConstraintsFailure)
	}
	return out
}

// TestOpenSSLMessages: what openssl signs is accepted, SHA-1 aside, and not with another content.
func TestOpenSSLMessages(t *testing.T) {
	for _, content := range [][]byte{[]byte("確か\n"), bytes.Repeat([]byte("stream "), 20_000)} {
		for name, v := range opensslMessages(t, t.TempDir(), content) {
			t.Run(fmt.Sprintf("%s_%d", name, len(content)), func(t *testing.T) {
				if got := judge(v.ber, v.content, v.beside...); fmt.Sprint(got) != fmt.Sprint(v.want) {
					t.Errorf("found %v, want %v", got, v.want)
				}
				if judge(v.ber, append(bytes.Clone(content), 0), v.beside...) == nil {
					t.Error("accepted with another content")
				}
				d, err := ParseCMS(v.ber)
				if err != nil {
					t.Fatal(err)
				}
				if !d.Detached && !bytes.Equal(d.Content, content) {
					t.Error("another content")
				}
				if strings.Contains(name, "noattr") == !d.Signers[0].SigningTime.IsZero() {
					t.Error("signing time", d.Signers[0].SigningTime)
				}
			})
		}
	}
}

// TestVectorsAgainstOpenSSL lets openssl judge our vectors.
func TestVectorsAgainstOpenSSL(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("a process for each of more than a hundred")
	}
	dir := t.TempDir()
	for _, v := range vectors(t) {
		if class := compare(t, dir, "vector", v); class != "" {
			t.Logf("%s: %s", v.name, class)
		}
	}
}

// TestMutationsAgainstOpenSSL: thousands of changed messages, on which both agree, or are known not to and why.
// The seed is fixed; TASHIKA_MUTATIONS asks for more of them.
func TestMutationsAgainstOpenSSL(t *testing.T) {
	n := 1200
	if testing.Short() || underRace {
		n = 100
	}
	if s := os.Getenv("TASHIKA_MUTATIONS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	var bases []*vector
	var others [][]byte
	for _, v := range opensslMessages(t, dir, []byte("m")) {
		bases = append(bases, v)
	}
	slices.SortFunc(bases, func(a, b *vector) int { return strings.Compare(a.name, b.name) })
	for _, v := range vectors(t) {
		if len(v.encoded()) > 0 && !strings.Contains(v.name, "seventeen") && !strings.Contains(v.name, "sixtyfive") && v.name != "bad_trailing_octet" {
			bases = append(bases, v)
		}
	}
	for _, v := range bases {
		if der, err := toDER(v.ber); err == nil {
			v.ber = der
			others = append(others, der)
		}
	}
	source := rand.New(rand.NewPCG(1, uint64(n)))
	work := make(chan *vector)
	var wg sync.WaitGroup
	var mu sync.Mutex
	classes, judged := map[string]int{}, map[bool]int{}
	for worker := range 2 {
		wg.Go(func() {
			for v := range work {
				class, good := compare(t, dir, fmt.Sprint(worker), v), judge(v.ber, v.content, v.beside...) == nil
				mu.Lock()
				classes[class]++
				judged[good]++
				mu.Unlock()
			}
		})
	}
	for i := range n {
		base := bases[source.IntN(len(bases))]
		work <- &vector{name: fmt.Sprintf("%s, mutation %d", base.name, i), ber: mutate(source, base.ber, others), content: base.content, beside: base.beside}
	}
	close(work)
	wg.Wait()
	t.Logf("%d mutations, %d of them accepted; disagreements by class: %v", n, judged[true], classes)
	if judged[true] == 0 || judged[false] == 0 {
		t.Error("all the same: the mutations prove nothing")
	}
}
