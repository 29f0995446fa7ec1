//go:build !race

package ocsp

const underRace = false
