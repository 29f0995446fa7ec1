package client

import (
	"context"
	"errors"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Challenge is a one-time challenge for a phone to sign.
type Challenge struct {
	Bytes      []byte    `json:"challenge,omitempty"` // exactly what is signed and given back to Verify
	ExpireTime time.Time `json:"expireTime,omitzero"`
	Use        Use       `json:"use,omitzero"`
}

// CreateChallenge asks for a challenge.
func (c *Client) CreateChallenge(ctx context.Context, use Use) (*Challenge, error) {
	r, err := repeatable(ctx, c, c.verification.CreateChallenge, &tashikav1.CreateChallengeRequest{Use: tashikav1.Use(use)})
	if err != nil {
		return nil, err
	}
	return &Challenge{r.GetChallenge(), at(r.GetExpireTime()), enum[Use](r.GetUse())}, nil
}

// VerifyRequest presents a certificate and a signature made with its key, as they are or in a
// CMS message.
type VerifyRequest struct {
	Use         Use
	Certificate []byte // DER; with CMS only where the message does not have it
	Signature   []byte
	Algorithm   SignatureAlgorithm
	// What was signed: exactly one of the challenge it answers (which the call consumes,
	// whatever comes of it), the content, and the content's digest under the algorithm's hash.
	Challenge, Content, ContentDigest []byte
	// CMS is a SignedData (RFC 5652), BER or DER, in place of Signature and Algorithm, for uses whose
	// holder signs content. Content is required beside it where it is detached, and else is
	// compared with what is inside: without it, the verdict is about whatever is inside.
	CMS []byte
	// Method to find the status by; 0 for the profile's.
	Method RevocationMethod
	// MaxAge of the evidence; 0 for the profile's. It can only tighten that.
	MaxAge time.Duration
}

// ErrSigned is returned where a VerifyRequest does not say exactly one thing that was signed, or
// with CMS anything else than the content.
var ErrSigned = errors.New("client: exactly one of Challenge, Content and ContentDigest must be given; with CMS none of them, or Content")

// Verify checks a certificate and a signature. With a challenge it is never repeated: see
// the package comment.
func (c *Client) Verify(ctx context.Context, v VerifyRequest) (*Result, error) {
	request, err := v.message()
	if err != nil {
		return nil, err
	}
	var r *tashikav1.VerifyResponse
	if v.Challenge != nil {
		r, err = once(ctx, c.verify, request)
	} else {
		r, err = repeatable(ctx, c, c.verify, request)
	}
	if err != nil {
		return nil, err
	}
	return newVerification(r), nil
}

func (v *VerifyRequest) message() (*tashikav1.VerifyRequest, error) {
	request := &tashikav1.VerifyRequest{
		Use:                tashikav1.Use(v.Use),
		Certificate:        v.Certificate,
		Signature:          v.Signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm(v.Algorithm),
		RevocationMethod:   tashikav1.RevocationMethod(v.Method),
		MaxAge:             bound(v.MaxAge),
		CmsSignedData:      v.CMS,
	}
	signed := 0
	if v.Challenge != nil {
		signed++
		request.Signed = &tashikav1.VerifyRequest_Challenge{Challenge: v.Challenge}
	}
	if v.Content != nil {
		signed++
		request.Signed = &tashikav1.VerifyRequest_Content{Content: v.Content}
	}
	if v.ContentDigest != nil {
		signed++
		request.Signed = &tashikav1.VerifyRequest_ContentDigest{ContentDigest: v.ContentDigest}
	}
	inside := v.CMS != nil && signed == 0
	if !inside && signed != 1 || v.CMS != nil && (v.Challenge != nil || v.ContentDigest != nil) {
		return nil, ErrSigned
	}
	return request, nil
}

func newVerification(r *tashikav1.VerifyResponse) *Result {
	result := newResult(r)
	result.HolderAttributes = newHolderAttributes(r.GetHolderAttributes())
	return result
}

// StatusRequest presents a certificate alone.
type StatusRequest struct {
	Use         Use
	Certificate []byte           // DER
	Method      RevocationMethod // as in VerifyRequest
	MaxAge      time.Duration    // as in VerifyRequest
}

// CheckStatus checks kind, chain, validity and status of a certificate without a signature:
// the later check (現況確認) of somebody verified before.
func (c *Client) CheckStatus(ctx context.Context, s StatusRequest) (*Result, error) {
	r, err := repeatable(ctx, c, c.checkStatus, s.message())
	if err != nil {
		return nil, err
	}
	return newResult(r), nil
}

func (s *StatusRequest) message() *tashikav1.CheckStatusRequest {
	return &tashikav1.CheckStatusRequest{
		Use:              tashikav1.Use(s.Use),
		Certificate:      s.Certificate,
		RevocationMethod: tashikav1.RevocationMethod(s.Method),
		MaxAge:           bound(s.MaxAge),
	}
}

// Inspect returns the server's parsed view of a certificate (DER), and no verdict.
func (c *Client) Inspect(ctx context.Context, certificate []byte) (*Inspection, error) {
	r, err := repeatable(ctx, c, c.certificates.Inspect, &tashikav1.InspectRequest{Certificate: certificate})
	if err != nil {
		return nil, err
	}
	return &Inspection{
		Certificate:               newCertificate(r.GetCertificate()),
		PublicKeyAlgorithm:        r.GetPublicKeyAlgorithm(),
		SignatureAlgorithm:        r.GetSignatureAlgorithm(),
		Policies:                  r.GetPolicies(),
		KeyUsages:                 r.GetKeyUsages(),
		ExtendedKeyUsages:         r.GetExtendedKeyUsages(),
		DistributionPoints:        r.GetDistributionPoints(),
		OCSPURIs:                  r.GetOcspUris(),
		SubjectKeyID:              r.GetSubjectKeyId(),
		HolderAttributes:          newHolderAttributes(r.GetHolderAttributes()),
		OtherNameTypes:            r.GetOtherNameTypes(),
		UnknownCriticalExtensions: r.GetUnknownCriticalExtensions(),
	}, nil
}

// bound leaves out what was not asked for; what makes no sense is for the server to refuse.
func bound(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
