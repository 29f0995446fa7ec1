package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/challenge"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// handlers are the services of the API: the one seam between proto and certs. The requests that reach
// them were validated, and the caller is a relying party.
type handlers struct {
	tashikav1.UnimplementedVerificationServiceServer
	tashikav1.UnimplementedCertificateServiceServer
	tashikav1.UnimplementedRevocationServiceServer
	tashikav1.UnimplementedDeviceServiceServer
	server *Server
}

// CreateChallenge makes a one-time challenge, for uses that are answered with one.
func (h *handlers) CreateChallenge(ctx context.Context, r *tashikav1.CreateChallengeRequest) (*tashikav1.CreateChallengeResponse, error) {
	c := callOf(ctx)
	use, p, err := c.profile(r.GetUse())
	if err != nil {
		return nil, err
	}
	if p.Signs != profile.Challenge {
		return nil, fail(useWithoutChallenge, violation{"use", "USE_WITHOUT_CHALLENGE", "The profile of this use is not answered with a challenge."})
	}
	bytes, expires, err := h.server.challenges.Issue(challenge.Binding{RelyingParty: c.party.name, Use: use})
	if err != nil {
		return nil, &trouble{internal, err}
	}
	return &tashikav1.CreateChallengeResponse{Challenge: bytes, ExpireTime: timestamppb.New(expires), Use: r.GetUse()}, nil
}

// Verify is the main job. The order matters: what is the caller's mistake costs no challenge, and a
// challenge that is not fine never reaches the cryptography (certs.Verify ends with it).
func (h *handlers) Verify(ctx context.Context, r *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	c := callOf(ctx)
	use, p, err := c.profile(r.GetUse())
	if err != nil {
		return nil, err
	}
	presented, err := c.present(p, r.GetCertificate(), r.GetRevocationMethod(), r.GetMaxAge())
	if err != nil {
		return nil, err
	}
	if len(r.GetCmsSignedData()) > 0 {
		err = openCMS(p, r, &presented)
	} else {
		presented.Signature, err = signed(p, r)
	}
	if err != nil {
		return nil, err
	}
	if p.Signs == profile.Challenge {
		if presented.Challenge, err = h.consume(ctx, r.GetChallenge(), challenge.Binding{RelyingParty: c.party.name, Use: use}); err != nil {
			return nil, err
		}
	}
	v, err := h.verdict(ctx, c, p, presented)
	if err != nil {
		return nil, err
	}
	return &tashikav1.VerifyResponse{
		Verdict: conclusions[v.Conclusion], Reasons: reasonViews(v.Reasons), Guidance: guidanceView(v.Guidance),
		Certificate: certificateView(presented.Certificate, v.Kind, c), Status: statusView(v.Evidence, v.Time),
		HolderAttributes: attributesView(v.Attributes), Checks: checkViews(v.Checks),
		VerifyTime: timestamppb.New(v.Time), Profile: v.Profile,
	}, nil
}

// VerifyStream is Verify for each item of a stream.
func (h *handlers) VerifyStream(stream tashikav1.VerificationService_VerifyStreamServer) error {
	return h.server.serveItems(stream, h.server.verifyItem, func(c *call, item []byte, id uint64) (proto.Message, error) {
		r := &tashikav1.VerifyStreamRequest{}
		if err := h.server.readItem(item, r); err != nil {
			return nil, err
		}
		c.limit(r.GetTimeout().AsDuration())
		out, err := h.Verify(c, r.GetRequest())
		return &tashikav1.VerifyStreamResponse{Id: id, Result: &tashikav1.VerifyStreamResponse_Response{Response: out}}, err
	}, func(id uint64, why *spb.Status) proto.Message {
		return &tashikav1.VerifyStreamResponse{Id: id, Result: &tashikav1.VerifyStreamResponse_Error{Error: why}}
	})
}

// BatchVerify is Verify for each of a batch.
func (h *handlers) BatchVerify(ctx context.Context, r *tashikav1.BatchVerifyRequest) (*tashikav1.BatchVerifyResponse, error) {
	out := &tashikav1.BatchVerifyResponse{Results: make([]*tashikav1.VerifyResult, len(r.GetRequests()))}
	h.server.batch(callOf(ctx), len(out.Results), h.server.verifyInside, func(c *call, i int) error {
		if err := h.server.validate(r.GetRequests()[i]); err != nil {
			return err
		}
		response, err := h.Verify(c, r.GetRequests()[i])
		out.Results[i] = &tashikav1.VerifyResult{Result: &tashikav1.VerifyResult_Response{Response: response}}
		return err
	}, func(i int, why *spb.Status) {
		out.Results[i] = &tashikav1.VerifyResult{Result: &tashikav1.VerifyResult_Error{Error: why}}
	})
	return out, nil
}

// profile is that of a use which the party was granted.
func (c *call) profile(u tashikav1.Use) (profile.Use, *profile.Profile, error) {
	use := uses[u]
	if !c.party.granted(use) {
		return 0, nil, fail(useNotGranted)
	}
	return use, c.state.profiles[use], nil
}

