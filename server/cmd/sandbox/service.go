package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tashika-jp/tashika/certs/sandbox"
	sandboxv1 "github.com/tashika-jp/tashika/proto/tashika/sandbox/v1"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// service is SandboxService over the scene. After everything that changes what the world publishes it makes
// the server fetch it, so that a developer sees the effect with the next request.
type service struct {
	sandboxv1.UnimplementedSandboxServiceServer
	*scene

	mu        sync.Mutex
	impostors map[sandboxv1.Flaw]*sandbox.Impostor // guarded by mu: made when first asked for
	foreign   map[string]*sandbox.Phone            // guarded by mu: their phones, by name
}

// maxPhones bounds the world: a developer's loop must not fill the memory.
const maxPhones = 10_000

func (s *service) IssuePhone(ctx context.Context, r *sandboxv1.IssuePhoneRequest) (*sandboxv1.IssuePhoneResponse, error) {
	key := sandbox.RSA2048
	switch r.GetKeyAlgorithm() {
	case sandboxv1.KeyAlgorithm_KEY_ALGORITHM_P256:
		key = sandbox.P256
	case sandboxv1.KeyAlgorithm_KEY_ALGORITHM_P384:
		key = sandbox.P384
	}
	if len(s.world.Devices()) >= maxPhones {
		return nil, tooManyPhones
	}
	options := sandbox.IssueOptions{Key: key}
	switch flaw := r.GetFlaw(); flaw {
	case sandboxv1.Flaw_FLAW_FOREIGN_AUTHORITY, sandboxv1.Flaw_FLAW_FORGED_KEY_IDENTIFIER:
		return s.issueForeign(flaw, options)
	case sandboxv1.Flaw_FLAW_UNPUBLISHED_PARTITION:
		options.Municipality = sandbox.UnpublishedMunicipality
	}
	p, err := s.world.Issue(s.nextHolder(), options)
	if err != nil {
		return nil, refusal(err)
	}
	return &sandboxv1.IssuePhoneResponse{Phone: phoneView(p)}, nil
}

// issueForeign issues under an impostor's authority. Its phones sign, but nothing happens to them in this world:
// events are refused, and they are not listed.
func (s *service) issueForeign(flaw sandboxv1.Flaw, o sandbox.IssueOptions) (*sandboxv1.IssuePhoneResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.foreign) >= maxPhones {
		return nil, tooManyPhones
	}
	impostor := s.impostors[flaw]
	if impostor == nil {
		var err error
		if impostor, err = s.world.Impostor(flaw == sandboxv1.Flaw_FLAW_FORGED_KEY_IDENTIFIER); err != nil {
			return nil, refusal(err)
		}
		s.impostors[flaw] = impostor
	}
	p, err := impostor.Issue(s.nextHolder(), o)
	if err != nil {
		return nil, refusal(err)
	}
	view := phoneView(p)
	view.Name = fmt.Sprintf("phones/foreign-%d", len(s.foreign)+1)
	s.foreign[view.Name] = p
	return &sandboxv1.IssuePhoneResponse{Phone: view}, nil
}

var tooManyPhones = failure(codes.ResourceExhausted, "TOO_MANY_PHONES", "the sandbox has issued all its phones: start it again")

func (s *service) ListPhones(_ context.Context, r *sandboxv1.ListPhonesRequest) (*sandboxv1.ListPhonesResponse, error) {
	size := cmp.Or(int(r.GetPageSize()), 100)
	start := 0
	if r.GetPageToken() != "" {
		var err error
		if start, err = strconv.Atoi(r.GetPageToken()); err != nil || start < 0 {
			return nil, failure(codes.InvalidArgument, "BAD_PAGE_TOKEN", "page_token is not one that was returned")
		}
	}
	devices := slices.DeleteFunc(s.world.Devices(), (*sandbox.Phone).IsCard)
	devices = devices[min(start, len(devices)):]
	out := &sandboxv1.ListPhonesResponse{}
	if len(devices) > size {
		devices = devices[:size]
		out.NextPageToken = strconv.Itoa(start + size)
	}
	for _, p := range devices {
		out.Phones = append(out.Phones, phoneView(p))
	}
	return out, nil
}

