//go:build race

package crl

// underRace: the detector is on, and what runs in one goroutine is only slow.
const underRace = true
