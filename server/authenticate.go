package server

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// door is where a call came in. It is a property of the server that took the connection,
// never of anything that was sent.
type door uint8

const (
	grpcDoor door = iota
	httpDoor
)

// String is "grpc" or "http", as in logs and metrics.
func (d door) String() string { return []string{"grpc", "http"}[d] }

// The metadata by which the HTTP door tells about the TLS client of its caller. Only the
// way within reads them; a header of an HTTP caller never becomes one (gateway.go).
const (
	forwardedPin = "tashika-http-client-spki"
	forwardedSAN = "tashika-http-client-san"
)

// authenticate finds the relying party of a call.
func (s *Server) authenticate(c *call) failure {
	shown, ok := c.door.claim(c)
	if !ok {
		return credentialsUnknown
	}
	var why failure
	c.party, why = c.state.parties.find(&shown)
	return why
}

// claim is what a caller shows at the door; false if it cannot be read.
func (d door) claim(ctx context.Context) (c claim, ok bool) {
	// One value is asked for, because a copy is made of what is.
	if authorization := metadata.ValueFromIncomingContext(ctx, "authorization"); len(authorization) > 0 {
		scheme, token, _ := strings.Cut(authorization[0], " ")
		// RFC 6750 section 2.1. Two of them would be one for us and another for a proxy.
		if len(authorization) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
			return c, false
		}
		c.token = token
	}
	if d == httpDoor {
		md, _ := metadata.FromIncomingContext(ctx)
		c.forwarded(md)
		return c, true
	}
	if p, found := peer.FromContext(ctx); found {
		if info, secure := p.AuthInfo.(credentials.TLSInfo); secure {
			c.shows(&info.State)
		}
	}
	return c, true
}

// forward says in metadata what forwarded reads.
func forward(_ context.Context, r *http.Request) metadata.MD {
	// A name that gRPC cannot carry is one that no configuration can have.
	var c claim
	c.shows(r.TLS)
	if !c.certified {
		return nil
	}
	md := metadata.Pairs(forwardedPin, hex.EncodeToString(c.pin[:]))
	for _, san := range c.sans {
		if printable(san) {
			md.Append(forwardedSAN, san)
		}
	}
	return md
}

func (c *claim) forwarded(md metadata.MD) {
	pins := md[forwardedPin]
	if len(pins) != 1 {
		return
	}
	if n, err := hex.Decode(c.pin[:], []byte(pins[0])); err != nil || n != len(c.pin) {
		return
	}
	c.certified, c.sans = true, md[forwardedSAN]
}
