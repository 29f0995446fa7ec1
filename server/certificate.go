package server

import (
	"context"
	"encoding/hex"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/signature"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CheckStatus gives a verdict about a certificate without a signature.
func (h *handlers) CheckStatus(ctx context.Context, r *tashikav1.CheckStatusRequest) (*tashikav1.CheckStatusResponse, error) {
	c := callOf(ctx)
	_, p, err := c.profile(r.GetUse())
	if err != nil {
		return nil, err
	}
	presented, err := c.present(p, r.GetCertificate(), r.GetRevocationMethod(), r.GetMaxAge())
	if err != nil {
		return nil, err
	}
	v, err := h.verdict(ctx, c, p, presented)
	if err != nil {
		return nil, err
	}
	return &tashikav1.CheckStatusResponse{
		Verdict: conclusions[v.Conclusion], Reasons: reasonViews(v.Reasons), Guidance: guidanceView(v.Guidance),
		Certificate: certificateView(presented.Certificate, v.Kind, c), Status: statusView(v.Evidence, v.Time),
		Checks: checkViews(v.Checks), VerifyTime: timestamppb.New(v.Time), Profile: v.Profile,
	}, nil
}

// CheckStatusStream is CheckStatus for each item of a stream.
func (h *handlers) CheckStatusStream(stream tashikav1.CertificateService_CheckStatusStreamServer) error {
	return h.server.serveItems(stream, h.server.statusItem, func(c *call, item []byte, id uint64) (proto.Message, error) {
		r := &tashikav1.CheckStatusStreamRequest{}
		if err := h.server.readItem(item, r); err != nil {
			return nil, err
		}
		c.limit(r.GetTimeout().AsDuration())
		out, err := h.CheckStatus(c, r.GetRequest())
		return &tashikav1.CheckStatusStreamResponse{Id: id, Result: &tashikav1.CheckStatusStreamResponse_Response{Response: out}}, err
	}, func(id uint64, why *spb.Status) proto.Message {
		return &tashikav1.CheckStatusStreamResponse{Id: id, Result: &tashikav1.CheckStatusStreamResponse_Error{Error: why}}
	})
}

// BatchCheckStatus is CheckStatus for each of a batch.
func (h *handlers) BatchCheckStatus(ctx context.Context, r *tashikav1.BatchCheckStatusRequest) (*tashikav1.BatchCheckStatusResponse, error) {
	out := &tashikav1.BatchCheckStatusResponse{Results: make([]*tashikav1.CheckStatusResult, len(r.GetRequests()))}
	h.server.batch(callOf(ctx), len(out.Results), h.server.statusInside, func(c *call, i int) error {
		if err := h.server.validate(r.GetRequests()[i]); err != nil {
			return err
		}
		response, err := h.CheckStatus(c, r.GetRequests()[i])
		out.Results[i] = &tashikav1.CheckStatusResult{Result: &tashikav1.CheckStatusResult_Response{Response: response}}
		return err
	}, func(i int, why *spb.Status) {
		out.Results[i] = &tashikav1.CheckStatusResult{Result: &tashikav1.CheckStatusResult_Error{Error: why}}
	})
	return out, nil
}

// Inspect tells what a certificate says of itself. The holder's attributes are for parties that
// verify identities: to others a certificate is a key and a status.
func (h *handlers) Inspect(ctx context.Context, r *tashikav1.InspectRequest) (*tashikav1.InspectResponse, error) {
	c := callOf(ctx)
	x, err := c.parse(r.GetCertificate())
	if err != nil {
		return nil, err
	}
	kind, _ := certs.Identify(x, c.state.anchors, c.state.config.Clock())
	out := &tashikav1.InspectResponse{
		Certificate: certificateView(x, kind, c), PublicKeyAlgorithm: keyName(x), SignatureAlgorithm: signatureName(x),
		Policies: dotted(x.Policies), KeyUsages: x.KeyUsage.Names(), ExtendedKeyUsages: dotted(x.ExtendedKeyUsages),
		OcspUris: x.OCSPURIs, SubjectKeyId: hex.EncodeToString(x.SubjectKeyID), UnknownCriticalExtensions: dotted(x.UnknownCritical),
	}
	for _, point := range x.DistributionPoints {
		for _, name := range point.FullName {
			if text := name.String(); text != "" {
				out.DistributionPoints = append(out.DistributionPoints, text)
			}
		}
	}
	if attributes, err := certs.ReadHolderAttributes(x); err == nil { // else there are none to show
		out.OtherNameTypes = dotted(attributes.Others)
		if c.party.granted(profile.PrivateIdentityVerification) {
			out.HolderAttributes = attributesView(attributes)
		}
	}
	return out, nil
}

// keyName is the kind of the key, or the identifier of one that we do not know.
func keyName(x *pkix.Certificate) string {
	key, err := signature.NewPublicKey(x.PublicKeyAlgorithm, x.PublicKey)
	if err != nil {
		return x.PublicKeyAlgorithm.Algorithm.String()
	}
	return key.String()
}

// signatureName is the name of the algorithm, or the identifier of one that we do not know.
func signatureName(x *pkix.Certificate) string {
	a, err := signature.FromIdentifier(x.SignatureAlgorithm)
	if err != nil {
		return x.SignatureAlgorithm.Algorithm.String()
	}
	return a.String()
}

func dotted(ids []pkix.OID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}
