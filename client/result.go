package client

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Result is the answer of Verify and of CheckStatus.
type Result struct {
	Verdict     Verdict          `json:"verdict,omitzero"`
	Reasons     []Reason         `json:"reasons,omitempty"` // every finding, gravest first
	Guidance    Guidance         `json:"guidance,omitzero"`
	Certificate Certificate      `json:"certificate,omitzero"`
	Status      RevocationStatus `json:"status,omitzero"`
	// HolderAttributes are the four attributes: of Verify for private identity verification,
	// and only where the verdict is Valid. Otherwise nil.
	HolderAttributes *HolderAttributes `json:"holderAttributes,omitempty"`
	Checks           []Check           `json:"checks,omitempty"`    // in the order in which they were made
	VerifyTime       time.Time         `json:"verifyTime,omitzero"` // the server's clock
	Profile          string            `json:"profile,omitempty"`   // such as "health-insurance/2026-11-23"
}

// Valid says whether the certificate (and the signature) may be relied on: the verdict is
// Valid and the status Good. A server never says one without the other; asking for both
// means that no single field, unknown or missing, opens the door. It is false for nil.
func (r *Result) Valid() bool {
	return r != nil && r.Verdict == Valid && r.Status.Status == Good
}

// Text is one text in the two languages spoken at a counter.
type Text struct {
	JA string `json:"ja,omitempty"`
	EN string `json:"en,omitempty"`
}

// Reason is one finding.
type Reason struct {
	ID            string   `json:"id,omitempty"` // stable, in UPPER_SNAKE_CASE
	Severity      Severity `json:"severity,omitzero"`
	SpecReference string   `json:"specReference,omitempty"`
	SubIndication string   `json:"subIndication,omitempty"` // ETSI EN 319 102-1 section 5.1.3
	Text          Text     `json:"text,omitzero"`
}

// Guidance is what to tell the person at the counter and what to do next.
type Guidance struct {
	Text      Text       `json:"text,omitzero"`
	NextSteps []NextStep `json:"nextSteps,omitempty"` // the first to be tried first
	Telephone string     `json:"telephone,omitempty"`
}

// Check is one line of the explanation.
type Check struct {
	ID            string   `json:"id,omitempty"` // such as "holder_signature"
	Outcome       Outcome  `json:"outcome,omitzero"`
	ReasonIDs     []string `json:"reasonIds,omitempty"`
	SpecReference string   `json:"specReference,omitempty"`
}

// Certificate is what an answer says of the certificate. The serial number, restricted by
// law, is not in it.
type Certificate struct {
	Kind      Kind      `json:"kind,omitzero"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"` // valid up to and including this second
	// Partition is the distribution point of its revocation list: the municipality that
	// issued it.
	Partition string `json:"partition,omitempty"`
	// Fingerprint is keyed: the same certificate has the same one for the same relying party only.
	Fingerprint string `json:"fingerprint,omitempty"`
	Issuer      string `json:"issuer,omitempty"`
	IssuerKeyID string `json:"issuerKeyId,omitempty"` // hexadecimal
}

// RevocationStatus is a status with the evidence it rests on.
type RevocationStatus struct {
	Status         Status           `json:"status,omitzero"`
	Reason         RevocationReason `json:"reason,omitzero"`
	RevocationTime time.Time        `json:"revocationTime,omitzero"`
	Method         RevocationMethod `json:"method,omitzero"` // MethodCRL or MethodOCSP; 0 without evidence
	SourceTime     time.Time        `json:"sourceTime,omitzero"`
	NextUpdate     time.Time        `json:"nextUpdate,omitzero"`
	Age            time.Duration    `json:"-"` // of the evidence, at VerifyTime
	CRLNumber      string           `json:"crlNumber,omitempty"`
	Source         string           `json:"source,omitempty"`
	Fallback       bool             `json:"fallback,omitempty"` // the answer of the second method
}

// MarshalJSON adds the age in the API's notation.
func (s RevocationStatus) MarshalJSON() ([]byte, error) {
	type plain RevocationStatus
	return json.Marshal(struct {
		plain
		Age seconds `json:"age,omitzero"`
	}{plain(s), seconds(s.Age)})
}

// seconds is a duration that marshals as google.protobuf.Duration does: "90.500s".
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return protojson.Marshal(durationpb.New(time.Duration(s)))
}

// HolderAttributes are the four attributes (基本4情報) of a signature certificate.
type HolderAttributes struct {
	CommonName  SubstitutedText `json:"commonName,omitzero"` // 氏名, family and given name divided by U+3000
	Address     SubstitutedText `json:"address,omitzero"`    // 住所
	DateOfBirth DateOfBirth     `json:"dateOfBirth,omitzero"`
	Gender      Gender          `json:"gender,omitzero"`
	GenderCode  string          `json:"genderCode,omitempty"` // as recorded
}

// SubstitutedText is a text some of whose characters may stand for a registered glyph that
// has no code. Do not compare such texts as plain strings.
type SubstitutedText struct {
	Text string `json:"text,omitempty"`
	// SubstitutePositions are counted in characters from 0.
	SubstitutePositions []int32 `json:"substitutePositions,omitempty"`
}

// DateOfBirth is a date with the era it was recorded in; what was not recorded is 0.
type DateOfBirth struct {
	Year     int32  `json:"year,omitempty"` // Gregorian
	Month    int32  `json:"month,omitempty"`
	Day      int32  `json:"day,omitempty"`
	Era      Era    `json:"era,omitzero"`
	EraYear  int32  `json:"eraYear,omitempty"`  // 1 for 元年
	Recorded string `json:"recorded,omitempty"` // EYYYYMMDD
}

// Inspection is the parsed view of a certificate. Nothing of it is verified.
type Inspection struct {
	Certificate               Certificate       `json:"certificate,omitzero"`
	PublicKeyAlgorithm        string            `json:"publicKeyAlgorithm,omitempty"`
	SignatureAlgorithm        string            `json:"signatureAlgorithm,omitempty"`
	Policies                  []string          `json:"policies,omitempty"`
	KeyUsages                 []string          `json:"keyUsages,omitempty"`
	ExtendedKeyUsages         []string          `json:"extendedKeyUsages,omitempty"`
	DistributionPoints        []string          `json:"distributionPoints,omitempty"`
	OCSPURIs                  []string          `json:"ocspUris,omitempty"`
	SubjectKeyID              string            `json:"subjectKeyId,omitempty"`
	HolderAttributes          *HolderAttributes `json:"holderAttributes,omitempty"` // nil unless this relying party may see them
	OtherNameTypes            []string          `json:"otherNameTypes,omitempty"`
	UnknownCriticalExtensions []string          `json:"unknownCriticalExtensions,omitempty"`
}
