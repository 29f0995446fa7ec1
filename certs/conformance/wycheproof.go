package conformance

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// wycheproofFile is the part of a test file that a verification needs.
type wycheproofFile struct {
	TestGroups []struct {
		Type       string
		Key        string `json:"publicKeyDer"`
		Hash       string `json:"sha"`
		MGFHash    string `json:"mgfSha"`
		SaltLength *int   `json:"sLen"`
		Tests      []wycheproofTest
	} `json:"testGroups"`
}

type wycheproofTest struct {
	ID                        int `json:"tcId"`
	Comment, Msg, Sig, Result string
}

// wycheproofTypes are the kinds of groups that ask for a verification.
var wycheproofTypes = map[string]string{
	"RsassaPkcs1Verify": "rsa-pkcs1", "RsassaPssVerify": "rsa-pss", "RsassaPssWithParametersVerify": "rsa-pss",
	"EcdsaVerify": "ecdsa", "EcdsaP1363Verify": "ecdsa-p1363",
}

// readWycheproof reads every file of a folder. What Wycheproof calls acceptable (a DigestInfo
// without NULL, here) is expected to be refused: RFC 8017 appendix A.2.4 demands the NULL, and
// two encodings of one signature are one too many.
func readWycheproof(dir string) ([]Case, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*_test.json.gz"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no test files in %s: %v", dir, err)
	}
	var cases []Case
	for _, name := range names {
		file, err := readWycheproofFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		base := strings.TrimSuffix(filepath.Base(name), "_test.json.gz")
		for _, group := range file.TestGroups {
			kind, known := wycheproofTypes[group.Type]
			key, err := hex.DecodeString(group.Key)
			if !known || err != nil {
				return nil, fmt.Errorf("%s: group of type %q: %v", name, group.Type, err)
			}
			algorithm := &Algorithm{Type: kind, Hash: group.Hash}
			if kind == "rsa-pss" {
				algorithm.MGFHash, algorithm.SaltLength = group.MGFHash, group.SaltLength
			}
			for _, test := range group.Tests {
				c, err := test.read(base)
				if err != nil {
					return nil, fmt.Errorf("%s: %d: %w", name, test.ID, err)
				}
				c.PublicKey, c.Algorithm = key, algorithm
				cases = append(cases, c)
			}
		}
	}
	return cases, nil
}

func (t wycheproofTest) read(file string) (Case, error) {
	if t.Result == "acceptable" {
		t.Result = "invalid"
	}
	ok, err := valid(t.Result, "valid", "invalid")
	if err != nil {
		return Case{}, err
	}
	message, err := hex.DecodeString(t.Msg)
	if err != nil {
		return Case{}, err
	}
	sig, err := hex.DecodeString(t.Sig)
	return Case{
		Name: t.Comment, Valid: ok,
		Line: Line{
			ID: fmt.Sprintf("%s/%d", file, t.ID), Message: message, Signature: sig,
			AllowSHA1: true, // MGF1 with SHA-1, and SHA-1 itself, are among the parameters
		},
	}, err
}

func readWycheproofFile(name string) (file wycheproofFile, err error) {
	f, err := os.Open(name)
	if err != nil {
		return file, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return file, err
	}
	return file, json.NewDecoder(z).Decode(&file)
}
