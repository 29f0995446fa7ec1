package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// side is one of two lists.
type side struct {
	File       string    `json:"file"`
	Digest     string    `json:"digest,omitempty"`
	Number     string    `json:"number,omitempty"`
	ThisUpdate time.Time `json:"thisUpdate"`
	Entries    int       `json:"entries"`
}

func newSide(l *listFile) side {
	return side{l.name, hex.EncodeToString(l.list.Digest()), number(l.list.Number), l.list.ThisUpdate, l.list.EntryCount}
}

func (s *side) String() string {
	return fmt.Sprintf("%s: number %s of %s, %d entries", s.File, s.Number, when(s.ThisUpdate), s.Entries)
}

// diffView is what became of the entries of a list, by reason; what changed is "before to after".
type diffView struct {
	Old     side           `json:"old"`
	New     side           `json:"new"`
	Notes   []string       `json:"notes,omitempty"`
	Added   map[string]int `json:"added"`
	Removed map[string]int `json:"removed"`
	Changed map[string]int `json:"changed"`
}

// changeView is one entry. Serial numbers are shown because the files are in the hands of whoever asks.
type changeView struct {
	Serial string     `json:"serial"` // decimal
	Old    *entryView `json:"old,omitempty"`
	New    *entryView `json:"new,omitempty"`
}

type entryView struct {
	Reason         string    `json:"reason"`
	RevocationTime time.Time `json:"revocationTime"`
}

func crlDiff(i *invocation) (int, error) {
	entries := i.flags.Bool("entries", false, "also list the serial numbers, in order; with -json as an object a line")
	if err := i.parse(); err != nil {
		return exitError, err
	}
	if i.flags.NArg() != 2 {
		return exitUsage, usagef("two files are compared, the older one first")
	}
	older, err := i.openList(i.flags.Arg(0))
	if err != nil {
		return exitError, err
	}
	defer older.close()
	newer, err := i.openList(i.flags.Arg(1))
	if err != nil {
		return exitError, err
	}
	defer newer.close()
	v := diffView{newSide(older), newSide(newer), notes(older.list, newer.list), map[string]int{}, map[string]int{}, map[string]int{}}
	out := bufio.NewWriter(i.stdout)
	for change, err := range crl.Changes(older.image.Entries(), newer.image.Entries()) {
		if err == nil && *entries {
			err = i.change(out, change)
		}
		if err == nil {
			err = i.ctx.Err()
		}
		switch {
		case err != nil:
			return exitError, err
		case change.Old == nil:
			v.Added[change.New.Reason.String()]++
		case change.New == nil:
			v.Removed[change.Old.Reason.String()]++
		default:
			what := change.Old.Reason.String() + " to " + change.New.Reason.String()
			if change.Old.Reason == change.New.Reason {
				what = change.Old.Reason.String() + ", of another time"
			}
			v.Changed[what]++
		}
	}
	if err := out.Flush(); err != nil {
		return exitError, err
	}
	if i.asJSON {
		return exitValid, i.json(v)
	}
	p := i.printer()
	p.field("old", v.Old.String(), v.Old.Digest)
	p.field("new", v.New.String(), v.New.Digest)
	p.field("note", v.Notes...)
	for _, kind := range []struct {
		name   string
		counts map[string]int
	}{{"added", v.Added}, {"removed", v.Removed}, {"changed", v.Changed}} {
		sum := 0
		for _, n := range kind.counts {
			sum += n
		}
		share := ""
		if v.Old.Entries > 0 {
			share = fmt.Sprintf(" (%.4g %% of the old)", 100*float64(sum)/float64(v.Old.Entries))
		}
		p.field(kind.name, append([]string{fmt.Sprint(sum, share)}, tally(kind.counts)...)...)
	}
	return exitValid, nil
}

// notes are why two lists may not be one after the other.
func notes(older, newer *crl.List) (out []string) {
	if !older.Issuer.Equal(newer.Issuer) || !bytes.Equal(older.AuthorityKeyID, newer.AuthorityKeyID) {
		out = append(out, "the lists are not of the same issuer and key")
	}
	if a, b := older.Scope(), newer.Scope(); (a == nil) != (b == nil) || a != nil && !a.Equal(b) {
		out = append(out, "the lists are not of the same scope")
	}
	if older.DeltaBase != nil || newer.DeltaBase != nil {
		out = append(out, "a delta does not have what did not change")
	}
	return out
}

// change writes one entry: + added, - removed, ~ changed.
func (i *invocation) change(out io.Writer, c crl.Change) error {
	v := changeView{decimal(c.Serial), newEntryView(c.Old), newEntryView(c.New)}
	if i.asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	var err error
	switch {
	case v.Old == nil:
		_, err = fmt.Fprintf(out, "+ %s %s\n", v.Serial, v.New)
	case v.New == nil:
		_, err = fmt.Fprintf(out, "- %s %s\n", v.Serial, v.Old)
	default:
		_, err = fmt.Fprintf(out, "~ %s %s to %s\n", v.Serial, v.Old, v.New)
	}
	return err
}

func newEntryView(e *crl.Entry) *entryView {
	if e == nil {
		return nil
	}
	return &entryView{e.Reason.String(), e.RevocationTime}
}

func (e *entryView) String() string { return e.Reason + " " + e.RevocationTime.Format(time.RFC3339) }
