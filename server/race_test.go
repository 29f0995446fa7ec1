//go:build race

package server

// underRace: the detector is on, and what is only more of the same is only slow.
const underRace = true
