package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/profile"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// TestTokens: who may call, at both doors.
func TestTokens(t *testing.T) {
	r := start(t, nil)
	for _, c := range []struct {
		name          string
		authorization []string
		failure       failure
	}{
		{"good", []string{"Bearer " + kioskToken}, ""},
		{"good_scheme_in_lower_case", []string{"bearer " + kioskToken}, ""},
		{"bad_none", nil, credentialsMissing},
		{"bad_empty", []string{""}, credentialsUnknown},
		{"bad_empty_token", []string{"Bearer "}, credentialsUnknown},
		{"bad_scheme", []string{"Basic " + kioskToken}, credentialsUnknown},
		{"bad_prefix", []string{"Bearer " + kioskToken[:40]}, credentialsUnknown},
		{"bad_longer", []string{"Bearer " + kioskToken + "x"}, credentialsUnknown},
		{"bad_short", []string{"Bearer x"}, credentialsUnknown},
		{"bad_hash_instead_of_token", []string{"Bearer " + hashOf(kioskToken)[0]}, credentialsUnknown},
		{"bad_twice", []string{"Bearer " + kioskToken, "Bearer " + kioskToken}, credentialsUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			md := metadata.MD{}
			request, _ := http.NewRequest(http.MethodGet, r.base+"/v1/devices", nil)
			for _, a := range c.authorization {
				md.Append("authorization", a)
				request.Header.Add("Authorization", a)
			}
			_, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(metadata.NewOutgoingContext(context.Background(), md), &tashikav1.ListDevicesRequest{})
			if reasonOf(err) != c.failure {
				t.Errorf("gRPC: %v", err)
			}
			response, err := r.http.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			drain(response)
			code := http.StatusOK
			if c.failure != "" {
				code = http.StatusUnauthorized
			}
			if response.StatusCode != code || (c.failure != "") != (response.Header.Get("WWW-Authenticate") == "Bearer") {
				t.Errorf("HTTP: %d", response.StatusCode)
			}
		})
	}
}

