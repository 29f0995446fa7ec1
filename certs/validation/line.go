package validation

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Question is a line of input. Binary values are DER, in JSON base64; absent ones are nil.
type Question struct {
	ID json.RawMessage `json:"id"` // given back as it is

	TrustAnchors  [][]byte   `json:"trust_anchors"` // for a CMS message absent is not empty: see ValidateCMS
	Intermediates [][]byte   `json:"intermediates"`
	CRLs          [][]byte   `json:"crls"`
	OCSPResponses [][]byte   `json:"ocsp_responses"`
	Certificate   []byte     `json:"certificate"`
	Time          *time.Time `json:"time"`       // RFC 3339
	Revocation    string     `json:"revocation"` // none, crl, ocsp, crl_or_ocsp; if absent, by what is given
	MaxAge        *float64   `json:"max_age"`    // seconds
	Scope         string     `json:"scope"`      // leaf, chain; if absent, chain
	Policy        struct {
		InitialPolicySet      []string `json:"initial_policy_set"`
		RequireExplicitPolicy bool     `json:"require_explicit_policy"`
		InhibitPolicyMapping  bool     `json:"inhibit_policy_mapping"`
		InhibitAnyPolicy      bool     `json:"inhibit_any_policy"`
	} `json:"policy"`
	ExtendedKeyUsage         []string `json:"extended_key_usage"` // object identifiers
	ServerName               string   `json:"server_name"`
	Email                    string   `json:"email"`
	MaxChainDepth            *int     `json:"max_chain_depth"` // intermediates
	AnchorsAreTrustedIssuers bool     `json:"anchors_are_trusted_issuers"`
	AllowSHA1                bool     `json:"allow_sha1"`
	Strict                   bool     `json:"strict"`

	PublicKey []byte     `json:"public_key"` // SubjectPublicKeyInfo; if absent, the key is the certificate's
	Signature *[]byte    `json:"signature"`
	Message   []byte     `json:"message"`
	Algorithm *Algorithm `json:"algorithm"`

	CMS     *[]byte `json:"cms"`     // ContentInfo, BER or DER
	Content *[]byte `json:"content"` // of a detached message
}

// Algorithm is a signature algorithm in JSON.
type Algorithm struct {
	Type       string `json:"type"`        // rsa-pkcs1, rsa-pss, ecdsa, ecdsa-p1363
	Hash       string `json:"hash"`        // as in SHA-256 or sha256
	MGFHash    string `json:"mgf_hash"`    // if absent, hash
	SaltLength *int   `json:"salt_length"` // bytes, exact; if absent, as long as the hash
}

// Answer is a line of output.
type Answer struct {
	ID       json.RawMessage `json:"id"`
	Verdict  string          `json:"verdict"`
	Status   string          `json:"status"` // good, revoked, on_hold, unknown
	Reasons  []reason.ID     `json:"reasons"`
	Policies []string        `json:"user_constrained_policy_set"`
}

// Line answers one question. What cannot be read as one is malformed, as is a certificate, message or key in question that cannot be
// read. A question without a time is about now; apart from that an answer depends on nothing but the line.
func Line(line []byte, now time.Time) []byte {
	q, err := readQuestion(line)
	answer := newAnswer(q.ID, malformed)
	if err == nil {
		if a, err := q.Answer(now); err == nil {
			answer = a
		}
	}
	out, err := json.Marshal(answer)
	if err != nil { // nothing in it can fail
		return []byte(`{"id":null,"verdict":"indeterminate","status":"unknown","reasons":[],"user_constrained_policy_set":[]}`)
	}
	return out
}

var malformed = Result{Verdict: Malformed, Reasons: []reason.ID{reason.FormatFailure}}

// Answer answers the question. It is an error if it is not one: a word that is unknown, a value out of its bounds, nothing to judge.
func (q *Question) Answer(now time.Time) (Answer, error) {
	r, err := q.judge(now)
	if err != nil {
		return Answer{}, err
	}
	return newAnswer(q.ID, r), nil
}

