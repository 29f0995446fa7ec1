package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/profile"
	"google.golang.org/grpc"
)

// Config is all that can be chosen. LoadConfig reads it from a YAML file, in which the fields have the names of
// their tags; server/tashikad.example.yaml has all of them. The fields without a name in YAML are for programs that
// embed the server.
type Config struct {
	// Listen says where the two doors are, and how they are locked.
	Listen Listen `yaml:"listen"`
	// RelyingParties are those who may call.
	RelyingParties []RelyingParty `yaml:"relying_parties"`
	// Anchors are the authorities that are trusted.
	Anchors Anchors `yaml:"anchors"`
	// ProfilesDir has profiles that replace the embedded ones, as USE.yaml. Empty means none.
	ProfilesDir string `yaml:"profiles_dir"`
	// Revocation says where lists and OCSP answers come from.
	Revocation Revocation `yaml:"revocation"`
	// Challenge bounds one-time challenges.
	Challenge Challenge `yaml:"challenge"`
	// DevicesFile is the operator's list of supported handsets, which replaces the embedded one. Empty means that one.
	DevicesFile string `yaml:"devices_file"`
	// FingerprintKeyFile holds the key of certificate fingerprints: at least 32 random bytes. Whoever has another key
	// gives other fingerprints, so keep it as long as they are stored anywhere. Required but for plaintext on loopback,
	// where empty means a random key for this process.
	FingerprintKeyFile string `yaml:"fingerprint_key_file"`
	// Limits bound what a caller and all callers together can use.
	Limits Limits `yaml:"limits"`
	// Log says what is logged to standard error.
	Log Log `yaml:"log"`
	// Metrics says where Prometheus finds us.
	Metrics Metrics `yaml:"metrics"`

	// Clock is the time of verifications; nil means time.Now. Rates, deadlines and durations are by the machine's.
	Clock func() time.Time `yaml:"-"`
	// Logger takes the log instead of standard error; Log is then without effect.
	Logger *slog.Logger `yaml:"-"`
	// AnchorSources are anchors beside those of Anchors.Files.
	AnchorSources []anchors.Source `yaml:"-"`
	// Services are offered beside our own, behind the same guard.
	Services []Service `yaml:"-"`
}

// Service is one that an embedding program adds.
type Service struct {
	// Register registers it at a gRPC server; it is called for each door.
	Register func(grpc.ServiceRegistrar)
	// Gateway registers its HTTP paths; nil means none.
	Gateway func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
}

// Listen says where the two doors are.
type Listen struct {
	// GRPC is the address of the gRPC door, host:port. Port 0 takes a free one.
	GRPC string `yaml:"grpc"`
	// HTTP is the address of the HTTP door, host:port.
	HTTP string `yaml:"http"`
	// Plaintext gives up TLS. The only choice is loopback-only: then both addresses must be literal loopback addresses.
	// Empty means TLS.
	Plaintext string `yaml:"plaintext"`
	// TLS holds what TLS needs; required without Plaintext.
	TLS TLS `yaml:"tls"`
}

// loopbackOnly is the named choice of no TLS.
const loopbackOnly = "loopback-only"

// TLS holds the files of both doors. They are read again on a reload.
type TLS struct {
	// CertificateFile has the server's certificate and its intermediates, PEM.
	CertificateFile string `yaml:"certificate_file"`
	// KeyFile has its private key, PEM.
	KeyFile string `yaml:"key_file"`
	// ClientCAFile has the authorities that client certificates must come from, PEM. Required where a relying party is
	// known by SAN. Without it a client certificate proves the possession of its key and nothing else, which is enough
	// for a pin.
	ClientCAFile string `yaml:"client_ca_file"`
}

// RelyingParty is one who may call. It is known by a token, or by its TLS client certificate, or by either.
type RelyingParty struct {
	// Name, unique: lower-case letters, digits, '.', '_' and '-'. It stands in logs, and challenges and fingerprints are bound to
	// it, so it is not to be given to another party later.
	Name string `yaml:"name"`
	// Uses that it has been granted. PRIVATE_IDENTITY_VERIFICATION lets it see holder attributes.
	Uses []profile.Use `yaml:"uses"`
	// BearerTokenSHA256 are the SHA-256 (64 hexadecimal digits) of its tokens, more than one while a token is changed.
	// A token is at least 32 random bytes in text form: openssl rand -base64 32.
	BearerTokenSHA256 []string `yaml:"bearer_token_sha256"`
	// MTLS says which client certificates are its own.
	MTLS MTLS `yaml:"mtls"`
	// Rate bounds its calls.
	Rate Rate `yaml:"rate"`
}

