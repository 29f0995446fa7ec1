package server

import (
	"crypto/tls"
	"strings"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// maxStreams bounds the calls at work on one connection of the network.
const maxStreams = 1024

// newGRPCServers makes the two servers, with the same services behind the same guard.
func (s *Server) newGRPCServers() {
	s.services, s.methods = map[string]bool{}, map[string]*method{}
	s.unknownMethod = &method{name: "unknown", meters: s.metrics.of("unknown")}
	network := []grpc.ServerOption{
		grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaderBytes), grpc.ConnectionTimeout(10 * time.Second),
		// A kiosk is idle for hours, and a router forgets it. A connection ends after an hour so that load is spread anew, and
		// so that a client certificate is asked for again.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, MaxConnectionAge: time.Hour,
			MaxConnectionAgeGrace: time.Minute, Time: 2 * time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}),
	}
	if s.state.Load().tls != nil {
		network = append(network, grpc.Creds(credentials.NewTLS(s.live(func(k *keys) *tls.Config { return k.grpc }))))
	}
	s.network = s.newGRPCServer(grpcDoor, network...)
	s.inner = s.newGRPCServer(httpDoor, grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(16<<20), grpc.MaxHeaderListSize(1<<20))
}

func (s *Server) newGRPCServer(d door, more ...grpc.ServerOption) *grpc.Server {
	c := s.state.Load().config
	g := grpc.NewServer(append(more,
		grpc.UnaryInterceptor(s.unary(d)), grpc.StreamInterceptor(s.stream(d)),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return fail(methodUnknown) }),
		// A message above the limit is the one failure that gRPC answers itself (RESOURCE_EXHAUSTED, without details): it does not
		// read it. All fields that the API knows fit in with room to spare, and are judged by validation.
		grpc.ForceServerCodecV2(newCodec()), grpc.MaxRecvMsgSize(c.Limits.MaxMessageBytes),
		grpc.WaitForHandlers(true))...)
	h := &handlers{server: s}
	tashikav1.RegisterVerificationServiceServer(g, h)
	tashikav1.RegisterCertificateServiceServer(g, h)
	tashikav1.RegisterRevocationServiceServer(g, h)
	tashikav1.RegisterDeviceServiceServer(g, h)
	for _, extra := range c.Services {
		extra.Register(g)
	}
	healthv1.RegisterHealthServer(g, &health{server: s})
	reflection.Register(g)
	for service, info := range g.GetServiceInfo() {
		s.services[service] = true
		for _, m := range info.Methods {
			full := "/" + service + "/" + m.Name
			if s.methods[full] == nil {
				name := strings.TrimPrefix(full, "/")
				s.methods[full] = &method{name: name, public: service == healthv1.Health_ServiceDesc.ServiceName, meters: s.metrics.of(name)}
			}
		}
	}
	return g
}
