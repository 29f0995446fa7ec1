package client

import tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"

// Each enumeration is tied to its descriptor here, and nowhere else.

func (e Use) String() string                { return shortName(tashikav1.Use(e)) }
func (e Verdict) String() string            { return shortName(tashikav1.Verdict(e)) }
func (e Severity) String() string           { return shortName(tashikav1.Severity(e)) }
func (e NextStep) String() string           { return shortName(tashikav1.NextStep(e)) }
func (e Outcome) String() string            { return shortName(tashikav1.Outcome(e)) }
func (e Kind) String() string               { return shortName(tashikav1.CertificateKind(e)) }
func (e Status) String() string             { return shortName(tashikav1.CertificateStatus(e)) }
func (e RevocationReason) String() string   { return shortName(tashikav1.RevocationReason(e)) }
func (e RevocationMethod) String() string   { return shortName(tashikav1.RevocationMethod(e)) }
func (e SignatureAlgorithm) String() string { return shortName(tashikav1.SignatureAlgorithm(e)) }
func (e SourceState) String() string        { return shortName(tashikav1.RevocationSource_State(e)) }
func (e Platform) String() string           { return shortName(tashikav1.Platform(e)) }
func (e Support) String() string            { return shortName(tashikav1.Support(e)) }
func (e Gender) String() string             { return shortName(tashikav1.Gender(e)) }
func (e Era) String() string                { return shortName(tashikav1.Era(e)) }

// MarshalText is the API's name.
func (e Use) MarshalText() ([]byte, error) { return marshalName(tashikav1.Use(e)) }

// MarshalText is the API's name.
func (e Verdict) MarshalText() ([]byte, error) { return marshalName(tashikav1.Verdict(e)) }

// MarshalText is the API's name.
func (e Severity) MarshalText() ([]byte, error) { return marshalName(tashikav1.Severity(e)) }

// MarshalText is the API's name.
func (e NextStep) MarshalText() ([]byte, error) { return marshalName(tashikav1.NextStep(e)) }

// MarshalText is the API's name.
func (e Outcome) MarshalText() ([]byte, error) { return marshalName(tashikav1.Outcome(e)) }

// MarshalText is the API's name.
func (e Kind) MarshalText() ([]byte, error) { return marshalName(tashikav1.CertificateKind(e)) }

// MarshalText is the API's name.
func (e Status) MarshalText() ([]byte, error) { return marshalName(tashikav1.CertificateStatus(e)) }

// MarshalText is the API's name.
func (e RevocationReason) MarshalText() ([]byte, error) {
	return marshalName(tashikav1.RevocationReason(e))
}

// MarshalText is the API's name.
func (e RevocationMethod) MarshalText() ([]byte, error) {
	return marshalName(tashikav1.RevocationMethod(e))
}

// MarshalText is the API's name.
func (e SignatureAlgorithm) MarshalText() ([]byte, error) {
	return marshalName(tashikav1.SignatureAlgorithm(e))
}

// MarshalText is the API's name.
func (e SourceState) MarshalText() ([]byte, error) {
	return marshalName(tashikav1.RevocationSource_State(e))
}

// MarshalText is the API's name.
func (e Platform) MarshalText() ([]byte, error) { return marshalName(tashikav1.Platform(e)) }

// MarshalText is the API's name.
func (e Support) MarshalText() ([]byte, error) { return marshalName(tashikav1.Support(e)) }

// MarshalText is the API's name.
func (e Gender) MarshalText() ([]byte, error) { return marshalName(tashikav1.Gender(e)) }

// MarshalText is the API's name.
func (e Era) MarshalText() ([]byte, error) { return marshalName(tashikav1.Era(e)) }

// UnmarshalText reads a name in any of its forms.
func (e *Use) UnmarshalText(text []byte) error { return parseName(e, tashikav1.Use(0), text) }

// UnmarshalText reads a name in any of its forms.
func (e *RevocationMethod) UnmarshalText(text []byte) error {
	return parseName(e, tashikav1.RevocationMethod(0), text)
}

// UnmarshalText reads a name in any of its forms.
func (e *SignatureAlgorithm) UnmarshalText(text []byte) error {
	return parseName(e, tashikav1.SignatureAlgorithm(0), text)
}

// UnmarshalText reads a name in any of its forms.
func (e *Platform) UnmarshalText(text []byte) error { return parseName(e, tashikav1.Platform(0), text) }
