package server

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// health is grpc.health.v1: SERVING while every required source is fresh and the server is not
// shutting down. It is ours because readiness follows the clock: grpc's own is told of changes, and
// nobody tells when a list grows stale.
type health struct {
	healthv1.UnimplementedHealthServer
	server   *Server
	watchers atomic.Int64
}

const (
	// maxWatchers bounds watches, which need no credentials and may last for ever.
	maxWatchers = 64
	// watchPeriod is how late a watch may tell of a change.
	watchPeriod = time.Second
)

// ready says whether verdicts can be relied on now.
func (s *Server) ready() bool {
	select {
	case <-s.draining:
		return false
	default:
		return s.evidence.Ready(s.state.Load().config.Clock())
	}
}

func (h *health) status(service string) healthv1.HealthCheckResponse_ServingStatus {
	switch {
	case service != "" && !h.server.services[service]:
		return healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	case h.server.ready():
		return healthv1.HealthCheckResponse_SERVING
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}

// Check answers for one service; all are well or none is.
func (h *health) Check(_ context.Context, r *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	status := h.status(r.GetService())
	if status == healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, fail(serviceUnknown)
	}
	return &healthv1.HealthCheckResponse{Status: status}, nil
}

// List answers for all services.
func (h *health) List(context.Context, *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	out := &healthv1.HealthListResponse{Statuses: map[string]*healthv1.HealthCheckResponse{"": {Status: h.status("")}}}
	for service := range h.server.services {
		out.Statuses[service] = &healthv1.HealthCheckResponse{Status: h.status(service)}
	}
	return out, nil
}

// Watch tells the status now and then each change, until the caller goes or the server shuts down.
func (h *health) Watch(r *healthv1.HealthCheckRequest, stream grpc.ServerStreamingServer[healthv1.HealthCheckResponse]) error {
	if h.watchers.Add(1) > maxWatchers {
		h.watchers.Add(-1)
		return fail(watchersExhausted)
	}
	defer h.watchers.Add(-1)
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	told := healthv1.HealthCheckResponse_ServingStatus(-1)
	for {
		if now := h.status(r.GetService()); now != told {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			told = now
		}
		select {
		case <-tick.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-h.server.draining:
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING}); err != nil {
				return err
			}
			return fail(shuttingDown)
		}
	}
}
