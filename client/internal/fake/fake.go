// Package fake is a server for the tests of the SDK and of the command line: the real
// services on a real loopback connection, whose answers a test writes as one function. It
// exists because retries, metadata and certificates can only be believed when they went over a wire.
//
// The streams of items are the same function, asked for each item with the method's own name.
//
// It proves nothing about verification and is imported by tests only.
package fake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Call is one call as it arrived.
type Call struct {
	Method  string // "Verify"
	Request proto.Message
	Header  metadata.MD
	Client  string // common name of the client's certificate; empty without one
}

// Answer is the whole behaviour of a server.
type Answer func(Call) (proto.Message, error)

// Server is a running server.
type Server struct {
	Addr   string
	mu     sync.Mutex
	calls  []Call // guarded by mu
	server *grpc.Server
}

// Start serves on a loopback port, with TLS where pki is not nil. A client certificate is
// asked for, and verified if one comes.
func Start(pki *PKI, answer Answer) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: listener.Addr().String()}
	ask := func(ctx context.Context, request proto.Message, method string) (proto.Message, error) {
		call := newCall(ctx, request, method)
		s.mu.Lock()
		s.calls = append(s.calls, call)
		s.mu.Unlock()
		return answer(call)
	}
	options := []grpc.ServerOption{grpc.UnaryInterceptor(
		func(ctx context.Context, request any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			return ask(ctx, request.(proto.Message), info.FullMethod)
		})}
	if pki != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{pki.server}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pki.Roots})))
	}
	s.server = grpc.NewServer(options...)
	tashikav1.RegisterVerificationServiceServer(s.server, verification{ask: ask})
	tashikav1.RegisterCertificateServiceServer(s.server, certificates{ask: ask})
	tashikav1.RegisterRevocationServiceServer(s.server, tashikav1.UnimplementedRevocationServiceServer{})
	tashikav1.RegisterDeviceServiceServer(s.server, tashikav1.UnimplementedDeviceServiceServer{})
	go func() { _ = s.server.Serve(listener) }() // ends with Stop
	return s, nil
}

func newCall(ctx context.Context, request proto.Message, method string) Call {
	call := Call{Method: method[strings.LastIndex(method, "/")+1:], Request: request}
	call.Header, _ = metadata.FromIncomingContext(ctx)
	from, _ := peer.FromContext(ctx)
	if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
		call.Client = info.State.VerifiedChains[0][0].Subject.CommonName
	}
	return call
}

type asker func(ctx context.Context, request proto.Message, method string) (proto.Message, error)

type verification struct {
	tashikav1.UnimplementedVerificationServiceServer
	ask asker
}

// VerifyStream answers an item after the other.
func (v verification) VerifyStream(stream tashikav1.VerificationService_VerifyStreamServer) error {
	return each(stream, func(item *tashikav1.VerifyStreamRequest) *tashikav1.VerifyStreamResponse {
		a := &tashikav1.VerifyStreamResponse{Id: item.GetId()}
		if r, err := v.ask(stream.Context(), item.GetRequest(), "VerifyStream"); err != nil {
			a.Result = &tashikav1.VerifyStreamResponse_Error{Error: status.Convert(err).Proto()}
		} else {
			a.Result = &tashikav1.VerifyStreamResponse_Response{Response: r.(*tashikav1.VerifyResponse)}
		}
		return a
	})
}

type certificates struct {
	tashikav1.UnimplementedCertificateServiceServer
	ask asker
}

// CheckStatusStream answers an item after the other.
func (c certificates) CheckStatusStream(stream tashikav1.CertificateService_CheckStatusStreamServer) error {
	return each(stream, func(item *tashikav1.CheckStatusStreamRequest) *tashikav1.CheckStatusStreamResponse {
		a := &tashikav1.CheckStatusStreamResponse{Id: item.GetId()}
		if r, err := c.ask(stream.Context(), item.GetRequest(), "CheckStatusStream"); err != nil {
			a.Result = &tashikav1.CheckStatusStreamResponse_Error{Error: status.Convert(err).Proto()}
		} else {
			a.Result = &tashikav1.CheckStatusStreamResponse_Response{Response: r.(*tashikav1.CheckStatusResponse)}
		}
		return a
	})
}

func each[Q, R any](stream grpc.BidiStreamingServer[Q, R], answer func(*Q) *R) error {
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		item, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(answer(item)); err != nil {
			return err
		}
	}
}

// Calls are the calls that arrived so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Stop ends the server.
func (s *Server) Stop() { s.server.Stop() }

// PKI is an authority with a server's and a client's certificate.
type PKI struct {
	Roots                  *x509.CertPool
	Client                 tls.Certificate
	CAPEM, CertPEM, KeyPEM []byte // the authority's certificate, the client's certificate and key
	server                 tls.Certificate
}

// NewPKI makes one for a server on 127.0.0.1 and a client named kiosk.
func NewPKI() (*PKI, error) {
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &PKI{Roots: x509.NewCertPool()}
	if p.CAPEM, _, err = issue(ca, caKey, ca, caKey); err != nil {
		return nil, err
	}
	p.Roots.AppendCertsFromPEM(p.CAPEM)
	for i, into := range []*tls.Certificate{&p.server, &p.Client} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: []string{"server", "kiosk"}[i]},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		if p.CertPEM, p.KeyPEM, err = issue(leaf, key, ca, caKey); err != nil { // the last pair is the client's
			return nil, err
		}
		if *into, err = tls.X509KeyPair(p.CertPEM, p.KeyPEM); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// issue returns a certificate, valid for a century so that no clock matters, and its key.
func issue(subject *x509.Certificate, key *ecdsa.PrivateKey, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (certPEM, keyPEM []byte, err error) {
	subject.NotBefore = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	subject.NotAfter = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, subject, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), err
}
