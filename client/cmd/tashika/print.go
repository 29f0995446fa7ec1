package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/tashika-jp/tashika/client"
)

// json writes v as indented JSON.
func (i *invocation) json(v any) error {
	encoder := json.NewEncoder(&i.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func (i *invocation) printer() printer { return printer{&i.out, i.colour} }

// printer writes text for people.
type printer struct {
	w      io.Writer
	colour bool
}

// field writes a label and its values, one a line, aligned. Empty values are left out, and
// the label with them if there is no other.
func (p printer) field(label string, values ...string) {
	for _, value := range values {
		if value == "" {
			continue
		}
		fmt.Fprintf(p.w, "%-14s%s\n", label, clean(value))
		label = ""
	}
}

// The colours of a conclusion.
const (
	green  = 32
	red    = 31
	yellow = 33
)

// paint writes a field whose value is a constant of ours, in colour on a terminal.
func (p printer) paint(label, value string, colour int) {
	if p.colour {
		value = fmt.Sprintf("\x1b[1;%dm%s\x1b[0m", colour, value)
	}
	fmt.Fprintf(p.w, "%-14s%s\n", label, value)
}

// colourful says whether w is a terminal that wants colour (no-color.org).
func colourful(w io.Writer, env func(string) string) bool {
	return env("NO_COLOR") == "" && env("TERM") != "dumb" && terminal(w)
}

// terminal says whether somebody looks at w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// clean replaces what could steer a terminal or reorder a line: control characters and
// the invisible formatting ones.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// jst is the time of the counters this is for; JPKI's own dates end at its midnight.
var jst = time.FixedZone("JST", 9*60*60)

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(jst).Format("2006-01-02 15:04:05 JST")
}

func period(from, to time.Time) string {
	if from.IsZero() && to.IsZero() {
		return ""
	}
	return when(from) + " to " + when(to)
}

// known is the name of an enumeration's value; empty for the zero value.
func known[E interface {
	~int32
	String() string
}](e E) string {
	if e == 0 {
		return ""
	}
	return e.String()
}

// conclusion is the verdict as this program may act on it: a VALID that the SDK does not
// confirm, and a verdict that it does not know, are not decided.
func conclusion(r *client.Result) client.Verdict {
	switch {
	case r.Valid():
		return client.Valid
	case r.Verdict == client.Invalid:
		return client.Invalid
	}
	return client.Indeterminate
}

// result prints a verdict and returns the exit status that says the same.
func (i *invocation) result(r *client.Result) (int, error) {
	verdict := conclusion(r)
	code := map[client.Verdict]int{client.Valid: exitValid, client.Invalid: exitInvalid, client.Indeterminate: exitIndeterminate}[verdict]
	if i.asJSON {
		return code, i.json(r)
	}
	p := i.printer()
	p.paint("verdict", verdict.String(), map[client.Verdict]int{client.Valid: green, client.Invalid: red, client.Indeterminate: yellow}[verdict])
	for _, reason := range r.Reasons {
		p.field("reason", known(reason.Severity)+" "+reason.ID, reason.Text.JA, reason.Text.EN, reason.SpecReference)
	}
	p.field("guidance", r.Guidance.Text.JA, r.Guidance.Text.EN)
	var steps []string
	for _, step := range r.Guidance.NextSteps {
		steps = append(steps, step.String())
	}
	p.field("next", strings.Join(steps, ", "))
	p.field("telephone", r.Guidance.Telephone)
	p.certificate(&r.Certificate)
	p.status(&r.Status)
	p.holder(r.HolderAttributes)
	label := "checks"
	for _, check := range r.Checks {
		p.field(label, fmt.Sprintf("%-14s%-28s %s", known(check.Outcome), check.ID, check.SpecReference))
		label = ""
	}
	p.field("profile", r.Profile)
	p.field("verified", when(r.VerifyTime))
	return code, nil
}

func (p printer) certificate(c *client.Certificate) {
	p.field("certificate", known(c.Kind))
	p.field("validity", period(c.NotBefore, c.NotAfter))
	p.field("partition", c.Partition)
	p.field("fingerprint", c.Fingerprint)
	p.field("issuer", c.Issuer)
	p.field("issuer key", c.IssuerKeyID)
}

func (p printer) status(s *client.RevocationStatus) {
	line := known(s.Status)
	if s.Reason != 0 {
		line += " " + s.Reason.String()
	}
	if !s.RevocationTime.IsZero() {
		line += " since " + when(s.RevocationTime)
	}
	p.field("status", line)
	if s.Method == 0 {
		return
	}
	evidence := s.Method.String()
	if s.CRLNumber != "" {
		evidence += " " + s.CRLNumber
	}
	evidence += " from " + s.Source
	if s.Fallback {
		evidence += " (fallback)"
	}
	p.field("evidence", evidence, fmt.Sprintf("of %s, %s old", when(s.SourceTime), s.Age.Round(1e9)))
	p.field("next update", when(s.NextUpdate))
}

func (p printer) holder(h *client.HolderAttributes) {
	if h == nil {
		return
	}
	substituted := func(t client.SubstitutedText) string {
		if len(t.SubstitutePositions) == 0 {
			return t.Text
		}
		return fmt.Sprintf("%s (substitute characters at %v)", t.Text, t.SubstitutePositions)
	}
	d := h.DateOfBirth
	birth := d.Recorded
	if d.Era != 0 {
		birth = fmt.Sprintf("%04d-%02d-%02d (%s %d)", d.Year, d.Month, d.Day, d.Era, d.EraYear)
	}
	gender := known(h.Gender)
	if gender == "" && h.GenderCode != "" {
		gender = "code " + h.GenderCode
	}
	p.field("name", substituted(h.CommonName))
	p.field("address", substituted(h.Address))
	p.field("born", birth)
	p.field("gender", gender)
}
