package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Config says which server to ask, and as whom.
type Config struct {
	// Target is the server, "host:port" or any other target of gRPC. Required.
	Target string
	// TLS holds the roots the server is verified by and, for mutual TLS, the client's
	// certificate. Nil means the system's roots and no certificate.
	TLS *tls.Config
	// Token is sent as a bearer token with every call. Empty means none.
	Token string
	// PlaintextLoopback gives up TLS, for a sandbox on this machine: the target must be
	// "localhost:port" or a loopback address with its port.
	PlaintextLoopback bool
	// Unary makes every call by itself. Otherwise calls of Verify and of CheckStatus that are made at the same time
	// share a stream of their own: see the package comment. It is for proxies that do not let streams through, and for
	// whoever has to find each call in the logs of one.
	Unary bool
	// UserAgent comes before gRPC's own in the user-agent header, such as "kiosk/3.1".
	UserAgent string
}

// Client asks one server. It is safe for concurrent use; make one and keep it.
type Client struct {
	conn         *grpc.ClientConn
	verification tashikav1.VerificationServiceClient
	certificates tashikav1.CertificateServiceClient
	revocation   tashikav1.RevocationServiceClient
	devices      tashikav1.DeviceServiceClient
	wait         func(context.Context, time.Duration) error // before another attempt

	// The two that may share streams, or not.
	verify      method[tashikav1.VerifyRequest, tashikav1.VerifyResponse]
	checkStatus method[tashikav1.CheckStatusRequest, tashikav1.CheckStatusResponse]
	sharing     []sharer
}

// sharer is a shared of any method.
type sharer interface {
	close()
	wait()
}

// New makes a client. It does not connect: the first call does.
func New(config Config) (*Client, error) {
	options, err := config.dialOptions()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(config.Target, options...)
	if err != nil {
		return nil, err
	}
	return newClient(conn, config.Unary), nil
}

func newClient(conn *grpc.ClientConn, unary bool) *Client {
	c := &Client{
		conn:         conn,
		verification: tashikav1.NewVerificationServiceClient(conn),
		certificates: tashikav1.NewCertificateServiceClient(conn),
		revocation:   tashikav1.NewRevocationServiceClient(conn),
		devices:      tashikav1.NewDeviceServiceClient(conn),
		wait:         wait,
	}
	c.verify, c.checkStatus = c.verification.Verify, c.certificates.CheckStatus
	if !unary {
		c.share()
	}
	return c
}

// share lets calls share streams.
func (c *Client) share() {
	verify := (&shared[tashikav1.VerifyRequest, tashikav1.VerifyResponse]{
		unary: c.verification.Verify,
		open:  func(ctx context.Context) (grpc.ClientStream, error) { return c.verification.VerifyStream(ctx) },
		item: func(id uint64, request *tashikav1.VerifyRequest, timeout *durationpb.Duration) proto.Message {
			return &tashikav1.VerifyStreamRequest{Id: id, Request: request, Timeout: timeout}
		},
		answer: func() answer[tashikav1.VerifyResponse] { return &tashikav1.VerifyStreamResponse{} },
	}).init()
	status := (&shared[tashikav1.CheckStatusRequest, tashikav1.CheckStatusResponse]{
		unary: c.certificates.CheckStatus,
		open:  func(ctx context.Context) (grpc.ClientStream, error) { return c.certificates.CheckStatusStream(ctx) },
		item: func(id uint64, request *tashikav1.CheckStatusRequest, timeout *durationpb.Duration) proto.Message {
			return &tashikav1.CheckStatusStreamRequest{Id: id, Request: request, Timeout: timeout}
		},
		answer: func() answer[tashikav1.CheckStatusResponse] { return &tashikav1.CheckStatusStreamResponse{} },
	}).init()
	c.verify, c.checkStatus, c.sharing = verify.call, status.call, []sharer{verify, status}
}

// Close ends the connections. Calls in flight fail.
func (c *Client) Close() error {
	for _, s := range c.sharing {
		s.close()
	}
	err := c.conn.Close()
	for _, s := range c.sharing {
		s.wait()
	}
	return err
}

func (c *Config) dialOptions() ([]grpc.DialOption, error) {
	options := []grpc.DialOption{
		grpc.WithDisableRetry(), // see the package comment
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent(c.UserAgent),
		// A kiosk is idle for hours and its router forgets the connection. The ping that follows an
		// idle minute finds that out in five seconds instead of at the deadline. It accompanies a
		// call, never an idle connection, so it stays within what servers tolerate.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 5 * time.Second}),
	}
	if c.Token != "" {
		// RFC 6750 section 2.1: what follows "Bearer" has no spaces. A line break at the end of a file is the
		// usual cause, and gRPC's own complaint would print the token.
		if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, errors.New("client: Token has a character that no bearer token has")
		}
		options = append(options, grpc.WithPerRPCCredentials(bearer{c.Token, !c.PlaintextLoopback}))
	}
	switch {
	case c.Target == "":
		return nil, errors.New("client: Target is empty")
	case c.PlaintextLoopback && c.TLS != nil:
		return nil, errors.New("client: TLS and PlaintextLoopback exclude each other")
	case c.PlaintextLoopback && !loopback(c.Target):
		return nil, errors.New("client: PlaintextLoopback needs a loopback target with its port, such as localhost:8443")
	case c.PlaintextLoopback:
		return append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
			grpc.WithContextDialer(dialLoopback)), nil
	case c.TLS != nil && c.TLS.InsecureSkipVerify && c.TLS.VerifyConnection == nil && c.TLS.VerifyPeerCertificate == nil:
		return nil, errors.New("client: InsecureSkipVerify without a verification of your own would trust any server")
	}
	return append(options, grpc.WithTransportCredentials(credentials.NewTLS(c.TLS))), nil
}

// loopback says whether "host:port" is on this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// dialLoopback looks at the address that is really dialled: "localhost" is what the resolver
// says it is.
func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Control: func(_, resolved string, _ syscall.RawConn) error {
		if !loopback(resolved) {
			return errors.New("client: " + resolved + " is not a loopback address")
		}
		return nil
	}}
	return dialer.DialContext(ctx, "tcp", address)
}

// bearer puts the token into each call. gRPC itself refuses it on a connection without
// TLS unless secure is false.
type bearer struct {
	token  string
	secure bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.secure }
