package server

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/tap"
)

// maxStreams bounds the calls at work on one connection of the network.
const maxStreams = 1024

// openDoors makes what the two doors lead to: the same services behind the same guard.
func (s *Server) openDoors() {
	s.services, s.methods = map[string]bool{}, map[string]*method{}
	s.unknownMethod = s.newMethod("unknown", ordinary)
	s.verifyItem = s.newItem(tashikav1.VerificationService_VerifyStream_FullMethodName)
	s.verifyInside = s.newItem(tashikav1.VerificationService_BatchVerify_FullMethodName)
	s.statusItem = s.newItem(tashikav1.CertificateService_CheckStatusStream_FullMethodName)
	s.statusInside = s.newItem(tashikav1.CertificateService_BatchCheckStatus_FullMethodName)
	network := []grpc.ServerOption{
		grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaderBytes), grpc.ConnectionTimeout(10 * time.Second),
		// A kiosk is idle for hours, and a router forgets it. A connection ends after an hour so that load is spread anew, and
		// so that a client certificate is asked for again; the streams on it end by themselves before it is cut.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, MaxConnectionAge: time.Hour,
			MaxConnectionAgeGrace: s.state.Load().config.Limits.StreamAge + time.Minute, Time: 2 * time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}),
		grpc.InTapHandle(s.tap),
	}
	if s.state.Load().tls != nil {
		network = append(network, grpc.Creds(credentials.NewTLS(s.live(func(k *keys) *tls.Config { return k.grpc }))))
	}
	s.network = s.newGRPCServer(network...)
	behind := &registrar{ServiceRegistrar: s.network, server: s, door: grpcDoor}
	s.register(behind)
	healthv1.RegisterHealthServer(behind, &health{server: s})
	reflection.Register(struct {
		*registrar
		reflection.ServiceInfoProvider
	}{behind, s.network})
	s.within = &within{limit: s.state.Load().config.Limits.MaxMessageBytes, methods: map[string]withinMethod{}}
	s.register(&registrar{ServiceRegistrar: s.within, server: s, door: httpDoor})
}

// register registers what both doors lead to.
func (s *Server) register(behind *registrar) {
	h := &handlers{server: s}
	tashikav1.RegisterVerificationServiceServer(behind, h)
	tashikav1.RegisterCertificateServiceServer(behind, h)
	tashikav1.RegisterRevocationServiceServer(behind, h)
	tashikav1.RegisterDeviceServiceServer(behind, h)
	for _, extra := range s.state.Load().config.Services {
		extra.Register(behind)
	}
}

// newItem makes what is known of the items of a method, by which they are told in log and metrics.
func (s *Server) newItem(full string) *method {
	full += "/item"
	s.methods[full] = s.newMethod(strings.TrimPrefix(full, "/"), inside)
	return s.methods[full]
}

func (s *Server) newMethod(name string, k kind) *method {
	return &method{name: name, kind: k, meters: s.metrics.of(name)}
}

func (s *Server) newGRPCServer(more ...grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(more,
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			return s.guard(stream.Context(), grpcDoor, s.unknownMethod, func(*call) error { return fail(methodUnknown) })
		}),
		// A message above the limit is the one failure that gRPC answers itself (RESOURCE_EXHAUSTED, without details): it does not
		// read it. All fields that the API knows fit in with room to spare, and are judged by validation.
		grpc.ForceServerCodecV2(wire), grpc.MaxRecvMsgSize(s.state.Load().config.Limits.MaxMessageBytes),
		grpc.WaitForHandlers(true))...)
}

// tap turns away at the door of the network, before anything but a call's header was read, what there is no place for. That costs
// some 10 µs, nearly all of it HTTP/2's own, so that whoever calls too much takes little from those who are let in. It is
// counted, and has no line in the log.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if !s.full() {
		return ctx, nil
	}
	m := s.methods[info.FullMethodName]
	if m == nil {
		m = s.unknownMethod
	}
	if m.kind == public {
		return ctx, nil
	}
	s.metrics.turnedAway(m, grpcDoor)
	return nil, fail(serverBusy)
}

// registrar puts services behind the guard.
type registrar struct {
	grpc.ServiceRegistrar
	server *Server
	door   door
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *registrar) RegisterService(desc *grpc.ServiceDesc, implementation any) {
	guarded := *desc
	guarded.Methods, guarded.Streams = slices.Clone(desc.Methods), slices.Clone(desc.Streams)
	for i := range guarded.Methods {
		r.unary(r.method(desc.ServiceName, guarded.Methods[i].MethodName, ordinary), &guarded.Methods[i])
	}
	for i := range guarded.Streams {
		k := ordinary
		if desc.ServiceName == tashikav1.VerificationService_ServiceDesc.ServiceName || desc.ServiceName == tashikav1.CertificateService_ServiceDesc.ServiceName {
			k = lasting
		}
		r.stream(r.method(desc.ServiceName, guarded.Streams[i].StreamName, k), &guarded.Streams[i])
	}
	r.server.services[desc.ServiceName] = true
	r.ServiceRegistrar.RegisterService(&guarded, implementation)
}

// method makes what is known of a method, once for both doors.
func (r *registrar) method(service, name string, k kind) *method {
	full := "/" + service + "/" + name
	if r.server.methods[full] == nil {
		if service == healthv1.Health_ServiceDesc.ServiceName {
			k = public
		}
		r.server.methods[full] = r.server.newMethod(strings.TrimPrefix(full, "/"), k)
	}
	return r.server.methods[full]
}

// unary guards a method with one request and one answer. On the network the request has arrived before the guard begins, so that nobody
// who sends slowly takes a place, and is parsed when the guard has let it in.
func (r *registrar) unary(m *method, desc *grpc.MethodDesc) {
	handler, network := desc.Handler, r.door == grpcDoor
	desc.Handler = func(implementation any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (response any, err error) {
		if network {
			sent := &frame{}
			if err := receive(sent); err != nil {
				return nil, err
			}
			defer sent.free()
			receive = func(request any) error { return wire.Unmarshal(sent.data, request) }
		}
		err = r.server.guard(ctx, r.door, m, func(c *call) error {
			var err error
			response, err = handler(implementation, c, func(request any) error {
				if err := receive(request); err != nil {
					return err
				}
				return r.server.validate(request)
			}, passOn)
			return err
		})
		return response, err
	}
}

// passOn is the interceptor of those who have been guarded.
func passOn(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(ctx, request)
}

// stream guards the others. Every message is validated as it comes.
func (r *registrar) stream(m *method, desc *grpc.StreamDesc) {
	handler := desc.Handler
	desc.Handler = func(implementation any, stream grpc.ServerStream) error {
		return r.server.guard(stream.Context(), r.door, m, func(c *call) error {
			return handler(implementation, &guardedStream{stream, c, r.server})
		})
	}
}

type guardedStream struct {
	grpc.ServerStream
	ctx    context.Context
	server *Server
}

func (g *guardedStream) Context() context.Context { return g.ctx }

func (g *guardedStream) RecvMsg(m any) error {
	if err := g.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if _, ok := m.(*frame); ok { // for whoever reads it
		return nil
	}
	return g.server.validate(m)
}
