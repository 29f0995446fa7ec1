//go:build race

package conformance

// underRace: the detector is on, and what starts other programs is only slow.
const underRace = true
