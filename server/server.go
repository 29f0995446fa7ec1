package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"buf.build/go/protovalidate"
	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/server/challenge"
	"github.com/tashika-jp/tashika/server/revocation"
	"google.golang.org/grpc"
)

// Server is one server with its two doors. Make it with New, serve with Run.
type Server struct {
	state      atomic.Pointer[state]
	evidence   evidence
	challenges *challenge.Issuer
	validator  protovalidate.Validator
	metrics    *metrics
	log        *slog.Logger
	level      *slog.LevelVar // of log, where that is ours
	lanes      laneAlarm

	working  atomic.Int64  // calls that take capacity
	draining chan struct{} // closed when the end has begun
	reload   sync.Mutex    // one reload at a time
	running  atomic.Bool
	closing  sync.Once
	closed   error // what closing came to

	// The following are immutable after New.
	methods       map[string]*method // by full name
	unknownMethod *method
	services      map[string]bool // names
	network       *grpc.Server    // the gRPC door
	within        *within         // what the HTTP door leads to
	http          *http.Server
	metricsHTTP   *http.Server // nil: none

	// Items of streams and of batches.
	verifyItem, verifyInside, statusItem, statusInside *method

	grpcListener, httpListener, metricsListener net.Listener
}

// evidence is what the server needs of package revocation.
type evidence interface {
	certs.Revocation
	Run(ctx context.Context) error
	Sources() []revocation.SourceState
	Refusals() revocation.Refusals
	Progress() revocation.Progress
	Ready(now time.Time) bool
	Reconfigure(revocation.Config) error
	RefreshAll(ctx context.Context) error
	Close() error
}

// New makes a server, reads all files that the configuration names, opens the state directory and
// listens, so that addresses are known. Nobody is answered before Run. Close it if Run is never called.
func New(c Config) (*Server, error) {
	return newServer(c, func(c revocation.Config) (evidence, error) { return revocation.New(c) })
}

func newServer(c Config, open func(revocation.Config) (evidence, error)) (s *Server, err error) {
	first, err := newState(c, nil)
	if err != nil {
		return nil, err
	}
	s = &Server{metrics: newMetrics(), draining: make(chan struct{})}
	s.state.Store(first)
	s.log, s.level = newLogger(&first.config)
	if s.validator, err = validator(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if s.challenges, err = challenge.New(first.challenges()); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	evidenceConfig := first.evidence
	evidenceConfig.Logger, evidenceConfig.Asked = s.log, s.metrics.asked
	if s.evidence, err = open(evidenceConfig); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	defer func() {
		if err != nil {
			err, s = errors.Join(err, s.Close()), nil
		}
	}()
	s.metrics.watch(s)
	s.openDoors()
	translate, err := s.newGateway(s.within)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.http = s.newHTTPServer(s.front(translate))
	if first.tls != nil {
		s.http.TLSConfig = s.live(func(k *keys) *tls.Config { return k.http })
	}
	return s, s.listen()
}

// newLogger is the logger of the configuration, and its level if it can be changed.
func newLogger(c *Config) (*slog.Logger, *slog.LevelVar) {
	if c.Logger != nil {
		return c.Logger, nil
	}
	level := &slog.LevelVar{}
	level.Set(c.Log.Level)
	if c.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})), level
	}
	return slog.New(newLines(os.Stderr, level)), level
}

// listen opens the doors' addresses.
func (s *Server) listen() (err error) {
	c := s.state.Load().config
	if s.grpcListener, err = net.Listen("tcp", c.Listen.GRPC); err != nil {
		return fmt.Errorf("server: gRPC: %w", err)
	}
	if s.httpListener, err = net.Listen("tcp", c.Listen.HTTP); err != nil {
		return fmt.Errorf("server: HTTP: %w", err)
	}
	if c.Metrics.Address == noMetrics {
		return nil
	}
	s.metricsHTTP = s.newMetricsServer()
	if s.metricsListener, err = net.Listen("tcp", c.Metrics.Address); err != nil {
		return fmt.Errorf("server: metrics: %w", err)
	}
	return nil
}

// GRPCAddr is where the gRPC door is, host:port.
func (s *Server) GRPCAddr() string { return s.grpcListener.Addr().String() }

// HTTPAddr is where the HTTP door is, host:port.
func (s *Server) HTTPAddr() string { return s.httpListener.Addr().String() }

// MetricsAddr is where /metrics is, host:port; empty if nowhere.
func (s *Server) MetricsAddr() string {
	if s.metricsListener == nil {
		return ""
	}
	return s.metricsListener.Addr().String()
}

// Refresh visits all revocation sources now and waits for what comes of it.
func (s *Server) Refresh(ctx context.Context) error { return s.evidence.RefreshAll(ctx) }

// Ready says whether verdicts can be relied on: every required source is fresh.
func (s *Server) Ready() bool { return s.ready() }

// Close gives up listeners and the state directory. Run does it at its end.
func (s *Server) Close() error {
	s.closing.Do(func() {
		var errs []error
		for _, l := range []net.Listener{s.grpcListener, s.httpListener, s.metricsListener} {
			if l == nil {
				continue
			}
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
		errs = append(errs, s.evidence.Close())
		s.closed = errors.Join(errs...)
	})
	return s.closed
}
