package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// maxConfigBytes bounds what LoadConfig reads.
const maxConfigBytes = 16 << 20

// LoadConfig reads a configuration. It is strict: an unknown field is an error. Relative paths in the file are
// relative to its folder. The files that it names are not opened; Check does that.
func LoadConfig(path string) (Config, error) {
	data, err := readBounded(path, maxConfigBytes)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := yaml.Load(data, &c, yaml.WithKnownFields()); err != nil {
		return Config{}, fmt.Errorf("server: %s: %w", path, err)
	}
	c.resolve(filepath.Dir(path))
	if err := c.complete(); err != nil {
		return Config{}, fmt.Errorf("server: %s: %w", path, err)
	}
	return c, nil
}

// readBounded reads a file whose size is nobody's word.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("server: %s has %d bytes, more than %d", path, info.Size(), limit)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return data, nil
}

// resolve makes paths relative to the folder absolute.
func (c *Config) resolve(folder string) {
	paths := []*string{&c.Listen.TLS.CertificateFile, &c.Listen.TLS.KeyFile, &c.Listen.TLS.ClientCAFile,
		&c.ProfilesDir, &c.DevicesFile, &c.FingerprintKeyFile, &c.Revocation.StateDir}
	for i := range c.Anchors.Files {
		paths = append(paths, &c.Anchors.Files[i].File)
	}
	for i := range c.Revocation.Sources {
		paths = append(paths, &c.Revocation.Sources[i].Directory, &c.Revocation.Sources[i].Manifest)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
}

// complete fills in defaults and checks all that can be checked without opening a file.
func (c *Config) complete() error {
	c.RelyingParties = slices.Clone(c.RelyingParties) // the caller's stay as they are
	l := &c.Limits
	or(&l.MaxConcurrent, 1024)
	or(&l.MaxMessageBytes, 4<<20)
	or(&l.DefaultDeadline, 10*time.Second)
	or(&l.MaxDeadline, 30*time.Second)
	or(&l.MaxStreams, 256)
	or(&l.MaxInFlight, 256)
	or(&l.StreamIdle, 5*time.Minute)
	or(&l.StreamAge, 15*time.Minute)
	or(&l.ShutdownGrace, 30*time.Second)
	if l.CachedCertificates == nil {
		certificates := 4096
		l.CachedCertificates = &certificates
	}
	or(&c.Log.Format, "json")
	or(&c.Metrics.Address, "127.0.0.1:9464")
	or(&c.Metrics.Plaintext, loopbackOnly)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	for i := range c.RelyingParties {
		r := &c.RelyingParties[i].Rate
		or(&r.PerSecond, 100)
		or(&r.Burst, max(1, int(2*r.PerSecond)))
	}
	return errors.Join(c.Listen.check(), c.checkParties(), c.checkAnchors(), l.check(), c.Metrics.check(), c.checkRest())
}

// or sets a value that is zero to its default.
func or[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func (l *Listen) check() error {
	plaintext := l.Plaintext == loopbackOnly
	switch {
	case l.Plaintext != "" && !plaintext:
		return fmt.Errorf("listen.plaintext: %q is not a choice; it is %s or nothing", l.Plaintext, loopbackOnly)
	case plaintext && l.TLS != TLS{}:
		return errors.New("listen: plaintext and tls exclude each other")
	case !plaintext && (l.TLS.CertificateFile == "" || l.TLS.KeyFile == ""):
		return errors.New("listen.tls: certificate_file and key_file are required; for a sandbox on this machine say plaintext: " + loopbackOnly)
	}
	for _, door := range []struct{ name, address string }{{"grpc", l.GRPC}, {"http", l.HTTP}} {
		if err := checkAddress(door.address, plaintext); err != nil {
			return fmt.Errorf("listen.%s: %w", door.name, err)
		}
	}
	if l.GRPC == l.HTTP && !isPort0(l.GRPC) {
		return errors.New("listen: the two doors have one address")
	}
	return nil
}

// checkAddress wants host:port with a number for the port, and a literal loopback address if only that is allowed:
// "localhost" is whatever the resolver says.
func checkAddress(address string, loopback bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not a port", port)
	}
	ip, err := netip.ParseAddr(host)
	if loopback && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a literal loopback address, such as 127.0.0.1: without TLS nothing else is allowed", host)
	}
	return nil
}

