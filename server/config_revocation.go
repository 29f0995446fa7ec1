package server

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/signature"
	"github.com/tashika-jp/tashika/server/revocation"
)

// Revocation says where lists and OCSP answers come from (package revocation).
type Revocation struct {
	// StateDir keeps accepted lists, so that a restart needs no network. It must be this process's own. Empty means memory only.
	StateDir string `yaml:"state_dir"`
	// Sources of lists.
	Sources []ListSource `yaml:"sources"`
	// Admit are digests of refused lists that an operator lets through the bounds of growth and shrink, and back in number or time. A reload offers them again.
	Admit []string `yaml:"admit"`
	// Responders for OCSP, at most one for each key of an authority.
	Responders []Responder `yaml:"responders"`
	// AllowAIA lets a certificate name its own responder where none is configured for its issuer's key.
	AllowAIA bool `yaml:"allow_aia"`
	// OCSPHash makes the CertID of questions, SHA-1 or SHA-256; empty means SHA-1, which every responder knows and which protects nothing here.
	OCSPHash Hash `yaml:"ocsp_hash"`
	// OCSPMaxConcurrent bounds the questions under way to one responder; 0 means 64. More go without an answer at once.
	OCSPMaxConcurrent int `yaml:"ocsp_max_concurrent"`
	// RetryMin is the first wait after a failed fetch, doubled with each further one, and how long a host is left alone that does not answer; 0 means 30s.
	RetryMin time.Duration `yaml:"retry_min"`
	// MaxConcurrent bounds the fetches under way; 0 means 8.
	MaxConcurrent int `yaml:"max_concurrent"`
	// MaxPerHost bounds those to one host; 0 means 4.
	MaxPerHost int `yaml:"max_per_host"`
}

// ListSource is where lists come from: a URL, which gives one, a drop directory, which may have many, or a manifest, which names
// thousands of URLs.
type ListSource struct {
	// Name, unique among sources and responders.
	Name string `yaml:"name"`
	// URL of a list in DER: http, https, ldap or ldaps. Lists are signed, so http and ldap lose nothing but privacy. Without a name in it, an LDAP URL means the entry that the partition names.
	URL string `yaml:"url"`
	// Directory in which every *.crl is a list in DER. Move files into it, so that none is seen half written.
	Directory string `yaml:"directory"`
	// Manifest is a CSV file (RFC 4180, UTF-8) with the header name,url,partition,issuer_key_id: a row for each partition. The last two may be empty. It is read again on SIGHUP.
	Manifest string `yaml:"manifest"`
	// Optional: the server is ready also while this source is not fresh. Its certificates have the status UNKNOWN then.
	Optional bool `yaml:"optional"`
	// Period between visits; 0 means 1h for a URL and 1m for a directory. Those to the rows of a manifest are spread over it.
	Period time.Duration `yaml:"period"`
	// Jitter is the share of the period by which visits come earlier, at random, below 1; 0 means 0.1.
	Jitter float64 `yaml:"jitter"`
	// Timeout of a whole fetch; 0 means 15m.
	Timeout time.Duration `yaml:"timeout"`
	// Stall is the time within which 4 KiB for each of its seconds have to arrive, or else the fetch ends; 0 means 30s.
	Stall time.Duration `yaml:"stall"`
	// MaxSize of a list in bytes, decompressed; 0 means 1073741824. It bounds the disk that a source may take, not memory.
	MaxSize int64 `yaml:"max_size"`
	// MaxLists that are looked at in a directory; 0 means 4096.
	MaxLists int `yaml:"max_lists"`
	// Partition that the lists must be limited to, a name as in RFC 4514; empty means whatever comes first.
	Partition string `yaml:"partition"`
	// IssuerKeyID is the key identifier (hexadecimal) of the authority's key that must have signed; empty means any anchor.
	IssuerKeyID string `yaml:"issuer_key_id"`
	// MaxGrowth is how many entries a list may have that the one before had not, as a share of the entries of the one before; 0 means 1. Sixteen may always be added.
	MaxGrowth float64 `yaml:"max_growth"`
	// MaxShrink is how many entries may be gone, likewise, at most 1; 0 means 0.5.
	MaxShrink float64 `yaml:"max_shrink"`
}