// TestWhatIsPublic: health is, reflection and names that do not exist are not.
func TestWhatIsPublic(t *testing.T) {
	r := refreshed(t, nil)
	if _, err := healthv1.NewHealthClient(r.conn).Check(context.Background(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	reflect := func(ctx context.Context) error {
		stream, err := reflectionv1.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx)
		if err != nil {
			return err
		}
		_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		_ = stream.CloseSend()
		answer, err := stream.Recv()
		if err == nil && len(answer.GetListServicesResponse().GetService()) < 5 {
			t.Errorf("%v", answer)
		}
		return err
	}
	want(t, "reflection for anybody", reflect(context.Background()), credentialsMissing, "")
	if err := reflect(as(kioskToken)); err != nil {
		t.Error(err)
	}
	for token, f := range map[string]failure{"": credentialsMissing, kioskToken: methodUnknown} {
		for _, method := range []string{"/tashika.v1.VerificationService/Nothing", "/no.Service/Nothing"} {
			err := r.conn.Invoke(as(token), method, &healthv1.HealthCheckRequest{}, &healthv1.HealthCheckResponse{})
			want(t, method, err, f, "")
		}
	}
	for path, code := range map[string]int{"/healthz": 200, "/readyz": 200, "/openapi.json": 200, "/v1/devices": 401, "/metrics": 404, "/": 404} {
		if a := r.do(http.MethodGet, path, "", nil); a.code != code {
			t.Errorf("%s: %d", path, a.code)
		}
	}
}

// TestSpoofedIdentity: a caller who sends what the HTTP door forwards gains nothing at either door.
func TestSpoofedIdentity(t *testing.T) {
	ca := newAuthority(t)
	victim := ca.issue(t, "victim", nil)
	r := start(t, func(c *Config) {
		c.Listen.Plaintext, c.Listen.TLS = "", ca.files(t)
		c.FingerprintKeyFile = keyFile(t)
		c.RelyingParties = append(c.RelyingParties, RelyingParty{Name: "victim", Uses: profile.Uses, MTLS: MTLS{SPKISHA256: []string{pinOf(victim)}}},
			RelyingParty{Name: "named", Uses: profile.Uses, MTLS: MTLS{SAN: []string{"dns:named.example"}}})
	})
	forged := []string{forwardedPin, pinOf(victim), forwardedSAN, "dns:named.example"}
	_, err := tashikav1.NewDeviceServiceClient(ca.dial(t, r, nil)).ListDevices(as("", forged...), &tashikav1.ListDevicesRequest{})
	want(t, "gRPC", err, credentialsMissing, "")
	client := ca.client(nil)
	for _, prefix := range []string{"", "Grpc-Metadata-", "Grpcgateway-", "grpc-metadata-"} {
		request, _ := http.NewRequest(http.MethodGet, "https://"+r.HTTPAddr()+"/v1/devices", nil)
		for i := 0; i < len(forged); i += 2 {
			request.Header.Set(prefix+forged[i], forged[i+1])
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		drain(response)
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("HTTP, %q: %d", prefix, response.StatusCode)
		}
	}
}

// TestMutualTLS: pins, names and both, at both doors, with and without an authority.
func TestMutualTLS(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	pinned, named, both := ca.issue(t, "p", nil), ca.issue(t, "named.example", nil), ca.issue(t, "both.example", nil)
	spiffe, _ := url.Parse("spiffe://example/kyc")
	byURI := ca.issue(t, "x", spiffe)
	r := start(t, func(c *Config) {
		c.Listen.Plaintext, c.Listen.TLS = "", ca.files(t)
		c.FingerprintKeyFile = keyFile(t)
		c.RelyingParties = append(c.RelyingParties,
			RelyingParty{Name: "pinned", Uses: profile.Uses, MTLS: MTLS{SPKISHA256: []string{pinOf(pinned)}}},
			RelyingParty{Name: "named", Uses: profile.Uses, MTLS: MTLS{SAN: []string{"dns:named.example"}}},
			RelyingParty{Name: "uri", Uses: profile.Uses, MTLS: MTLS{SAN: []string{"uri:spiffe://example/kyc"}}},
			RelyingParty{Name: "both", Uses: profile.Uses, MTLS: MTLS{SPKISHA256: []string{pinOf(both)}, SAN: []string{"dns:both.example"}}})
	})
	for _, c := range []struct {
		name        string
		certificate *tls.Certificate
		token       string
		failure     failure
	}{
		{"good_pin", pinned, "", ""},
		{"good_name", named, "", ""},
		{"good_uri", byURI, "", ""},
		{"good_both", both, "", ""},
		{"good_token_only", nil, kioskToken, ""},
		{"good_token_with_nobody's_certificate", ca.issue(t, "mesh.example", nil), kioskToken, ""},
		{"bad_nobody's_certificate", ca.issue(t, "mesh.example", nil), "", credentialsUnknown},
		{"bad_name_without_its_pin", ca.issue(t, "both.example", nil), "", credentialsUnknown},
		{"bad_two_parties", pinned, kioskToken, credentialsConflict},
		{"bad_wrong_token_beside_right_certificate", pinned, kioskToken + "x", credentialsUnknown},
		{"bad_none", nil, "", credentialsMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tashikav1.NewDeviceServiceClient(ca.dial(t, r, c.certificate)).ListDevices(as(c.token), &tashikav1.ListDevicesRequest{})
			if reasonOf(err) != c.failure || c.failure == "" && err != nil {
				t.Errorf("gRPC: %v", err)
			}
			request, _ := http.NewRequest(http.MethodGet, "https://"+r.HTTPAddr()+"/v1/devices", nil)
			if c.token != "" {
				request.Header.Set("Authorization", "Bearer "+c.token)
			}
			response, err := ca.client(c.certificate).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			drain(response)
			if (response.StatusCode == http.StatusOK) != (c.failure == "") || response.ProtoMajor != 2 {
				t.Errorf("HTTP: %s %s", response.Proto, response.Status)
			}
		})
	}
	// The name of a party under a foreign authority: no connection at all.
	_, err := tashikav1.NewDeviceServiceClient(ca.dial(t, r, stranger.issue(t, "named.example", nil))).ListDevices(as(kioskToken), &tashikav1.ListDevicesRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a foreign authority: %v", err)
	}
	old := &tls.Config{RootCAs: ca.pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if _, err := tls.Dial("tcp", r.HTTPAddr(), old); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if response, err := http.Get("http://" + r.HTTPAddr() + "/healthz"); err == nil && response.StatusCode == http.StatusOK {
		t.Error("plaintext is spoken")
	}
}

// TestPinWithoutAuthority: a self-signed certificate is as good as its pin, and its names are nothing.
func TestPinWithoutAuthority(t *testing.T) {
	ca, own := newAuthority(t), newAuthority(t)
	mine := own.issue(t, "kiosk", nil)
	r := start(t, func(c *Config) {
		c.Listen.Plaintext, c.Listen.TLS = "", ca.files(t)
		c.Listen.TLS.ClientCAFile = ""
		c.FingerprintKeyFile = keyFile(t)
		c.RelyingParties = append(c.RelyingParties, RelyingParty{Name: "pinned", Uses: profile.Uses, MTLS: MTLS{SPKISHA256: []string{pinOf(mine)}}})
	})
	devices := func(c *tls.Certificate) error {
		_, err := tashikav1.NewDeviceServiceClient(ca.dial(t, r, c)).ListDevices(as(""), &tashikav1.ListDevicesRequest{})
		return err
	}
	if err := devices(mine); err != nil {
		t.Error(err)
	}
	want(t, "another", devices(own.issue(t, "kiosk", nil)), credentialsUnknown, "")
}

func drain(r *http.Response) {
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
}

// authority is one for TLS.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	server      *tls.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	a.certificate, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.certificate)
	a.server = a.issue(t, "localhost", nil)
	return a
}

