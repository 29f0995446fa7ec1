package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/width"
)

// outcome is what came of a scenario through one door.
type outcome struct {
	scenario  scenario
	transport string
	answer    answer
	ok        bool
	err       error
}

// printJSON writes one line for a machine.
func printJSON(w io.Writer, o outcome) error {
	reasons := o.answer.reasons
	if reasons == nil {
		reasons = []string{}
	}
	expected := []string{}
	for _, id := range o.scenario.reasons {
		expected = append(expected, string(id))
	}
	line := struct {
		Scenario        string   `json:"scenario"`
		Transport       string   `json:"transport"`
		Verdict         string   `json:"verdict"`
		Reasons         []string `json:"reasons"`
		Expected        string   `json:"expected"`
		ExpectedReasons []string `json:"expected_reasons"`
		OK              bool     `json:"ok"`
		Error           string   `json:"error,omitempty"`
	}{o.scenario.id, o.transport, o.answer.verdict, reasons, o.scenario.verdict, expected, o.ok, ""}
	if o.err != nil {
		line.Error = o.err.Error()
	}
	return json.NewEncoder(w).Encode(line)
}

// The columns of the table for people, in cells of a terminal.
const (
	wideScenario = 60
	wideVerdict  = 13
	wideReason   = 30
)

func printHeader(w io.Writer) {
	fmt.Fprintf(w, "   %s %-4s %-*s %-*s %9s  %s\n", pad("シナリオ / scenario", wideScenario), "via",
		wideVerdict, "verdict", wideReason, "reason", "time", "窓口での案内 / counter text")
	fmt.Fprintln(w, strings.Repeat("─", 170))
}

// printRow writes a row a person can read: the Japanese name and text with the first door, the
// English with the second, so that both are read and neither line is too long.
func printRow(w io.Writer, o outcome) {
	mark := "✓"
	if !o.ok {
		mark = "✗"
	}
	title, text := o.scenario.ja, o.answer.ja
	if o.transport == "http" {
		title, text = "  "+o.scenario.en, o.answer.en
	}
	if !o.ok && o.err != nil {
		text = "ERROR: " + o.err.Error()
	} else if !o.ok {
		text = fmt.Sprintf("EXPECTED %s %v", o.scenario.verdict, o.scenario.reasons)
	}
	reason := "-"
	if len(o.answer.reasons) > 0 {
		reason = strings.Join(o.answer.reasons, ",")
	}
	fmt.Fprintf(w, " %s %s %-4s %-*s %-*s %6.1f ms  %s\n", mark, pad(title, wideScenario), o.transport,
		wideVerdict, o.answer.verdict, wideReason, reason, float64(o.answer.elapsed.Microseconds())/1000, text)
}

// pad fills or cuts a text to a number of cells; East Asian characters take two.
func pad(s string, cells int) string {
	used := 0
	for i, r := range s {
		w := 1
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			w = 2
		}
		if used+w > cells {
			return s[:i] + strings.Repeat(" ", cells-used)
		}
		used += w
	}
	return s + strings.Repeat(" ", cells-used)
}
