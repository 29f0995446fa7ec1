//go:build race

package certs_test

// underRace: the detector is on, and pools are emptied at random.
const underRace = true