func isPort0(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port == "0"
}

func (l *Limits) check() error {
	switch {
	case l.MaxConcurrent < 1 || l.MaxConcurrent > 1<<20:
		return errors.New("limits.max_concurrent must be between 1 and 1048576")
	case l.MaxMessageBytes < 1200<<10 || l.MaxMessageBytes > 64<<20:
		return errors.New("limits.max_message_bytes must be between 1228800, which the largest request without CMS needs, and 67108864")
	case l.DefaultDeadline < 100*time.Millisecond || l.DefaultDeadline > l.MaxDeadline:
		return errors.New("limits.default_deadline must be at least 100ms and at most max_deadline")
	case l.MaxDeadline > 10*time.Minute:
		return errors.New("limits.max_deadline must be at most 10m")
	case l.MaxStreams < 1 || l.MaxStreams > 1<<16:
		return errors.New("limits.max_streams must be between 1 and 65536")
	case l.MaxInFlight < 1 || l.MaxInFlight > 1<<12:
		return errors.New("limits.max_in_flight must be between 1 and 4096")
	case l.StreamIdle <= l.MaxDeadline || l.StreamIdle > 24*time.Hour:
		return errors.New("limits.stream_idle must be above max_deadline, for an item may take so long, and at most 24h")
	case l.StreamAge < time.Second || l.StreamAge > 24*time.Hour:
		return errors.New("limits.stream_age must be between 1s and 24h")
	case *l.CachedCertificates < 0 || *l.CachedCertificates > 1<<20:
		return errors.New("limits.cached_certificates must be between 0 and 1048576")
	case l.ShutdownGrace < 0 || l.ShutdownGrace > 10*time.Minute:
		return errors.New("limits.shutdown_grace must be at most 10m")
	}
	return nil
}

func (m *Metrics) check() error {
	if m.Plaintext != loopbackOnly && m.Plaintext != anyAddress {
		return fmt.Errorf("metrics.plaintext: %q is not a choice; it is %s or %s", m.Plaintext, loopbackOnly, anyAddress)
	}
	if m.Address == noMetrics {
		return nil
	}
	if err := checkAddress(m.Address, m.Plaintext == loopbackOnly); err != nil {
		return fmt.Errorf("metrics.address: %w", err)
	}
	return nil
}

func (c *Config) checkAnchors() error {
	if c.Anchors.Set == "" || len(c.Anchors.Files)+len(c.AnchorSources) == 0 {
		return errors.New("anchors: set and files are required")
	}
	for i, f := range c.Anchors.Files {
		if f.File == "" || f.CA == 0 {
			return fmt.Errorf("anchors.files: entry %d needs file and ca", i+1)
		}
	}
	return nil
}

func (c *Config) checkRest() error {
	r := c.Revocation
	switch {
	case len(r.Sources)+len(r.Responders) == 0 && !r.AllowAIA:
		return errors.New("revocation: without sources, responders and allow_aia every status would be UNKNOWN")
	case c.FingerprintKeyFile == "" && c.Listen.Plaintext != loopbackOnly:
		return errors.New("fingerprint_key_file is required")
	case c.Log.Format != "json" && c.Log.Format != "text":
		return fmt.Errorf("log.format: %q is not a choice; it is json or text", c.Log.Format)
	case c.Metrics.Address != noMetrics && !isPort0(c.Metrics.Address) && slices.Contains([]string{c.Listen.GRPC, c.Listen.HTTP}, c.Metrics.Address):
		return errors.New("metrics.address is that of a door")
	}
	return nil
}

var partyName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
