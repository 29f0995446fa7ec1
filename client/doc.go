// Package client is the SDK of a relying party: a kiosk, a clinic's reception, an app that
// must know its customer. It asks a Tashika server about JPKI smartphone certificates and
// gives back plain Go values; nobody who uses it has to import the generated code.
//
//	c, err := client.New(client.Config{Target: "tashika.example.jp:8443", TLS: mutualTLS})
//	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
//	defer cancel()
//	challenge, err := c.CreateChallenge(ctx, client.UseHealthInsurance)
//	// … the phone signs challenge.Bytes …
//	result, err := c.Verify(ctx, client.VerifyRequest{Use: client.UseHealthInsurance, Certificate: der,
//		Signature: signature, Algorithm: client.PKCS1SHA256, Challenge: challenge.Bytes})
//	if err != nil {
//		return err // no verdict was reached: *Error says why
//	}
//	if !result.Valid() {
//		show(result.Guidance) // what to tell the person at the counter, and what to do
//	}
//
// For identity verification VerifyRequest.CMS takes a CMS SignedData in place of signature and
// algorithm. Give Content beside it: it is what the holder was to sign, and then it is what the
// verdict is about.
//
// # A verdict is not an error
//
// A revoked certificate is an answer, with its reasons and what to say about it. An error
// means that there is no answer. The zero value of every enumeration means "not known": a
// verdict, a status or a next step that a newer server knows and this version does not
// becomes that zero value, which is neither Valid nor Good, so what cannot be understood is
// never let through.
//
// # The types
//
// Requests and results are structs of this package, one layer over the messages of the
// API, because time.Time, time.Duration and plain slices are what Go programs hold, and
// because a nil message whose getters answer with zeroes is a poor place to rest a decision
// on. The enumerations carry the numbers of the API, and their names are taken from its
// descriptors, so nothing is written down twice. Results marshal to the JSON of the
// HTTP API, with what has no value left out, for records that have to be kept.
//
// # Retries
//
// What is safe to repeat is repeated, up to four attempts in all and never beyond the
// deadline: on UNAVAILABLE with jittered backoff, on RESOURCE_EXHAUSTED only where the
// server says when to come back. Verify with a challenge is never repeated: the first
// request may have consumed the challenge although its answer was lost, and the second would be
// told of a replay that never was. Make a new challenge and let the phone sign again.
//
// The loop is our own because gRPC's retryPolicy cannot say this: it is chosen by method,
// not by what the request holds, and it does not know google.rpc.RetryInfo. Retries and
// service configuration from the resolver are switched off, so that no DNS record brings them
// back.
//
// # One client, many calls
//
// There is no pool to manage and no stream to open: make one client and call it from as many goroutines as there
// are. While calls of Verify, or of CheckStatus, are few, each goes by itself. Once several are under way at a time they share one stream, on
// which a call costs a fraction; to the caller nothing is different: a deadline and a cancellation of its own, the same errors, the same
// retries. At most 256 are on the stream, the others wait, in their own time. A stream without calls ends after a while. Where
// none can be had, from an older server or through a proxy that does not let one through, calls go by themselves as before,
// and it is tried again after a time. A call whose context has outgoing metadata goes by itself, as do large requests.
//
// If a stream breaks, nobody knows of a challenge that was on its way whether it was consumed: as above, such a call is
// not repeated. If the server ends it in order, which it does after a time or to stop, it says by that that it
// has not begun with what it did not answer, and those calls are made again where the caller does not notice.
//
// VerifyBatch and CheckStatusBatch put up to 256 into one call. CheckStatusAll is for the nightly check of all customers.
// Config.Unary makes every call go by itself.
//
// # What it refuses
//
// A call without a deadline (ErrNoDeadline): at a counter, waiting for ever is a failure
// that nobody reports. A bearer token, or anything else, over plaintext to another machine:
// plaintext has to be asked for by name, goes to a loopback address only, and the address
// is looked at again when it is dialled. Server certificates that nobody verifies.
package client
