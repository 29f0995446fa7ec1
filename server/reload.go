package server

import (
	"errors"
	"fmt"
	"reflect"
)

// ReloadFile reads the configuration again, as on SIGHUP. All of it takes effect or none: a bad one keeps the
// old, and the log says so.
func (s *Server) ReloadFile(path string) error {
	c, err := LoadConfig(path)
	if err != nil {
		return s.told(err)
	}
	return s.Reload(c)
}

// Reload is ReloadFile with a configuration at hand. Its fields without a name in YAML are not looked at: they stay.
func (s *Server) Reload(c Config) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	before := s.state.Load()
	c.Clock, c.Logger, c.Services, c.AnchorSources = before.config.Clock, before.config.Logger, before.config.Services, before.config.AnchorSources
	next, err := newState(c, before)
	if err != nil {
		return s.told(err)
	}
	if err := fixed(&before.config, &next.config); err != nil {
		return s.told(err)
	}
	evidence := next.evidence
	evidence.Logger, evidence.Asked = s.log, s.metrics.asked
	if err := s.evidence.Reconfigure(evidence); err != nil {
		return s.told(fmt.Errorf("server: %w", err))
	}
	s.state.Store(next)
	if s.level != nil {
		s.level.Set(next.config.Log.Level)
	}
	return s.told(nil)
}

// fixed refuses changes that need a restart, all of them by name.
func fixed(before, next *Config) error {
	var errs []error
	for _, f := range []struct {
		name         string
		before, next any
	}{
		{"listen.grpc", before.Listen.GRPC, next.Listen.GRPC},
		{"listen.http", before.Listen.HTTP, next.Listen.HTTP},
		{"listen.plaintext", before.Listen.Plaintext, next.Listen.Plaintext},
		{"metrics", before.Metrics, next.Metrics},
		{"challenge", before.Challenge, next.Challenge},
		{"log.format", before.Log.Format, next.Log.Format},
		{"limits.max_message_bytes", before.Limits.MaxMessageBytes, next.Limits.MaxMessageBytes},
		{"limits.max_deadline", before.Limits.MaxDeadline, next.Limits.MaxDeadline},
		{"limits.stream_age", before.Limits.StreamAge, next.Limits.StreamAge},
		{"revocation.state_dir", before.Revocation.StateDir, next.Revocation.StateDir},
		{"revocation.max_concurrent", before.Revocation.MaxConcurrent, next.Revocation.MaxConcurrent},
		{"revocation.max_per_host", before.Revocation.MaxPerHost, next.Revocation.MaxPerHost},
	} {
		if !reflect.DeepEqual(f.before, f.next) {
			errs = append(errs, fmt.Errorf("server: %s cannot be changed without a restart", f.name))
		}
	}
	return errors.Join(errs...)
}

// told says loudly what came of a reload.
func (s *Server) told(err error) error {
	if err != nil {
		s.metrics.reloads.WithLabelValues("refused").Inc()
		s.log.Error("the new configuration is refused, the old one stays", "error", err)
		return err
	}
	s.metrics.reloads.WithLabelValues("accepted").Inc()
	c := s.state.Load().config
	s.log.Info("the new configuration serves", "anchors", c.Anchors.Set, "relying_parties", len(c.RelyingParties), "sources", len(c.Revocation.Sources))
	return nil
}