func (s *service) Sign(_ context.Context, r *sandboxv1.SignRequest) (*sandboxv1.SignResponse, error) {
	p, err := s.phone(r.GetPhone())
	if err != nil {
		return nil, err
	}
	algorithm, ok := algorithms[r.GetSignatureAlgorithm()]
	if !ok {
		return nil, failure(codes.InvalidArgument, "UNKNOWN_ALGORITHM", "the phone does not know this signature algorithm")
	}
	named := r.GetSignatureAlgorithm()
	if named == 0 {
		named = tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256
	}
	if form := r.GetCmsForm(); form != 0 {
		message, err := p.SignCMS(r.GetSecret(), r.GetContent(), sandbox.CMSOptions{Algorithm: algorithm, SigningTime: true,
			Detached: form == sandboxv1.CmsForm_CMS_FORM_DETACHED})
		if err != nil {
			return nil, refusal(err)
		}
		return &sandboxv1.SignResponse{Certificate: p.Certificate(sandbox.Sign).DER, CmsSignedData: message, SignatureAlgorithm: named}, nil
	}
	authority, sign, message := sandbox.Auth, p.SignChallenge, r.GetChallenge()
	if content, isContent := r.GetToBeSigned().(*sandboxv1.SignRequest_Content); isContent {
		authority, sign, message = sandbox.Sign, p.SignContent, content.Content
	}
	value, err := sign(r.GetSecret(), algorithm, message)
	if err != nil {
		return nil, refusal(err)
	}
	return &sandboxv1.SignResponse{Certificate: p.Certificate(authority).DER, Signature: value, SignatureAlgorithm: named}, nil
}

// algorithms are the phone's for the API's.
var algorithms = map[tashikav1.SignatureAlgorithm]sandbox.Algorithm{
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_UNSPECIFIED:             sandbox.RSAPKCS1SHA256,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256: sandbox.RSAPKCS1SHA256,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA384: sandbox.RSAPKCS1SHA384,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA512: sandbox.RSAPKCS1SHA512,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA256:       sandbox.RSAPSSSHA256,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA384:       sandbox.RSAPSSSHA384,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA512:       sandbox.RSAPSSSHA512,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA256:            sandbox.ECDSASHA256,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA384:            sandbox.ECDSASHA384,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA512:            sandbox.ECDSASHA512,
	tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA1:   sandbox.RSAPKCS1SHA1,
}

func (s *service) PlayEvent(ctx context.Context, r *sandboxv1.PlayEventRequest) (*sandboxv1.PlayEventResponse, error) {
	p, err := s.phone(r.GetPhone())
	if err != nil {
		return nil, err
	}
	switch r.GetEvent() {
	case sandboxv1.Event_EVENT_REPORT_LOST:
		err = s.world.ReportLost(p)
	case sandboxv1.Event_EVENT_LIFT_STOP:
		err = s.world.LiftStop(p)
	case sandboxv1.Event_EVENT_REVOKE:
		err = s.world.Revoke(p, r.GetSigningPassword())
	case sandboxv1.Event_EVENT_CHANGE_DEVICE:
		p, err = s.world.ChangeDevice(p, sandbox.IssueOptions{})
	case sandboxv1.Event_EVENT_MOVE_HOUSE:
		err = s.world.MoveHouse(p, elsewhere(p), "")
	case sandboxv1.Event_EVENT_RENEW_CARD:
		err = s.world.RenewCard(p)
	case sandboxv1.Event_EVENT_START_AGAIN:
		p, err = s.world.StartAgain(p, sandbox.IssueOptions{})
	case sandboxv1.Event_EVENT_EXPIRE:
		err = s.world.Expire(p)
	}
	if err != nil {
		return nil, refusal(err)
	}
	s.refresh(ctx)
	return &sandboxv1.PlayEventResponse{Phone: phoneView(p), EventTime: timestamppb.New(s.world.Now())}, nil
}

// elsewhere is a municipality that the phone's holder does not live in.
func elsewhere(p *sandbox.Phone) string {
	for _, m := range sandbox.Municipalities() {
		if m.Code != p.Holder().Municipality {
			return m.Code
		}
	}
	return ""
}

var ocspFaults = map[sandboxv1.OcspFault]sandbox.OCSPFaultKind{
	sandboxv1.OcspFault_OCSP_FAULT_UNSPECIFIED:     sandbox.OCSPHealthy,
	sandboxv1.OcspFault_OCSP_FAULT_DOWN:            sandbox.OCSPUnavailable,
	sandboxv1.OcspFault_OCSP_FAULT_SLOW:            sandbox.OCSPHealthy,
	sandboxv1.OcspFault_OCSP_FAULT_WRONG_NONCE:     sandbox.OCSPWrongNonce,
	sandboxv1.OcspFault_OCSP_FAULT_WRONG_RESPONDER: sandbox.OCSPWrongResponder,
	sandboxv1.OcspFault_OCSP_FAULT_TRY_LATER:       sandbox.OCSPTryLater,
}

