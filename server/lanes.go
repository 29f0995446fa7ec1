package server

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tashika-jp/tashika/certs/signature"
)

// laneAlarm says once that RSA signatures were raised wrongly in lanes. Nothing wrong was answered to who asked for the
// sample, but nobody knows of the others: the processor or the memory of this machine is not to be trusted.
type laneAlarm struct{ once sync.Once }

func (a *laneAlarm) watch(log *slog.Logger) {
	if stats := signature.Lanes(); stats.Wrong > 0 {
		a.once.Do(func() {
			log.Error("RSA signatures were raised wrongly with AVX-512: this is off now, and verdicts since the start are in doubt",
				"raised", stats.Raised, "compared", stats.Compared, "wrong", stats.Wrong)
		})
	}
}

// laneMeters tell how RSA signatures are raised.
func laneMeters() []prometheus.Collector {
	counter := func(name, help string, value func(signature.LaneStats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(signature.Lanes())) })
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tashika_rsa_lanes",
			Help: "1 while RSA signatures are raised in the lanes of AVX-512 vectors."}, func() float64 {
			if signature.Lanes().InUse {
				return 1
			}
			return 0
		}),
		counter("tashika_rsa_lanes_raised_total", "RSA signatures raised in lanes.", func(s signature.LaneStats) uint64 { return s.Raised }),
		counter("tashika_rsa_lanes_compared_total", "Of them, those raised again by other code.", func(s signature.LaneStats) uint64 { return s.Compared }),
		counter("tashika_rsa_lanes_wrong_total", "Of those, the ones that differed: any is an alarm.", func(s signature.LaneStats) uint64 { return s.Wrong }),
	}
}
