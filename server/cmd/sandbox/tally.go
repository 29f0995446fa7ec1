package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tally counts the lists that the pretend J-LIS has given, for whoever watches the first of thousands come.
type tally struct {
	handler http.Handler
	of      int

	mu    sync.Mutex
	given map[string]bool // guarded by mu: by path
}

func (t *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.handler.ServeHTTP(w, r)
	if strings.HasPrefix(r.URL.Path, "/crl/") {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.given == nil {
			t.given = make(map[string]bool)
		}
		t.given[r.URL.Path] = true
	}
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.given)
}

// tell writes how far it is, every two seconds until it is stopped, and then how long it took.
func (t *tally) tell(progress io.Writer) (stop func()) {
	began, done := time.Now(), make(chan struct{})
	var told sync.WaitGroup
	say := func() {
		fmt.Fprintf(progress, "失効リスト / revocation lists: %d / %d, %.0f s\n", t.count(), t.of, time.Since(began).Seconds())
	}
	told.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				say()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		told.Wait()
		say()
	}
}
