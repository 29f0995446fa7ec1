package server

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// within is how the HTTP door comes to the services: as a gRPC server they are registered at and a connection the gateway calls on,
// with nothing between but the guard. A call is made in the goroutine of its HTTP request, and its messages are handed over instead
// of copied, because the gateway has made the request for this call alone and drops it after.
//
// BenchmarkWithin compares it with gRPC over a connection in memory: a tenth of the time and of the garbage of a call. The channel of
// grpchan (inprocgrpc) was tried beside it: its goroutine a call, its channels and deep copies took three times as long as this.
type within struct {
	limit   int                     // limits.max_message_bytes
	methods map[string]withinMethod // by full name; complete before the first call
	calls   sync.RWMutex            // read-locked by each call
	closed  bool                    // under calls
}

type withinMethod struct {
	implementation any
	handler        grpc.MethodHandler
}

// RegisterService implements grpc.ServiceRegistrar. Streams have no paths in HTTP.
func (w *within) RegisterService(desc *grpc.ServiceDesc, implementation any) {
	for _, m := range desc.Methods {
		w.methods["/"+desc.ServiceName+"/"+m.MethodName] = withinMethod{implementation, m.Handler}
	}
}

// Invoke implements grpc.ClientConnInterface.
func (w *within) Invoke(ctx context.Context, method string, request, response any, options ...grpc.CallOption) error {
	w.calls.RLock()
	defer w.calls.RUnlock()
	m, found := w.methods[method]
	if !found {
		return fail(methodUnknown)
	}
	if w.closed {
		return fail(shuttingDown)
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	answered := &withinHeader{method: method}
	ctx = grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(ctx, sent), answered)
	out, err := m.handler(m.implementation, ctx, func(into any) error {
		// JSON is larger than what it says, so that its own limit (http.go) lets more through than the network's.
		if message, ok := request.(proto.Message); ok && proto.Size(message) > w.limit {
			return fail(requestTooLarge)
		}
		return handOver(into, request)
	}, nil)
	for _, o := range options {
		if header, ok := o.(grpc.HeaderCallOption); ok {
			*header.HeaderAddr = answered.header
		}
	}
	if err != nil {
		return status.Convert(err).Err() // the detail of our own trouble stays here
	}
	return handOver(response, out)
}

// NewStream implements grpc.ClientConnInterface.
func (*within) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, fail(methodUnknown)
}

// close waits for the calls at work, and lets none in after.
func (w *within) close() {
	w.calls.Lock()
	defer w.calls.Unlock()
	w.closed = true
}

// handOver makes a message have what another has, without copying what is inside of it: the other is not to be used any more.
func handOver(into, from any) error {
	to, ok := into.(proto.Message)
	source, also := from.(proto.Message)
	if !ok || !also || to.ProtoReflect().Descriptor() != source.ProtoReflect().Descriptor() {
		return status.Error(codes.Internal, "not the method's message")
	}
	source.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.ProtoReflect().Set(field, value)
		return true
	})
	return nil
}

// withinHeader takes the header of an answer.
type withinHeader struct {
	method string
	header metadata.MD
}

// Method implements grpc.ServerTransportStream.
func (h *withinHeader) Method() string { return h.method }

// SetHeader implements grpc.ServerTransportStream.
func (h *withinHeader) SetHeader(md metadata.MD) error {
	h.header = metadata.Join(h.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream.
func (h *withinHeader) SendHeader(md metadata.MD) error { return h.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream. HTTP callers get none.
func (*withinHeader) SetTrailer(metadata.MD) error { return nil }
