package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/server/challenge"
	"github.com/tashika-jp/tashika/server/revocation"
	"google.golang.org/grpc/codes"
)

// metrics are the meters of a server, in a registry of its own. Labels come from closed sets: methods that are registered,
// codes, verdicts, reason and failure ids, doors, states of a source, the names of sources in the configuration. No label is anything that a caller or a source made up.
type metrics struct {
	registry  *prometheus.Registry
	inFlight  prometheus.Gauge
	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	verdicts  *prometheus.CounterVec
	reasons   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	reloads   *prometheus.CounterVec
	questions *prometheus.CounterVec
	asking    prometheus.Histogram
}

// meters are what a method's calls are counted with, looked up once.
type meters struct {
	ok        [2]prometheus.Counter // by door
	durations [2]prometheus.Observer
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tashika_calls_in_flight", Help: "Calls at work."}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_calls_total",
			Help: "Calls by method, door and gRPC code."}, []string{"method", "door", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tashika_call_duration_seconds",
			Help:    "Time from the guard to the answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"method", "door"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_verdicts_total",
			Help: "Verdicts by method."}, []string{"method", "verdict"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_reasons_total",
			Help: "Reasons that verdicts had, by id."}, []string{"reason"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_failures_total",
			Help: "Calls without a verdict, by the reason in google.rpc.ErrorInfo."}, []string{"failure"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_reloads_total",
			Help: "Reloads of the configuration, by outcome."}, []string{"outcome"}),
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tashika_ocsp_questions_total",
			Help: "OCSP questions by how they were settled."}, []string{"outcome"}),
		asking: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tashika_ocsp_wait_seconds",
			Help:    "Time that verifications waited for OCSP responders; those that found an earlier answer or were turned away did not.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 2.5, 5, 10}}),
	}
	m.registry.MustRegister(m.inFlight, m.calls, m.durations, m.verdicts, m.reasons, m.failures, m.reloads, m.questions, m.asking,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, outcome := range []string{"accepted", "refused"} {
		m.reloads.WithLabelValues(outcome)
	}
	for _, outcome := range revocation.OCSPOutcomes() {
		m.questions.WithLabelValues(string(outcome))
	}
	return m
}

// of are the meters of a method.
func (m *metrics) of(method string) (out meters) {
	for _, d := range []door{grpcDoor, httpDoor} {
		out.ok[d] = m.calls.WithLabelValues(method, d.String(), codes.OK.String())
		out.durations[d] = m.durations.WithLabelValues(method, d.String())
	}
	return out
}

// observe counts a call that has ended.
func (m *metrics) observe(c *call, code codes.Code, why failure, took time.Duration) {
	c.method.meters.durations[c.door].Observe(took.Seconds())
	if code == codes.OK {
		c.method.meters.ok[c.door].Inc()
	} else {
		m.calls.WithLabelValues(c.method.name, c.door.String(), code.String()).Inc()
	}
	if c.verdict != "" {
		m.verdicts.WithLabelValues(c.method.name, c.verdict).Inc()
	}
	for _, id := range c.reasons {
		m.reasons.WithLabelValues(string(id)).Inc()
	}
	if _, known := failures[why]; known {
		m.failures.WithLabelValues(string(why)).Inc()
	}
}

// turnedAway counts a call that there was no place for.
func (m *metrics) turnedAway(to *method, d door) {
	m.calls.WithLabelValues(to.name, d.String(), codes.ResourceExhausted.String()).Inc()
	m.failures.WithLabelValues(string(serverBusy)).Inc()
}

// asked counts a question to an OCSP responder.
func (m *metrics) asked(outcome revocation.OCSPOutcome, took time.Duration) {
	m.questions.WithLabelValues(string(outcome)).Inc()
	switch outcome {
	case revocation.OCSPAsked, revocation.OCSPShared, revocation.OCSPFailed, revocation.OCSPLate:
		m.asking.Observe(took.Seconds())
	}
}

