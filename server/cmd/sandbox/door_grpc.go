package main

import (
	"context"
	"time"

	"github.com/tashika-jp/tashika/client"
)

// grpcDoor goes in through gRPC with the SDK.
type grpcDoor struct {
	clients map[string]*client.Client // by relying party
}

func (d *grpcDoor) name() string { return "grpc" }

func (d *grpcDoor) challenge(ctx context.Context, party, use string) ([]byte, error) {
	var u client.Use
	if err := u.UnmarshalText([]byte(use)); err != nil {
		return nil, err
	}
	c, err := d.clients[party].CreateChallenge(ctx, u)
	if err != nil {
		return nil, err
	}
	return c.Bytes, nil
}

func (d *grpcDoor) verify(ctx context.Context, p presentation) (answer, error) {
	request := client.VerifyRequest{Certificate: p.certificate, Signature: p.signature, Challenge: p.challenge, Content: p.content, CMS: p.cms}
	if err := request.Use.UnmarshalText([]byte(p.use)); err != nil {
		return answer{}, err
	}
	if p.cms == nil {
		if err := request.Algorithm.UnmarshalText([]byte(p.algorithm)); err != nil {
			return answer{}, err
		}
	}
	if p.method != "" {
		if err := request.Method.UnmarshalText([]byte(p.method)); err != nil {
			return answer{}, err
		}
	}
	started := time.Now()
	out, err := d.clients[p.party].Verify(ctx, request)
	if err != nil {
		return answer{}, err
	}
	a := answer{verdict: out.Verdict.String(), ja: out.Guidance.Text.JA, en: out.Guidance.Text.EN,
		elapsed: time.Since(started), hasFour: out.HolderAttributes != nil}
	for _, r := range out.Reasons {
		a.reasons = append(a.reasons, r.ID)
	}
	return a, nil
}