func newAnswer(id json.RawMessage, r Result) Answer {
	a := Answer{ID: id, Verdict: r.Verdict.String(), Status: strings.ReplaceAll(r.Status.String(), " ", "_"), Reasons: r.Reasons, Policies: []string{}}
	if id == nil {
		a.ID = json.RawMessage("null")
	}
	if r.Reasons == nil {
		a.Reasons = []reason.ID{}
	}
	for _, p := range r.Policies {
		a.Policies = append(a.Policies, p.String())
	}
	return a
}

// readQuestion is strict: a field that is misspelt would be a rule that is not applied. The id is told even of what cannot
// be read otherwise.
func readQuestion(line []byte) (q Question, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err = d.Decode(&q); err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("validation: something after the question")
		}
	}
	if err != nil {
		var known struct {
			ID json.RawMessage `json:"id"`
		}
		_ = json.NewDecoder(bytes.NewReader(line)).Decode(&known) // for the id, if there is one
		q.ID = known.ID
	}
	return q, err
}

func (q *Question) judge(now time.Time) (Result, error) {
	rules, err := q.rules(now)
	if err != nil {
		return Result{}, err
	}
	s, err := q.signature()
	if err != nil {
		return Result{}, err
	}
	var c *pkix.Certificate
	if q.Certificate != nil {
		if c, err = pkix.ParseCertificate(q.Certificate); err != nil {
			return malformed, nil
		}
	}
	switch {
	case q.CMS != nil:
		message := Message{CMS: *q.CMS, Signer: c}
		if q.Content != nil {
			message.Content = append([]byte{}, *q.Content...) // empty is not absent
		}
		return ValidateCMS(message, q.material(), rules), nil
	case q.PublicKey != nil && s != nil:
		return ValidateSignature(q.PublicKey, *s, q.AllowSHA1), nil
	case c != nil && s != nil:
		return ValidateSigned(c, *s, q.material(), rules), nil
	case c != nil:
		return Validate(c, q.material(), rules), nil
	}
	return Result{}, errors.New("validation: nothing to judge")
}

func (q *Question) rules(now time.Time) (r Rules, err error) {
	r = Rules{
		At: now, ServerName: q.ServerName, Email: q.Email, MaxIntermediates: -1,
		AnchorsAreTrustedIssuers: q.AnchorsAreTrustedIssuers, AllowSHA1: q.AllowSHA1, Strict: q.Strict,
		Policies: chain.PolicySettings{
			RequireExplicit: q.Policy.RequireExplicitPolicy, InhibitMapping: q.Policy.InhibitPolicyMapping, InhibitAny: q.Policy.InhibitAnyPolicy,
		},
	}
	if q.Time != nil {
		r.At = *q.Time
	}
	if q.MaxChainDepth != nil {
		if r.MaxIntermediates = *q.MaxChainDepth; r.MaxIntermediates < 0 {
			return r, errors.New("validation: negative max_chain_depth")
		}
	}
	if q.MaxAge != nil {
		if *q.MaxAge <= 0 || *q.MaxAge > 1e9 {
			return r, errors.New("validation: max_age is not between 0 and 1e9 seconds")
		}
		r.MaxAge = time.Duration(*q.MaxAge * float64(time.Second))
	}
	if r.Policies.Initial, err = readOIDs(q.Policy.InitialPolicySet); err != nil {
		return r, err
	}
	if r.ExtendedKeyUsages, err = readOIDs(q.ExtendedKeyUsage); err != nil {
		return r, err
	}
	if r.Revocation, err = q.method(); err != nil {
		return r, err
	}
	switch q.Scope {
	case "", "chain":
	case "leaf":
		r.Scope = LeafOnly
	default:
		return r, fmt.Errorf("validation: scope %q", q.Scope)
	}
	return r, nil
}

