package device

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds, far above any real list: the file is the operator's, but it is read on reload too,
// while the server answers.
const (
	maxFileBytes  = 1 << 20
	maxEntries    = 10_000
	maxAliases    = 16
	maxTextRunes  = 128 // of models and makers, as CheckDeviceRequest.model
	maxModelBytes = 4 * maxTextRunes
	maxSource     = 1024
)

//go:embed devices.yaml
var embedded []byte

// file is the list as it is written.
type file struct {
	Edition  string  `yaml:"edition"`
	Complete bool    `yaml:"complete"`
	Entries  []Entry `yaml:"entries"`
}

// UnmarshalText reads what String writes.
func (p *Platform) UnmarshalText(text []byte) error {
	if i := slices.Index(platformNames, string(text)); i > 0 {
		*p = Platform(i)
		return nil
	}
	return fmt.Errorf("%q is not a platform; known are %s", text, strings.Join(platformNames[1:], ", "))
}

// Load reads a list in YAML, or the embedded one if override is nil. An empty file is not
// nil: it is a list that went wrong.
func Load(override []byte) (*List, error) {
	data := override
	if data == nil {
		data = embedded
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("device: the list has %d bytes, more than %d", len(data), maxFileBytes)
	}
	var f file
	if err := yaml.Load(data, &f, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	switch {
	case !editionForm.MatchString(f.Edition):
		return nil, fmt.Errorf("device: edition %q is not a name and a date, as in tashika/2026-11-23", f.Edition)
	case len(f.Entries) == 0:
		return nil, errors.New("device: the list has no entries")
	case len(f.Entries) > maxEntries:
		return nil, fmt.Errorf("device: the list has %d entries, more than %d", len(f.Entries), maxEntries)
	}
	l := &List{edition: f.Edition, complete: f.Complete, entries: f.Entries, index: make(map[string]int, 2*len(f.Entries))}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for i := range l.entries {
		if err := l.add(i); err != nil {
			return nil, fmt.Errorf("device: entry %q: %w", l.entries[i].Name, err)
		}
	}
	return l, nil
}

var (
	editionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}/[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	nameForm    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	dateForm    = regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}(-[0-9]{2})?\b`)
)

// add checks the i-th entry and puts it into the index.
func (l *List) add(i int) error {
	e := &l.entries[i]
	_, versioned := parseVersion(e.MinOSVersion)
	switch {
	case len(e.Name) > 64 || !nameForm.MatchString(e.Name):
		return errors.New("name is not lower-case letters, digits and single hyphens, at most 64")
	case i > 0 && e.Name == l.entries[i-1].Name:
		return errors.New("the name stands twice")
	case e.Platform == 0:
		return errors.New("platform is missing")
	case !isText(e.Manufacturer, maxTextRunes):
		return errors.New("manufacturer is missing, too long or has characters that cannot be shown")
	case e.MinOSVersion != "" && !versioned:
		return errors.New("min_os_version is not numbers and dots")
	case !isText(e.Source, maxSource) || !dateForm.MatchString(e.Source):
		return errors.New("source is missing, too long or without a date (YYYY-MM or YYYY-MM-DD)")
	case len(e.Aliases) > maxAliases:
		return fmt.Errorf("more than %d aliases", maxAliases)
	}
	for _, model := range append([]string{e.Model}, e.Aliases...) {
		if !isText(model, maxTextRunes) {
			return fmt.Errorf("model or alias %q is missing, too long or has characters that cannot be shown", model)
		}
		for _, written := range []string{model, e.Manufacturer + model} {
			key := fold(written)
			// One way of writing, one entry: which of two was meant would be a guess.
			if other, taken := l.index[key]; taken {
				return fmt.Errorf("%q already stands for entry %q", written, l.entries[other].Name)
			}
			l.index[key] = i
		}
	}
	return nil
}

// isText says whether s is something that can be shown on one line.
func isText(s string, maxRunes int) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxRunes &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' })
}
