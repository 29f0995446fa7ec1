package main

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFile is more than the API takes of anything, and than most lists have; it keeps a wrong file name harmless.
const maxFile = 64 << 20

// file reads a file, or standard input for "-".
func (i *invocation) file(name string) ([]byte, error) {
	in := i.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, err
}

// certificate reads a certificate, DER or the first of a PEM file, as DER.
func (i *invocation) certificate(name string) ([]byte, error) {
	return i.structure(name, "CERTIFICATE")
}

// structure reads a DER or BER file as it is, or the first structure of some types of a PEM file.
func (i *invocation) structure(name string, types ...string) ([]byte, error) {
	all, err := i.structures(name, types...)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// structures reads the one structure of a DER or BER file, or all of some types of a PEM file.
func (i *invocation) structures(name string, types ...string) ([][]byte, error) {
	data, err := i.file(name)
	// What begins as a SEQUENCE is no PEM, whatever text it has inside: somebody may have signed a PEM file.
	if err != nil || bytes.HasPrefix(data, []byte{0x30}) || !bytes.Contains(data, []byte("-----BEGIN ")) {
		return [][]byte{data}, err
	}
	var all [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if slices.Contains(types, block.Type) {
			all = append(all, block.Bytes)
		}
	}
	if all == nil {
		return nil, fmt.Errorf("%s: no %s in the PEM", name, types[0])
	}
	return all, nil
}

// octets reads a file as it is, or decodes its base64 (standard or URL, padded or not).
func (i *invocation) octets(name string, isBase64 bool) ([]byte, error) {
	data, err := i.file(name)
	if err != nil || !isBase64 {
		return data, err
	}
	text := strings.NewReplacer("-", "+", "_", "/", "=", "", "\n", "", "\r", "", "\t", "", " ", "").Replace(string(data))
	if data, err = base64.RawStdEncoding.DecodeString(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// given are the flags that were set.
func (i *invocation) given() map[string]bool {
	set := map[string]bool{}
	i.flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return set
}

// required demands flags by name.
func (i *invocation) required(names ...string) error {
	given := i.given()
	for _, name := range names {
		if !given[name] {
			return usagef("-%s is required", name)
		}
	}
	return nil
}

// text declares a flag that a type of the SDK reads.
func (i *invocation) text(into interface{ UnmarshalText([]byte) error }, name, usage string) {
	i.flags.Func(name, usage, func(s string) error { return into.UnmarshalText([]byte(s)) })
}
