package signature

import (
	"compress/gzip"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wycheproof is a file of C2SP/wycheproof.
type wycheproof struct {
	NumberOfTests int
	TestGroups    []struct {
		Type         string
		Sha, MgfSha  string
		SLen         int
		PublicKeyDer string
		Tests        []struct {
			TcID    int    `json:"tcId"`
			Comment string `json:"comment"`
			Msg     string
			Sig     string
			Result  string
			Flags   []string
		}
	}
}

var wycheproofSchemes = map[string]Scheme{
	"RsassaPkcs1Verify": RSASSA_PKCS1_V15, "RsassaPssVerify": RSASSA_PSS, "RsassaPssWithParametersVerify": RSASSA_PSS,
	"EcdsaVerify": ECDSA, "EcdsaP1363Verify": ECDSA_P1363,
}

func readWycheproof(t *testing.T, path string) (file wycheproof) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWycheproof runs every test of every file under a name of its own. "acceptable" is refused: all of them are a
// DigestInfo without NULL.
func TestWycheproof(t *testing.T) {
	hashes := map[string]crypto.Hash{"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}
	paths, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "conformance", "wycheproof", "*.json.gz"))
	if len(paths) == 0 {
		t.Skip("no shared conformance material")
	}
	files, tests, acceptable := 0, 0, 0
	for _, path := range paths {
		files++
		t.Run(strings.TrimSuffix(filepath.Base(path), "_test.json.gz"), func(t *testing.T) {
			file := readWycheproof(t, path)
			run := 0
			for _, group := range file.TestGroups {
				scheme, known := wycheproofSchemes[group.Type]
				if !known {
					t.Fatalf("tests of type %s", group.Type)
				}
				spki, err := hex.DecodeString(group.PublicKeyDer)
				if err != nil {
					t.Fatal(err)
				}
				algorithm := Algorithm{Scheme: scheme, Hash: hashes[group.Sha]}
				if scheme == RSASSA_PSS {
					algorithm.MGFHash, algorithm.SaltLength = hashes[group.MgfSha], group.SLen
				}
				k, err := parseSPKI(spki)
				withParameters := group.Type == "RsassaPssWithParametersVerify"
				if err != nil {
					t.Fatalf("key: %v", err)
				}
				for _, test := range group.Tests {
					run++
					t.Run(fmt.Sprintf("%d_%s", test.TcID, test.Result), func(t *testing.T) {
						msg, _ := hex.DecodeString(test.Msg)
						sig, _ := hex.DecodeString(test.Sig)
						accepted := k.Verify(algorithm, msg, sig) == nil
						if want := test.Result == "valid"; accepted != want {
							t.Errorf("%s: accepted=%v, want %s (%+v)", test.Comment, accepted, test.Result, algorithm)
						}
						if test.Result == "acceptable" {
							acceptable++
							if len(test.Flags) != 1 || test.Flags[0] != "MissingNull" {
								t.Errorf("acceptable for %v: not known why it is refused", test.Flags)
							}
						}
						// The key's parameters hold for every signature, and for RSASSA-PSS alone.
						if withParameters {
							shorter := algorithm
							shorter.SaltLength--
							if k.Permits(shorter) || k.Fits(RSASSA_PKCS1_V15) || !k.Permits(algorithm) {
								t.Errorf("%s permits other parameters than %+v", k, algorithm)
							}
						}
					})
				}
			}
			if run != file.NumberOfTests {
				t.Errorf("%d of %d tests run", run, file.NumberOfTests)
			}
			tests += run
		})
	}
	t.Logf("%d files, %d tests; %d acceptable and refused", files, tests, acceptable)
}
