package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/server/challenge"
	"github.com/tashika-jp/tashika/server/device"
	"github.com/tashika-jp/tashika/server/revocation"
)

// state is everything that configuration decides, ready for work. It is immutable; a call takes it once.
type state struct {
	config         Config
	profiles       profile.Set
	anchors        *anchors.Set
	parties        *parties
	devices        *device.List
	fingerprintKey []byte
	fingerprinters *sync.Pool   // of *fingerprinter
	tls            *keys        // nil: plaintext
	cache          *certs.Cache // of this set of anchors
	evidence       revocation.Config
}

// Bounds of the files that a configuration names.
const (
	maxAnchorFile = 64 << 10
	maxKeyFile    = 4 << 10
	maxDeviceFile = 2 << 20
)

// newState reads every file that the configuration names and makes what they say. before is
// the state that it is to replace, or nil.
func newState(c Config, before *state) (*state, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s := &state{config: c}
	var old *parties
	if before != nil {
		old = before.parties
	}
	s.parties = newParties(c.RelyingParties, old)
	for _, step := range []func() error{s.readProfiles, s.readAnchors, s.readDevices, s.readTLS,
		func() error { return s.readFingerprintKey(before) }} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	var err error
	if s.evidence, err = c.Revocation.evidence(s.anchors, s.profiles); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.evidence.Clock = c.Clock
	s.fingerprinters = newFingerprinters(s.fingerprintKey)
	s.cache = certs.NewCache(*c.Limits.CachedCertificates)
	return s, nil
}

// Check says whether the configuration is right, with every file that it names. It starts
// nothing and changes nothing.
func (c Config) Check() error {
	s, err := newState(c, nil)
	if err != nil {
		return err
	}
	if _, err := challenge.New(s.challenges()); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	memoryOnly := s.evidence
	memoryOnly.StateDir = "" // it belongs to the process that serves
	living, err := revocation.New(memoryOnly)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return living.Close()
}

func (s *state) challenges() challenge.Config {
	return challenge.Config{TTL: s.config.Challenge.TTL, Capacity: s.config.Challenge.Capacity, Clock: s.config.Clock}
}

func (s *state) readProfiles() error {
	var override fs.FS
	if dir := s.config.ProfilesDir; dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("profiles_dir: %s is not a folder", dir)
		}
		override = os.DirFS(dir)
	}
	var err error
	if s.profiles, err = profile.Load(override); err != nil {
		return err
	}
	for _, p := range s.profiles {
		// An outage of OCSP must leave the time to say so.
		if p.Revocation.OCSPTimeout >= s.config.Limits.DefaultDeadline {
			return fmt.Errorf("the profile %s has an ocsp_timeout of %v, not below limits.default_deadline of %v",
				p.Name(), p.Revocation.OCSPTimeout, s.config.Limits.DefaultDeadline)
		}
	}
	return nil
}

func (s *state) readAnchors() error {
	c := anchors.Config{Set: s.config.Anchors.Set, Named: s.config.Anchors.Named, Policies: map[profile.Kind][]pkix.OID{}}
	for name, oids := range s.config.Anchors.Policies {
		var kind profile.Kind
		if err := kind.UnmarshalText([]byte(name)); err != nil {
			return fmt.Errorf("anchors.policies: %w", err)
		}
		for _, dotted := range oids {
			oid, err := pkix.ParseOID(dotted)
			if err != nil {
				return fmt.Errorf("anchors.policies: %s: %w", name, err)
			}
			c.Policies[kind] = append(c.Policies[kind], oid)
		}
	}
	for _, f := range s.config.Anchors.Files {
		der, err := readCertificate(f.File)
		if err != nil {
			return fmt.Errorf("anchors.files: %w", err)
		}
		c.Sources = append(c.Sources, anchors.Source{DER: der, CA: f.CA})
	}
	c.Sources = append(c.Sources, s.config.AnchorSources...)
	var err error
	s.anchors, err = anchors.New(c)
	return err
}

// readCertificate reads a certificate in DER or PEM.
func readCertificate(path string) ([]byte, error) {
	data, err := readBounded(path, maxAnchorFile)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(data); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s has a %s, not a CERTIFICATE", path, block.Type)
		}
		return block.Bytes, nil
	}
	return data, nil
}

func (s *state) readDevices() error {
	var override []byte
	if path := s.config.DevicesFile; path != "" {
		data, err := readBounded(path, maxDeviceFile)
		if err != nil {
			return err
		}
		override = append([]byte{}, data...) // an empty file is not "none" (device.Load)
	}
	var err error
	s.devices, err = device.Load(override)
	return err
}

func (s *state) readFingerprintKey(before *state) error {
	path := s.config.FingerprintKeyFile
	if path == "" { // complete allows this for plaintext on loopback only
		if before != nil && before.config.FingerprintKeyFile == "" {
			s.fingerprintKey = before.fingerprintKey
			return nil
		}
		s.fingerprintKey = make([]byte, sha256.Size)
		_, _ = rand.Read(s.fingerprintKey) // never fails (crypto/rand)
		return nil
	}
	key, err := readBounded(path, maxKeyFile)
	if err != nil {
		return err
	}
	if len(key) < sha256.Size {
		return errors.New("fingerprint_key_file has fewer than 32 bytes")
	}
	s.fingerprintKey = key
	return nil
}
