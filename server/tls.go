package server

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// keys are what the doors prove themselves with, and what they ask of callers.
type keys struct{ grpc, http *tls.Config }

// readTLS reads the files of listen.tls.
func (s *state) readTLS() error {
	c := s.config.Listen.TLS
	if s.config.Listen.Plaintext == loopbackOnly {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.CertificateFile, c.KeyFile)
	if err != nil {
		return fmt.Errorf("listen.tls: %w", err)
	}
	// TLS is with the world outside, so its clock is the machine's.
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("listen.tls: %s expired at %v", c.CertificateFile, pair.Leaf.NotAfter)
	}
	// TLS 1.3 is chosen by every client that has it; kiosks are old, so 1.2 is left, with
	// the cipher suites that crypto/tls thinks secure.
	base := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	if c.ClientCAFile != "" {
		pem, err := readBounded(c.ClientCAFile, 1<<20)
		if err != nil {
			return fmt.Errorf("listen.tls: %w", err)
		}
		base.ClientCAs = x509.NewCertPool()
		if !base.ClientCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("listen.tls: %s has no certificate in PEM", c.ClientCAFile)
		}
		base.ClientAuth = tls.VerifyClientCertIfGiven
	}
	s.tls = &keys{grpc: base, http: base.Clone()}
	s.tls.grpc.NextProtos = []string{"h2"}
	s.tls.http.NextProtos = []string{"h2", "http/1.1"}
	return nil
}

// live is a TLS configuration that follows the state: a renewed certificate serves from the
// reload on. Sessions do not outlive the configuration they were made under, so a client
// authority that was taken out is out.
func (s *Server) live(choose func(*keys) *tls.Config) *tls.Config {
	first := choose(s.state.Load().tls).Clone()
	first.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return choose(s.state.Load().tls), nil }
	return first
}

// shows fills a claim with what a TLS client certificate shows.
func (c *claim) shows(state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	leaf := state.PeerCertificates[0]
	c.certified, c.pin = true, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	if len(state.VerifiedChains) == 0 {
		return // the names are the caller's own word
	}
	for _, name := range leaf.DNSNames {
		c.sans = append(c.sans, "dns:"+name)
	}
	for _, uri := range leaf.URIs {
		c.sans = append(c.sans, "uri:"+uri.String())
	}
}
