package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// streamDoor goes in through one VerifyStream for each relying party, with nothing but the generated code.
type streamDoor struct {
	client  tashikav1.VerificationServiceClient
	tokens  map[string]string // by relying party
	streams map[string]*openStream
	id      uint64 // of the last item
}

// openStream lasts longer than a scenario.
type openStream struct {
	tashikav1.VerificationService_VerifyStreamClient
	cancel context.CancelFunc
}

func newStreamDoor(conn grpc.ClientConnInterface, tokens map[string]string) *streamDoor {
	return &streamDoor{client: tashikav1.NewVerificationServiceClient(conn), tokens: tokens, streams: map[string]*openStream{}}
}

func (d *streamDoor) name() string { return "stream" }

func (d *streamDoor) as(ctx context.Context, party string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+d.tokens[party])
}

func (d *streamDoor) challenge(ctx context.Context, party, use string) ([]byte, error) {
	out, err := d.client.CreateChallenge(d.as(ctx, party), &tashikav1.CreateChallengeRequest{Use: tashikav1.Use(tashikav1.Use_value[use])})
	return out.GetChallenge(), err
}

// stream is the party's.
func (d *streamDoor) stream(party string) (*openStream, error) {
	if s := d.streams[party]; s != nil {
		return s, nil
	}
	ctx, cancel := context.WithCancel(d.as(context.Background(), party))
	s, err := d.client.VerifyStream(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	d.streams[party] = &openStream{s, cancel}
	return d.streams[party], nil
}

func (d *streamDoor) verify(ctx context.Context, p presentation) (answer, error) {
	s, err := d.stream(p.party)
	if err != nil {
		return answer{}, err
	}
	// Who waits no longer gives the stream up.
	defer context.AfterFunc(ctx, s.cancel)()
	d.id++
	item := &tashikav1.VerifyStreamRequest{Id: d.id, Request: p.request()}
	started := time.Now()
	out := &tashikav1.VerifyStreamResponse{}
	if err = s.Send(item); err == nil {
		out, err = s.Recv()
	}
	switch {
	case err != nil:
		delete(d.streams, p.party)
		s.cancel()
		return answer{}, err
	case out.GetId() != d.id:
		return answer{}, fmt.Errorf("item %d was answered as %d", d.id, out.GetId())
	case out.GetError() != nil:
		return answer{}, status.FromProto(out.GetError()).Err()
	case out.GetResponse() == nil:
		return answer{}, errors.New("an answer with neither verdict nor error")
	}
	return answerOf(out.GetResponse(), time.Since(started)), nil
}

// request is the presentation as the API has it.
func (p presentation) request() *tashikav1.VerifyRequest {
	r := &tashikav1.VerifyRequest{
		Use: tashikav1.Use(tashikav1.Use_value[p.use]), Certificate: p.certificate, Signature: p.signature, CmsSignedData: p.cms,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm(tashikav1.SignatureAlgorithm_value[p.algorithm]),
		RevocationMethod:   tashikav1.RevocationMethod(tashikav1.RevocationMethod_value[p.method]),
	}
	switch {
	case p.challenge != nil:
		r.Signed = &tashikav1.VerifyRequest_Challenge{Challenge: p.challenge}
	case p.content != nil:
		r.Signed = &tashikav1.VerifyRequest_Content{Content: p.content}
	}
	return r
}

func answerOf(v *tashikav1.VerifyResponse, elapsed time.Duration) answer {
	a := answer{verdict: strings.TrimPrefix(v.GetVerdict().String(), "VERDICT_"), ja: v.GetGuidance().GetText().GetJa(),
		en: v.GetGuidance().GetText().GetEn(), elapsed: elapsed, hasFour: v.GetHolderAttributes().GetCommonName().GetText() != ""}
	for _, r := range v.GetReasons() {
		a.reasons = append(a.reasons, r.GetId())
	}
	return a
}
