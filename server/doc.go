// Package server is the life of Tashika: one process with two doors, gRPC and HTTP, in front
// of what package certs knows.
//
// # Two doors, one guard
//
// There is one way in: guard.go has it from top to bottom, in the order in which it
// happens (trace, log and metrics, deadline, authentication, rate, capacity, recovery,
// parsing, validation). Nothing is checked at one door only. The same services are registered
// behind the same guard twice, at the gRPC server on the network and at what grpc-gateway
// calls when it has translated HTTP, a function call away (within.go). What the HTTP door
// tells about the TLS client of its caller travels as metadata of that call, and the server on
// the network does not even look for it: a door cannot be pretended, because it is not
// something that is sent.
//
// An item of a stream or of a batch goes through the same guard, but that it is its call that
// was authenticated (items.go).
//
// # More than it can do
//
// What is at work is counted, not queued: a call for which there is no place is turned away at
// once with RESOURCE_EXHAUSTED and when to come back, on the network by its header alone, and
// over HTTP before its body is read. A stream is held back by not being read. So what is
// accepted takes no longer than the places it shares the processor with, and what is not costs next to
// nothing.
//
// # One snapshot a call
//
// Everything that configuration decides (profiles, anchors, relying parties, devices, keys,
// limits) stands in one immutable state behind an atomic pointer. A call takes it once and
// ends with what it began with; on a stream each item does. A reload builds a whole new state, and swaps it only if all
// of it is right; else the old one goes on and the log says why.
//
// # The seam
//
// This is the only package that sees both the API (proto) and the knowledge (certs). Each
// notion is translated in one place: values by tables (translate.go), messages by functions
// (view.go), and a test counts the values of both sides.
//
// # A verdict is not an error
//
// A revoked certificate is OK with INVALID. An error means that no verdict was reached, and
// carries google.rpc.ErrorInfo with one of a closed set of reasons (failure.go). What went
// wrong with us is said in the log; the caller is told that something did.
//
// # What it refuses
//
// Plaintext, except on loopback and if asked for by name. Callers it does not know: all but
// grpc.health.v1, /healthz, /readyz and /openapi.json need a relying party's credentials, also
// the reflection service, for it is for those who may call what it describes. Unknown
// fields, in protobuf, in JSON, in queries and in its own configuration. It never logs a certificate,
// a serial number, an attribute, a signature or a challenge, and metric labels come from
// closed sets.
package server
