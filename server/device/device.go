// Package device answers whether a handset is on the list of those that can hold smartphone
// certificates.
//
// The Digital Agency tests models and adds them to its list as they come out. That list is
// not at hand in full, so the embedded one has only what could be sourced, says so
// (Complete is false), and every entry names its source with a date. An operator who has the
// current list gives it as a file, which replaces the embedded list whole: two lists mixed
// would be an edition that nobody published.
//
// Three answers are possible. Supported is a yes. Unsupported is a no, and only an entry can
// say it: the model is listed, with a newer operating system than the handset's. Everything
// else is NotListed, the zero value: not a no, for the list may be incomplete, and never a
// yes. That is also the answer where an entry demands a version of the operating system and
// none was given, or one that cannot be read: yes and no would both be guesses. The entry is
// returned beside it then, so that the caller can be told which version to ask for.
//
// Models are compared as people write them: without regard to case, width (NFKC) and white
// space, with or without the maker's name before them. They are never compared by
// resemblance: "Pixel 10a" is not a "Pixel 10".
//
// What it refuses: a file with an unknown field, a name or a model that stands for two
// entries, an entry without a dated source, more or longer entries than any real list has. A
// list that is read differently from how it was meant would be worse than none.
package device

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Platform is the operating system's family.
type Platform uint8

// The platforms; the zero value is "not given".
const (
	Android Platform = iota + 1
	IOS
)

var platformNames = []string{"", "ANDROID", "IOS"}

// String is the name in list files, "ANDROID" or "IOS".
func (p Platform) String() string {
	if int(p) < len(platformNames) {
		return platformNames[p]
	}
	return ""
}

// Support is what the list says of a handset.
type Support uint8

// The answers; the zero value is no yes.
const (
	NotListed   Support = iota // not on the list, or on it and undecided: see Check
	Unsupported                // listed with a newer operating system than the handset's
	Supported                  // listed, with a sufficient operating system where one is demanded
)

// Entry is a model of the list.
type Entry struct {
	// Name is unique in the list, such as "google-pixel-10".
	Name string `yaml:"name"`
	// Platform of the model.
	Platform Platform `yaml:"platform"`
	// Manufacturer, such as "Google".
	Manufacturer string `yaml:"manufacturer"`
	// Model as the maker writes it, such as "Pixel 10".
	Model string `yaml:"model"`
	// Aliases are other ways to write the model.
	Aliases []string `yaml:"aliases"`
	// MinOSVersion is the lowest version of the operating system, such as "18.5"; empty if
	// none is demanded.
	MinOSVersion string `yaml:"min_os_version"`
	// Source says where the entry was taken from, with a date.
	Source string `yaml:"source"`
}

// List is a list of handsets. It is immutable and safe for concurrent use.
type List struct {
	edition  string
	complete bool
	entries  []Entry        // ordered by name
	index    map[string]int // comparable form of each model, alias and name with maker -> entry
}

// Edition is the name and date of the list, such as "tashika/2026-11-23".
func (l *List) Edition() string { return l.edition }

// Complete says whether the list is complete, by the word of whoever made it.
func (l *List) Complete() bool { return l.complete }

// Entries returns the entries, ordered by name.
func (l *List) Entries() []Entry {
	entries := slices.Clone(l.entries)
	for i := range entries {
		entries[i].Aliases = slices.Clone(entries[i].Aliases)
	}
	return entries
}

// Check looks a handset up. The platform may be zero if it is not known, and the version
// empty. The entry is the one that decided; beside NotListed it is the one that demands a
// version of the operating system which was not given or is not of numbers and dots, else nil.
func (l *List) Check(platform Platform, model, osVersion string) (Support, *Entry) {
	if len(model) > maxModelBytes {
		return NotListed, nil
	}
	i, ok := l.index[fold(model)]
	if !ok || platform != 0 && platform != l.entries[i].Platform {
		return NotListed, nil
	}
	entry := l.entries[i]
	entry.Aliases = slices.Clone(entry.Aliases)
	if entry.MinOSVersion == "" {
		return Supported, &entry
	}
	have, ok := parseVersion(osVersion)
	if !ok {
		return NotListed, &entry
	}
	if need, _ := parseVersion(entry.MinOSVersion); have.less(need) { // checked by Load
		return Unsupported, &entry
	}
	return Supported, &entry
}

// fold is the form in which models are compared.
func fold(s string) string {
	// Compatibility first (full-width letters, the ideographic space), then case, then
	// once more, since folding can undo the normal form (Unicode 3.13, D146).
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

const versionParts = 6

// version is numbers, most significant first; what is not said is zero, so that 18.5 and
// 18.5.0 are the same.
type version [versionParts]uint32

func (v version) less(w version) bool { return slices.Compare(v[:], w[:]) < 0 }

// parseVersion reads up to six numbers of up to nine digits with dots between them, the
// grammar of CheckDeviceRequest.os_version. Nothing is guessed: "18.5 beta" is no version.
func parseVersion(s string) (v version, ok bool) {
	parts := strings.Split(s, ".")
	if len(s) > versionParts*10 || len(parts) > versionParts {
		return version{}, false
	}
	for i, part := range parts {
		if len(part) > 9 || strings.Trim(part, "0123456789") != "" {
			return version{}, false
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return version{}, false
		}
		v[i] = uint32(n)
	}
	return v, true
}