// MTLS describes client certificates. Where both lists are given, a certificate must fit both.
type MTLS struct {
	// SPKISHA256 are pins: the SHA-256 (64 hexadecimal digits) of the certificate's SubjectPublicKeyInfo.
	SPKISHA256 []string `yaml:"spki_sha256"`
	// SAN are subject alternative names, dns:NAME or uri:URI, compared exactly; any of them will do.
	SAN []string `yaml:"san"`
}

// Rate is a token bucket.
type Rate struct {
	// PerSecond is the number of calls that are granted in a second; 0 means 100.
	PerSecond float64 `yaml:"per_second"`
	// Burst is the number of calls at once; 0 means twice PerSecond.
	Burst int `yaml:"burst"`
}

// Anchors are the authorities that are trusted (package anchors).
type Anchors struct {
	// Set is production, for J-LIS's pinned certificates, or any other name, such as sandbox. The two never mix.
	Set string `yaml:"set"`
	// Files are the certificates.
	Files []AnchorFile `yaml:"files"`
	// Named are SHA-256 fingerprints of production certificates that are not pinned and that the operator answers for.
	Named []string `yaml:"named"`
	// Policies are the certificate policies (dotted decimal) by kind. Those of MOBILE_AUTH and MOBILE_SIGN are
	// required, because J-LIS does not publish them.
	Policies map[string][]string `yaml:"policies"`
}

// AnchorFile is a trusted certificate.
type AnchorFile struct {
	// File has the certificate, DER or PEM.
	File string `yaml:"file"`
	// CA is the authority that it is of: sign or auth.
	CA anchors.CA `yaml:"ca"`
}

// Challenge bounds one-time challenges.
type Challenge struct {
	// TTL is how long a challenge can be answered; 0 means 5m.
	TTL time.Duration `yaml:"ttl"`
	// Capacity is the greatest number of used, unexpired challenges in memory, some 40 bytes each; 0 means 1048576.
	Capacity int `yaml:"capacity"`
}

// Limits bound what can be used.
type Limits struct {
	// MaxConcurrent is the greatest number of calls and of items of streams and batches at work; 0 means 1024. More are turned away
	// at once. Streams and batches spread over the half of it, and leave the rest to single calls.
	MaxConcurrent int `yaml:"max_concurrent"`
	// MaxMessageBytes is the greatest size of a request; 0 means 4194304, which holds the
	// largest one: a CMS message with its content beside it. JSON may be a third larger, for its base64.
	MaxMessageBytes int `yaml:"max_message_bytes"`
	// DefaultDeadline is that of a caller who set none; 0 means 10s.
	DefaultDeadline time.Duration `yaml:"default_deadline"`
	// MaxDeadline is the greatest that a caller can ask for; 0 means 30s.
	MaxDeadline time.Duration `yaml:"max_deadline"`
	// MaxStreams is the greatest number of streams of items that one relying party has open; 0 means 256.
	MaxStreams int `yaml:"max_streams"`
	// MaxInFlight is the greatest number of one stream's items at work; 0 means 256. No more are read
	// until one is answered.
	MaxInFlight int `yaml:"max_in_flight"`
	// StreamIdle is how long a stream lasts on which nothing moves, because its caller does not send or does not
	// read; 0 means 5m. It may last twice as long.
	StreamIdle time.Duration `yaml:"stream_idle"`
	// StreamAge is how long a stream lasts; 0 means 15m. Then what was accepted is answered, and the caller opens another.
	StreamAge time.Duration `yaml:"stream_age"`
	// CachedCertificates is about how many certificates are remembered whose issuer's signature was right, some 4 kB each (certs.Cache);
	// nil means 4096, 0 none. Neither status nor validity is.
	CachedCertificates *int `yaml:"cached_certificates"`
	// ShutdownGrace is how long calls in flight may take to finish at the end; 0 means 30s.
	ShutdownGrace time.Duration `yaml:"shutdown_grace"`
}

// Log says what is logged.
type Log struct {
	// Level is DEBUG, INFO, WARN or ERROR; empty means INFO. INFO has one line for each call.
	Level slog.Level `yaml:"level"`
	// Format is json or text; empty means json.
	Format string `yaml:"format"`
}

// Metrics says where Prometheus finds us.
type Metrics struct {
	// Address of the listener for /metrics, host:port; empty means 127.0.0.1:9464, none means no listener.
	Address string `yaml:"address"`
	// Plaintext is loopback-only (also if empty), or any-address where the network is trusted: the listener has neither TLS
	// nor authentication.
	Plaintext string `yaml:"plaintext"`
}

// noMetrics and anyAddress are named choices of Metrics.
const (
	noMetrics  = "none"
	anyAddress = "any-address"
)