// watch adds the gauges that are asked for at each scrape: revocation, challenges, readiness.
func (m *metrics) watch(s *Server) {
	m.registry.MustRegister(laneMeters()...)
	m.registry.MustRegister(&sampler{s, []sample{
		{desc("tashika_ready", "1 while every required source is fresh and the server is not shutting down."), prometheus.GaugeValue, func(p *picture) float64 {
			if p.ready {
				return 1
			}
			return 0
		}},
		{desc("tashika_revocation_oldest_age_seconds", "Greatest age, from thisUpdate, of the lists that serve."), prometheus.GaugeValue,
			func(p *picture) float64 { return p.oldest.Seconds() }},
		{desc("tashika_revocation_entries", "Entries of the lists that serve."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.entries) }},
		{desc("tashika_revocation_refused", "Lists that sources give now and that the gate refuses: the last good ones serve on."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.refusals.Waiting) }},
		{desc("tashika_revocation_refresh_total", "Visits to sources that are due, of all since there last were none."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.progress.Total) }},
		{desc("tashika_revocation_refresh_done", "Those that have ended."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.progress.Done) }},
		{desc("tashika_revocation_refresh_failed", "Those that have failed."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.progress.Failed) }},
		{desc("tashika_challenges_issued_total", "Challenges made."), prometheus.CounterValue,
			func(p *picture) float64 { return float64(p.challenges.Issued) }},
		{desc("tashika_challenges_consumed_total", "Challenges consumed without a finding."), prometheus.CounterValue,
			func(p *picture) float64 { return float64(p.challenges.Consumed) }},
		{desc("tashika_challenges_full_total", "Challenges turned away because too many used ones are unexpired."), prometheus.CounterValue,
			func(p *picture) float64 { return float64(p.challenges.Full) }},
		{desc("tashika_challenges_held", "Used, unexpired challenges in memory."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.challenges.Held) }},
		{desc("tashika_challenges_capacity", "Greatest number of used, unexpired challenges in memory."), prometheus.GaugeValue,
			func(p *picture) float64 { return float64(p.challenges.Capacity) }},
		{desc("tashika_certificate_cache_hits_total", "Issuers' signatures that were not checked again since the last reload."), prometheus.CounterValue,
			func(p *picture) float64 { return float64(p.cache.Hits) }},
		{desc("tashika_certificate_cache_misses_total", "Issuers' signatures that were checked since the last reload."), prometheus.CounterValue,
			func(p *picture) float64 { return float64(p.cache.Misses) }},
	}, desc("tashika_revocation_sources", "Sources by state.", "state"),
		desc("tashika_ocsp_circuits", "OCSP responders by circuit: closed, they are asked; open, they failed and are not.", "circuit"),
		desc("tashika_revocation_visits_total", "Visits to sources since they are configured, by outcome.", "outcome"),
		desc("tashika_revocation_last_failures", "Sources by the failure of their last visit, while it is later than the last success.", "failure"),
		desc("tashika_revocation_refused_total", "Lists refused, by each reason; one that is given again is refused again.", "reason"),
	})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// picture is what one scrape sees.
type picture struct {
	now        time.Time
	ready      bool
	challenges challenge.Stats
	cache      certs.CacheStats
	progress   revocation.Progress
	sources    []revocation.SourceState // of lists, those of the configuration
	states     [revocation.OnDemand + 1]int
	circuits   [revocation.CircuitOpen + 1]int
	failing    map[revocation.Failure]int
	oldest     time.Duration
	entries    int64
	refusals   revocation.Refusals
	successes  uint64
	failures   uint64
}

// take looks at everything once.
func take(s *Server) *picture {
	state := s.state.Load()
	now := state.config.Clock()
	p := &picture{now: now, cache: state.cache.Stats(), ready: s.ready(), challenges: s.challenges.Stats(), progress: s.evidence.Progress(), failing: map[revocation.Failure]int{}, refusals: s.evidence.Refusals()}
	for _, source := range s.evidence.Sources() {
		p.circuits[source.Circuit]++
		if source.PartOf == "" {
			if int(source.State) < len(p.states) {
				p.states[source.State]++
			}
			p.successes += source.Fetches
			p.failures += source.Failures
			if source.Method == profile.CRL {
				p.sources = append(p.sources, source)
			}
		}
		if source.LastFailure.After(source.LastFetch) {
			p.failing[source.Failure]++
		}
		if !source.ThisUpdate.IsZero() { // a list; a manifest or directory as a whole has no time of its own
			p.oldest = max(p.oldest, now.Sub(source.ThisUpdate))
			p.entries += int64(source.Entries)
		}
	}
	return p
}