// signed takes the form of what was signed, which has to be that of the profile.
func signed(p *profile.Profile, r *tashikav1.VerifyRequest) (*certs.Signature, error) {
	s := &certs.Signature{Value: r.GetSignature(), Algorithm: algorithms[r.GetSignatureAlgorithm()]}
	field, form := "", profile.Content
	switch signed := r.GetSigned().(type) {
	case *tashikav1.VerifyRequest_Challenge:
		field, form, s.Message = "challenge", profile.Challenge, signed.Challenge
	case *tashikav1.VerifyRequest_Content:
		field, s.Message = "content", signed.Content
	case *tashikav1.VerifyRequest_ContentDigest:
		field, s.Digest = "content_digest", signed.ContentDigest
	}
	if form != p.Signs {
		return nil, otherForm(p, field)
	}
	if size := s.Algorithm.Hash.Size(); s.Digest != nil && len(s.Digest) != size {
		return nil, fail(digestLengthMismatch, violation{field, "DIGEST_LENGTH_MISMATCH",
			fmt.Sprintf("The digest of this signature_algorithm has %d bytes.", size)})
	}
	return s, nil
}

// otherForm refuses what is not signed for the profile's use.
func otherForm(p *profile.Profile, field string) error {
	return fail(signedFormMismatch, violation{field, "SIGNED_FORM_MISMATCH",
		fmt.Sprintf("For this use the holder signs a %s.", signedNames[p.Signs])})
}

var signedNames = map[profile.Signed]string{profile.Challenge: "challenge (field challenge)",
	profile.Content: "content (field content, content_digest or cms_signed_data)"}

// openCMS takes signature and certificate from a CMS message. One that has no signature of one holder is the caller's mistake, as
// is what is missing beside it; that the signature is not over the content is for the verdict.
func openCMS(p *profile.Profile, r *tashikav1.VerifyRequest, presented *certs.Presented) error {
	if p.Signs != profile.Content {
		return otherForm(p, "cms_signed_data")
	}
	signature, certificate, refused := certs.ReadCMS(r.GetCmsSignedData(), presented.Certificate, r.GetContent())
	if refused != "" {
		f := cmsRefusals[refused]
		return fail(f.failure, violation{f.field, string(refused), reason.Get(refused).EN})
	}
	presented.Signature, presented.Certificate = signature, certificate
	return nil
}

// cmsRefusals are what certs.ReadCMS refuses, and the field to mend. The reader's own words stay there: they may quote the message.
var cmsRefusals = map[reason.ID]struct {
	failure failure
	field   string
}{
	reason.CMSFormatFailure:            {cmsFormatFailure, "cms_signed_data"},
	reason.CMSSignerMissing:            {cmsSignerMissing, "cms_signed_data"},
	reason.CMSSignersAmbiguous:         {cmsSignersAmbiguous, "cms_signed_data"},
	reason.CMSSignerCertificateMissing: {cmsCertificateAbsent, "certificate"},
	reason.CMSContentMissing:           {cmsContentMissing, "content"},
}

// consume spends the challenge; its findings are for the verdict.
func (h *handlers) consume(ctx context.Context, c []byte, b challenge.Binding) ([]reason.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // it stays as it is
	}
	findings, err := h.server.challenges.Consume(ctx, c, b)
	switch {
	case err == nil:
		return findings, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, challenge.ErrFull):
		return nil, fail(challengesExhausted)
	}
	return nil, &trouble{challengesUnavailable, err}
}

// present reads what a certificate is presented with. A certificate that cannot be read is the caller's mistake: there is nothing
// to give a verdict about. There is none where it may be inside of a CMS message.
func (c *call) present(p *profile.Profile, der []byte, asked tashikav1.RevocationMethod, maxAge *durationpb.Duration) (out certs.Presented, err error) {
	if len(der) > 0 {
		if out.Certificate, err = c.parse(der); err != nil {
			return out, err
		}
	}
	var offered bool
	if out.Method, offered = p.Method(methods[asked]); !offered {
		return out, fail(methodNotOffered, violation{"revocation_method", "REVOCATION_METHOD_NOT_OFFERED",
			"The profile of this use does not offer this method."})
	}
	out.MaxAge = maxAge.AsDuration()
	return out, nil
}

// parse reads a certificate. The parser's own words stay here: they may quote it.
func (c *call) parse(der []byte) (*pkix.Certificate, error) {
	x, err := c.state.cache.Parse(der)
	if err != nil {
		return nil, fail(formatFailure, violation{"certificate", string(reason.FormatFailure), reason.Get(reason.FormatFailure).EN})
	}
	return x, nil
}

// verdict asks package certs, with one snapshot of everything.
func (h *handlers) verdict(ctx context.Context, c *call, p *profile.Profile, presented certs.Presented) (*certs.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // nobody waits for it any more
	}
	v := certs.Verify(ctx, presented, certs.Trust{
		Profile: p, Anchors: c.state.anchors, Revocation: h.server.evidence, Now: c.state.config.Clock(), Cache: c.state.cache,
	})
	h.server.lanes.watch(h.server.log)
	if err := ctx.Err(); err != nil {
		return nil, err // an outage of our time, not of the evidence
	}
	if v.Conclusion == 0 {
		return nil, &trouble{internal, errors.New("a verdict without a conclusion")}
	}
	c.verdict, c.reasons = conclusions[v.Conclusion].String(), v.Reasons
	return v, nil
}