var listFaults = map[sandboxv1.ListFault]sandbox.ListFaultKind{
	sandboxv1.ListFault_LIST_FAULT_STALE:             sandbox.ListStale,
	sandboxv1.ListFault_LIST_FAULT_MISSING:           sandbox.ListMissing,
	sandboxv1.ListFault_LIST_FAULT_WRONG_PARTITION:   sandbox.ListWrongPartition,
	sandboxv1.ListFault_LIST_FAULT_TRUNCATED:         sandbox.ListTruncated,
	sandboxv1.ListFault_LIST_FAULT_FOREIGN_SIGNATURE: sandbox.ListForeignSignature,
}

func (s *service) SetFaults(ctx context.Context, r *sandboxv1.SetFaultsRequest) (*sandboxv1.SetFaultsResponse, error) {
	s.world.ClearFaults()
	fault := sandbox.OCSPFault{Kind: ocspFaults[r.GetOcspFault()]}
	if r.GetOcspFault() == sandboxv1.OcspFault_OCSP_FAULT_SLOW {
		fault.Delay = r.GetOcspDelay().AsDuration()
	}
	if err := s.world.SetOCSPFault(fault); err != nil {
		return nil, refusal(err)
	}
	for _, f := range r.GetPartitionFaults() {
		for _, list := range s.world.Sources().Lists {
			if list.Municipality != f.GetMunicipalityCode() {
				continue
			}
			if err := s.world.SetListFault(list.ListID, sandbox.ListFault{Kind: listFaults[f.GetFault()]}); err != nil {
				return nil, refusal(err)
			}
		}
	}
	s.refresh(ctx)
	return &sandboxv1.SetFaultsResponse{}, nil
}

// phone finds a phone by its resource name: phones/N is the world's phone-N.
func (s *service) phone(name string) (*sandbox.Phone, error) {
	id, ok := strings.CutPrefix(name, "phones/")
	if p, found := s.world.Device("phone-" + id); ok && found {
		return p, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.foreign[name]; p != nil {
		return p, nil
	}
	return nil, failure(codes.NotFound, "NO_SUCH_PHONE", "there is no such phone; list them with ListPhones")
}

func phoneName(p *sandbox.Phone) string { return "phones/" + strings.TrimPrefix(p.ID(), "phone-") }

func phoneView(p *sandbox.Phone) *sandboxv1.Phone {
	h := p.Holder()
	municipality := h.Municipality
	for _, m := range sandbox.Municipalities() {
		if m.Code == municipality {
			municipality = fmt.Sprintf("%s %s%s", m.Code, m.Prefecture, m.Name)
		}
	}
	return &sandboxv1.Phone{
		Name:            phoneName(p),
		Holder:          holderView(h),
		AuthCertificate: p.Certificate(sandbox.Auth).DER,
		SignCertificate: p.Certificate(sandbox.Sign).DER,
		Pin:             sandbox.DefaultPIN,
		SigningPassword: sandbox.DefaultPassword,
		Municipality:    municipality,
	}
}

func holderView(h sandbox.Holder) *tashikav1.HolderAttributes {
	marks := func(text, flags string) *tashikav1.SubstitutedText {
		out := &tashikav1.SubstitutedText{Text: text}
		for i, flag := range flags {
			if flag == '1' {
				out.SubstitutePositions = append(out.SubstitutePositions, int32(i))
			}
		}
		return out
	}
	recorded := h.DateOfBirth()
	return &tashikav1.HolderAttributes{
		CommonName: marks(h.Name, h.NameMarks),
		Address:    marks(h.Address, h.AddressMarks),
		DateOfBirth: &tashikav1.DateOfBirth{
			Year: int32(h.Birth.Year()), Month: int32(h.Birth.Month()), Day: int32(h.Birth.Day()),
			Era: tashikav1.Era(recorded[0] - '0'), Recorded: recorded,
		},
		Gender:     map[string]tashikav1.Gender{"1": tashikav1.Gender_GENDER_MALE, "2": tashikav1.Gender_GENDER_FEMALE}[h.Gender],
		GenderCode: h.Gender,
	}
}

// refusal turns what the world or a phone refuses into a status.
func refusal(err error) error {
	code, reason := codes.FailedPrecondition, "EVENT_REFUSED"
	switch {
	case errors.Is(err, sandbox.ErrLocked):
		reason = "LOCKED"
	case errors.Is(err, sandbox.ErrWrongSecret):
		code, reason = codes.PermissionDenied, "WRONG_SECRET"
	case errors.Is(err, sandbox.ErrPINFormat), errors.Is(err, sandbox.ErrPasswordFormat), errors.Is(err, sandbox.ErrAlgorithm):
		code, reason = codes.InvalidArgument, "BAD_REQUEST"
	}
	return failure(code, reason, err.Error())
}

func failure(code codes.Code, reason, message string) error {
	st, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "sandbox.tashika.jp"})
	if err != nil {
		return status.Error(code, message)
	}
	return st.Err()
}