// Responder answers OCSP for one key of an authority.
type Responder struct {
	// Name, unique among sources and responders.
	Name string `yaml:"name"`
	// URL, http or https.
	URL string `yaml:"url"`
	// IssuerKeyID is the key identifier (hexadecimal) of the key that it answers for.
	IssuerKeyID string `yaml:"issuer_key_id"`
	// Hash of the CertID, SHA-1 or SHA-256; empty means that of ocsp_hash.
	Hash Hash `yaml:"hash"`
}

// Hash is a hash function by its name in configuration; the zero value is none.
type Hash crypto.Hash

// UnmarshalText reads SHA-1 or SHA-256.
func (h *Hash) UnmarshalText(text []byte) error {
	for _, known := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256} {
		if known == 0 && len(text) == 0 || known != 0 && known.String() == string(text) {
			*h = Hash(known)
			return nil
		}
	}
	return fmt.Errorf("%q is not a hash of a CertID; known are SHA-1, SHA-256", text)
}

// evidence makes the configuration of package revocation. Lists serve all uses, so their signatures need
// an algorithm that every profile allows, and the widest of the skews: certs.Verify asks for the times again,
// with the profile's own.
func (r *Revocation) evidence(set *anchors.Set, profiles profile.Set) (revocation.Config, error) {
	out := revocation.Config{
		Anchors: set, AllowAIA: r.AllowAIA, OCSPHash: crypto.Hash(r.OCSPHash), OCSPMaxConcurrent: r.OCSPMaxConcurrent, StateDir: r.StateDir, Admit: r.Admit,
		RetryMin: r.RetryMin, MaxConcurrent: r.MaxConcurrent, MaxPerHost: r.MaxPerHost,
	}
	for _, p := range profiles {
		out.ClockSkew = max(out.ClockSkew, p.ClockSkew)
	}
	for _, a := range profiles[profile.Uses[0]].IssuerSignatures {
		everywhere := true
		for _, p := range profiles {
			everywhere = everywhere && p.IssuerSignatures.Allows(a)
		}
		if everywhere {
			out.Allow = append(out.Allow, a)
		}
	}
	if len(out.Allow) == 0 {
		return out, fmt.Errorf("the profiles have no issuer_signatures in common: %w", signature.ErrUnknown)
	}
	for _, s := range r.Sources {
		source, err := s.source()
		if err != nil {
			return out, fmt.Errorf("revocation.sources: %q: %w", s.Name, err)
		}
		out.Sources = append(out.Sources, source)
	}
	for _, s := range r.Responders {
		id, err := hex.DecodeString(s.IssuerKeyID)
		if err != nil || len(id) == 0 {
			return out, fmt.Errorf("revocation.responders: %q: issuer_key_id is not hexadecimal", s.Name)
		}
		out.Responders = append(out.Responders, revocation.Responder{Name: s.Name, URL: s.URL, IssuerKeyID: id, Hash: crypto.Hash(s.Hash)})
	}
	return out, nil
}

func (s *ListSource) source() (revocation.Source, error) {
	out := revocation.Source{
		Name: s.Name, URL: s.URL, Directory: s.Directory, Manifest: s.Manifest, Required: !s.Optional, Period: s.Period, Jitter: s.Jitter,
		Timeout: s.Timeout, Stall: s.Stall, MaxSize: s.MaxSize, MaxLists: s.MaxLists,
		Bounds: crl.Bounds{Growth: s.MaxGrowth, Shrink: s.MaxShrink},
	}
	var err error
	if s.Partition != "" {
		if out.Partition, err = pkix.ParseName(s.Partition); err != nil {
			return out, fmt.Errorf("partition: %w", err)
		}
	}
	if s.IssuerKeyID != "" {
		if out.IssuerKeyID, err = hex.DecodeString(s.IssuerKeyID); err != nil {
			return out, fmt.Errorf("issuer_key_id is not hexadecimal")
		}
	}
	return out, nil
}
