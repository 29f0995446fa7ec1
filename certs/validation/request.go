package validation

import (
	"time"

	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Method is how the revocation status is found.
type Method uint8

// The methods. The zero value asks nothing about revocation.
const (
	NoRevocation Method = iota
	CRL
	OCSP
	CRLOrOCSP // whichever tells; both are asked, and neither hides what the other says
)

// Scope is whose status is asked.
type Scope uint8

// The scopes.
const (
	WholeChain Scope = iota // every certificate of the path, and those who sign lists
	LeafOnly
)

// Material is what questions are judged by. Nothing of it is trusted but the anchors.
type Material struct {
	Anchors       []*pkix.Certificate
	Intermediates []*pkix.Certificate
	CRLs          []*crl.List
	OCSPResponses [][]byte
	// UnreadableCRLs says that there were lists which could not be read: then it is told where a list is missing.
	UnreadableCRLs bool
}

// Rules are what is demanded.
type Rules struct {
	At         time.Time
	Revocation Method
	Scope      Scope
	// MaxAge of lists and responses, from their thisUpdate; 0 for no bound but their nextUpdate.
	MaxAge            time.Duration
	Policies          chain.PolicySettings
	ExtendedKeyUsages []pkix.OID
	// ServerName is a domain name or an IP address; empty for none.
	ServerName string
	// Email is an address; empty for none.
	Email string
	// MaxIntermediates bounds the certificates between anchor and certificate; negative for no bound.
	MaxIntermediates int
	// AnchorsAreTrustedIssuers believes the anchor that issued the certificate whatever its own certificate says.
	AnchorsAreTrustedIssuers bool
	// AllowSHA1 also accepts signatures over SHA-1, for material of its time.
	AllowSHA1 bool
	// Strict also refuses what the profiles of RFC 5280 sections 4 and 5 forbid to issuers.
	Strict bool
}

func (r *Rules) allow() signature.AllowList {
	allow := signature.AllSHA2()
	if r.AllowSHA1 {
		allow = append(allow, signature.AllSHA1()...)
	}
	return allow
}

// Verdict is the conclusion. The zero value is none, and never valid.
type Verdict uint8

// The verdicts.
const (
	Malformed     Verdict = iota + 1 // what was asked about cannot be read
	Indeterminate                    // not decided, for want of evidence or of time
	Invalid
	Valid
)

// String is the name in JSON.
func (v Verdict) String() string {
	return [...]string{"", "malformed", "indeterminate", "invalid", "valid"}[v]
}

// Result is the answer.
type Result struct {
	Verdict Verdict
	// Status of the certificate in question; unknown where nobody asked for it.
	Status  crl.Status
	Reasons []reason.ID // gravest first, each once
	// Policies is the user-constrained policy set of the path.
	Policies []pkix.OID
	// Path that was found valid but for revocation; nil if there is none.
	Path *chain.Path
}
