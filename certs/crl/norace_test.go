//go:build !race

package crl

const underRace = false