func (a *authority) issue(t *testing.T, name string, uri *url.URL) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if uri != nil {
		template.URIs = []*url.URL{uri}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func pinOf(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// files writes the server's files.
func (a *authority) files(t *testing.T) TLS {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return TLS{CertificateFile: write("server.pem", "CERTIFICATE", a.server.Certificate[0]), KeyFile: write("server.key", "PRIVATE KEY", key),
		ClientCAFile: write("clients.pem", "CERTIFICATE", a.certificate.Raw)}
}

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fingerprint.key")
	if err := os.WriteFile(path, make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a *authority) config(c *tls.Certificate) *tls.Config {
	config := &tls.Config{RootCAs: a.pool, ServerName: "localhost"}
	if c != nil {
		// Shown whatever authorities the server names: who lies does not keep to them.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	return config
}

func (a *authority) dial(t *testing.T, r *running, c *tls.Certificate) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(r.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(a.config(c))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (a *authority) client(c *tls.Certificate) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: a.config(c), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
}

// TestRenewedCertificate serves from the reload on, and an authority that was taken out is out.
func TestRenewedCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	named := ca.issue(t, "named.example", nil)
	files, key := ca.files(t), keyFile(t)
	secure := func(c *Config) {
		c.Listen.Plaintext, c.Listen.TLS, c.FingerprintKeyFile = "", files, key
		c.RelyingParties = append(c.RelyingParties, RelyingParty{Name: "named", Uses: profile.Uses, MTLS: MTLS{SAN: []string{"dns:named.example"}}})
	}
	r := start(t, secure)
	devices := func() error {
		_, err := tashikav1.NewDeviceServiceClient(ca.dial(t, r, named)).ListDevices(as(""), &tashikav1.ListDevicesRequest{})
		return err
	}
	served := func(address string) *x509.Certificate {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ca.pool, ServerName: "localhost", NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	if err := devices(); err != nil {
		t.Fatal(err)
	}
	before := ca.server.Leaf
	ca.server = ca.issue(t, "localhost", nil)
	files = ca.files(t)
	files.ClientCAFile = other.files(t).ClientCAFile
	next := testConfig()
	secure(&next)
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{r.GRPCAddr(), r.HTTPAddr()} {
		if now := served(address); now.Equal(before) || !now.Equal(ca.server.Leaf) {
			t.Errorf("%s serves the old certificate", address)
		}
	}
	if status.Code(devices()) != codes.Unavailable {
		t.Error("a client of the authority that was taken out is let in")
	}
}