type sample struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*picture) float64
}

// sampler is a collector that takes one picture a scrape.
type sampler struct {
	server                                       *Server
	samples                                      []sample
	sources, circuits, visits, failures, refused *prometheus.Desc
}

// Of each source by its name in the configuration; the partitions of a manifest or directory are counted.
var (
	sourcePartitions  = desc("tashika_revocation_source_partitions", "Partitions of a source by state.", "source", "state")
	sourceFailing     = desc("tashika_revocation_source_failing", "Partitions of a source whose last visit failed.", "source")
	sourceOldest      = desc("tashika_revocation_source_oldest_age_seconds", "Greatest age, from thisUpdate, of the lists of a source.", "source")
	sourceExpected    = desc("tashika_revocation_source_next_expected_seconds", "Time to the earliest nextUpdate of the lists of a source; negative when it is past.", "source")
	sourceLastSuccess = desc("tashika_revocation_source_last_success_age_seconds", "Time since the last successful visit; since the least recent one to a partition of a manifest.", "source")
)

// collectSources tells of each source. What is not known, an age without a list, is not there.
func (p *picture) collectSources(out chan<- prometheus.Metric) {
	for _, s := range p.sources {
		for state := revocation.Fresh; state <= revocation.Missing; state++ {
			out <- prometheus.MustNewConstMetric(sourcePartitions, prometheus.GaugeValue, float64(s.Partitions[state]), s.Name, state.String())
		}
		out <- prometheus.MustNewConstMetric(sourceFailing, prometheus.GaugeValue, float64(s.Failing), s.Name)
		for _, one := range []struct {
			desc  *prometheus.Desc
			known time.Time
			sign  float64
		}{{sourceOldest, s.OldestUpdate, 1}, {sourceExpected, s.NextExpected, -1}, {sourceLastSuccess, s.LastFetch, 1}} {
			if !one.known.IsZero() {
				out <- prometheus.MustNewConstMetric(one.desc, prometheus.GaugeValue, one.sign*p.now.Sub(one.known).Seconds(), s.Name)
			}
		}
	}
}

// Describe implements prometheus.Collector.
func (s *sampler) Describe(out chan<- *prometheus.Desc) {
	for _, one := range s.samples {
		out <- one.desc
	}
	out <- s.sources
	out <- s.circuits
	out <- s.visits
	out <- s.failures
	out <- s.refused
	for _, d := range []*prometheus.Desc{sourcePartitions, sourceFailing, sourceOldest, sourceExpected, sourceLastSuccess} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *sampler) Collect(out chan<- prometheus.Metric) {
	p := take(s.server)
	for _, one := range s.samples {
		out <- prometheus.MustNewConstMetric(one.desc, one.kind, one.value(p))
	}
	p.collectSources(out)
	for state := revocation.Fresh; state <= revocation.OnDemand; state++ {
		out <- prometheus.MustNewConstMetric(s.sources, prometheus.GaugeValue, float64(p.states[state]), state.String())
	}
	for circuit := revocation.CircuitClosed; circuit <= revocation.CircuitOpen; circuit++ {
		out <- prometheus.MustNewConstMetric(s.circuits, prometheus.GaugeValue, float64(p.circuits[circuit]), circuit.String())
	}
	out <- prometheus.MustNewConstMetric(s.visits, prometheus.CounterValue, float64(p.successes), "success")
	out <- prometheus.MustNewConstMetric(s.visits, prometheus.CounterValue, float64(p.failures), "failure")
	for failure, n := range p.failing {
		out <- prometheus.MustNewConstMetric(s.failures, prometheus.GaugeValue, float64(n), string(failure))
	}
	for id, n := range p.refusals.Total {
		out <- prometheus.MustNewConstMetric(s.refused, prometheus.CounterValue, float64(n), string(id))
	}
}
