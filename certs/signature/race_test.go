//go:build race

package signature

// underRace: the detector is on, and what runs in one goroutine is only slow.
const underRace = true
