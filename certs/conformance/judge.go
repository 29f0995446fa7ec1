package conformance

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// Judge answers the cases of a suite.
type Judge interface {
	Name() string
	// Version says what exactly judges; ErrNotInstalled if it is not on this machine.
	Version(context.Context) (string, error)
	// Judge answers every case, in order, and calls done after each. What the judge does not
	// support it does not accept. An error is the judge's failure to work at all.
	Judge(ctx context.Context, cases []Case, done func()) ([]Answer, error)
}

// Answer is what a judge says of a case.
type Answer struct {
	Accept    bool
	Why       string   // the judge's own words, if it does not accept
	Verdict   string   // Tashika's
	PolicySet []string // Tashika's
}

// ErrNoCheck: the judge has no way to be asked for what the cases ask.
var ErrNoCheck = errors.New("conformance: not asked")

// ErrNotInstalled: the program that judges is not on this machine.
var ErrNotInstalled = errors.New("conformance: not installed")

// Judges are all that are known here, ours first.
func Judges() []Judge {
	return []Judge{Tashika{}, OpenSSL{}, JDK{}, Go{}, Rejecter{}}
}

// Rejecter refuses everything: the measure of what refusing alone is worth.
type Rejecter struct{}

// Name implements Judge.
func (Rejecter) Name() string { return "always reject" }

// Version implements Judge.
func (Rejecter) Version(context.Context) (string, error) { return "", nil }

// Judge implements Judge.
func (Rejecter) Judge(_ context.Context, cases []Case, done func()) ([]Answer, error) {
	for range cases {
		done()
	}
	return make([]Answer, len(cases)), nil
}

// each asks about all cases at once, as far as the machine has processors; a judge that is a
// program started for each case would else be waited for most of the time.
func each(ctx context.Context, cases []Case, done func(), ask func(context.Context, Case) (Answer, error)) ([]Answer, error) {
	answers := make([]Answer, len(cases))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	var reporting sync.Mutex
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := range next {
				answer, err := ask(ctx, cases[i])
				if err != nil {
					cancel(err)
					return
				}
				answers[i] = answer
				reporting.Lock()
				done()
				reporting.Unlock()
			}
		})
	}
	for i := range cases {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return answers, context.Cause(ctx)
}
