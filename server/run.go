package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Run serves until the context ends, or something fails, and then shuts down: no new work is taken, what is in flight
// is finished within limits.shutdown_grace, and what is not finished by then is cut off. It returns nil after an orderly end. Once.
func (s *Server) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("server: runs already")
	}
	c := s.state.Load().config
	// What feeds the index must go on while calls in flight still ask.
	feeding, stopFeeding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFeeding()
	failed := make(chan error, 8)
	var jobs sync.WaitGroup
	start := func(what string, serve func() error) {
		jobs.Go(func() {
			if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
				failed <- fmt.Errorf("server: %s: %w", what, err)
			}
		})
	}
	start("revocation", func() error { return s.evidence.Run(feeding) })
	start("gRPC", func() error { return s.network.Serve(s.grpcListener) })
	start("HTTP", s.serveHTTP)
	if s.metricsHTTP != nil {
		start("metrics", func() error { return s.metricsHTTP.Serve(s.metricsListener) })
	}
	s.log.Info("serving", "grpc", s.GRPCAddr(), "http", s.HTTPAddr(), "metrics", s.MetricsAddr(),
		"plaintext", c.Listen.Plaintext == loopbackOnly, "anchors", c.Anchors.Set, "relying_parties", len(c.RelyingParties))

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("shutting down", "grace", s.state.Load().config.Limits.ShutdownGrace)
	case err = <-failed:
		s.log.Error("cannot go on", "error", err)
	}
	cut := s.drain()
	stopFeeding()
	jobs.Wait()
	err = errors.Join(err, s.Close())
	s.log.Info("stopped", "cut_off", cut)
	return err
}

// serveHTTP serves the HTTP door, with HTTP/2 where there is TLS.
func (s *Server) serveHTTP() error {
	if s.http.TLSConfig == nil {
		return s.http.Serve(s.httpListener)
	}
	return s.http.ServeTLS(s.httpListener, "", "")
}

// drain ends all serving: the two doors at once, then what the HTTP door leads to, where nobody is whose
// connection was not cut off. It says whether anything had to be cut off.
func (s *Server) drain() (cut bool) {
	close(s.draining)
	ctx, cancel := context.WithTimeout(context.Background(), s.state.Load().config.Limits.ShutdownGrace)
	defer cancel()
	var doors sync.WaitGroup
	var httpErr error
	doors.Go(func() {
		if httpErr = s.http.Shutdown(ctx); httpErr != nil {
			_ = s.http.Close() // the listeners are closed already
		}
	})
	stopped := stopGRPC(ctx, s.network)
	doors.Wait()
	s.within.close()
	if s.metricsHTTP != nil {
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.metricsHTTP.Shutdown(short) != nil {
			_ = s.metricsHTTP.Close()
		}
	}
	return httpErr != nil || !stopped
}

// stopGRPC lets calls in flight finish; false if the context ended before and they were cut off.
func stopGRPC(ctx context.Context, g *grpc.Server) bool {
	done := make(chan struct{})
	go func() {
		g.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		g.Stop()
		<-done
		return false
	}
}