func (q *Question) method() (Method, error) {
	switch q.Revocation {
	case "none":
		return NoRevocation, nil
	case "crl":
		return CRL, nil
	case "ocsp":
		return OCSP, nil
	case "crl_or_ocsp":
		return CRLOrOCSP, nil
	case "":
		switch lists, responses := len(q.CRLs) > 0, len(q.OCSPResponses) > 0; {
		case lists && responses:
			return CRLOrOCSP, nil
		case lists:
			return CRL, nil
		case responses:
			return OCSP, nil
		}
		return NoRevocation, nil
	}
	return 0, fmt.Errorf("validation: revocation %q", q.Revocation)
}

func readOIDs(dotted []string) (out []pkix.OID, err error) {
	for _, s := range dotted {
		oid, err := pkix.ParseOID(s)
		if err != nil {
			return nil, err
		}
		out = append(out, oid)
	}
	return out, nil
}

// material reads what may help. What of it cannot be read helps nobody.
func (q *Question) material() Material {
	m := Material{Anchors: readCertificates(q.TrustAnchors), Intermediates: readCertificates(q.Intermediates), OCSPResponses: q.OCSPResponses}
	for _, der := range q.CRLs {
		list, err := crl.Parse(der)
		if err != nil {
			m.UnreadableCRLs = true
			continue
		}
		m.CRLs = append(m.CRLs, list)
	}
	return m
}

// readCertificates returns nil for a list that is absent, and only for one.
func readCertificates(ders [][]byte) []*pkix.Certificate {
	if ders == nil {
		return nil
	}
	out := []*pkix.Certificate{}
	for _, der := range ders {
		if c, err := pkix.ParseCertificate(der); err == nil {
			out = append(out, c)
		}
	}
	return out
}

var (
	schemes = map[string]signature.Scheme{
		"rsa-pkcs1": signature.RSASSA_PKCS1_V15, "rsa-pss": signature.RSASSA_PSS, "ecdsa": signature.ECDSA, "ecdsa-p1363": signature.ECDSA_P1363,
	}
	hashes = map[string]crypto.Hash{"sha1": crypto.SHA1, "sha224": crypto.SHA224, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}
)

// signature is the signature of the question; nil if there is none. A hash that is none of ours leaves the algorithm zero, which is refused.
func (q *Question) signature() (*signature.Signed, error) {
	if q.Signature == nil {
		if q.PublicKey != nil || q.Algorithm != nil {
			return nil, errors.New("validation: public_key or algorithm without signature")
		}
		return nil, nil
	}
	if q.Algorithm == nil {
		return nil, errors.New("validation: signature without algorithm")
	}
	s := &signature.Signed{Message: q.Message, Signature: *q.Signature}
	a := signature.Algorithm{Scheme: schemes[q.Algorithm.Type]}
	if a.Scheme == 0 {
		return nil, fmt.Errorf("validation: algorithm type %q", q.Algorithm.Type)
	}
	known := true
	a.Hash, known = readHash(q.Algorithm.Hash)
	if a.Scheme == signature.RSASSA_PSS {
		a.MGFHash, a.SaltLength = a.Hash, 0
		if q.Algorithm.MGFHash != "" {
			var mgfKnown bool
			a.MGFHash, mgfKnown = readHash(q.Algorithm.MGFHash)
			known = known && mgfKnown
		}
		if known {
			a.SaltLength = a.Hash.Size()
		}
		if q.Algorithm.SaltLength != nil {
			if a.SaltLength = *q.Algorithm.SaltLength; a.SaltLength < 0 {
				return nil, errors.New("validation: negative salt_length")
			}
		}
	}
	if known {
		s.Algorithm = a
	}
	return s, nil
}

// readHash reads "SHA-256", "sha256" and the like.
func readHash(name string) (crypto.Hash, bool) {
	hash, known := hashes[strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))]
	return hash, known
}
