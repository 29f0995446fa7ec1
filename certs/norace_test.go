//go:build !race

package certs_test

const underRace = false
