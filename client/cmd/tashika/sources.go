package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/tashika-jp/tashika/client"
)

func sources(i *invocation) (int, error) {
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
	all := []client.RevocationSource{}
	code := exitValid
	for source, err := range c.ListSources(ctx) {
		if err != nil {
			return exitError, err
		}
		if source.Required && source.State != client.SourceFresh && source.State != client.SourceOnDemand {
			code = exitIndeterminate
		}
		all = append(all, source)
	}
	if i.asJSON {
		return code, i.json(map[string]any{"sources": all, "totalSize": len(all)})
	}
	w := tabwriter.NewWriter(&i.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tMETHOD\tREQUIRED\tNUMBER\tENTRIES\tAGE\tNEXT UPDATE\tLAST FAILURE")
	for _, s := range all {
		required := "no"
		if s.Required {
			required = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", clean(s.Name), known(s.State), known(s.Method), required,
			clean(s.CRLNumber), s.Entries, s.Age.Round(1e9), when(s.NextUpdate), clean(s.LastFailure))
	}
	if err := w.Flush(); err != nil {
		return exitError, err
	}
	for _, s := range all {
		i.printer().refused(&s)
	}
	return code, nil
}

// refused prints which list of a source waits for somebody to look at it.
func (p printer) refused(s *client.RevocationSource) {
	r := s.Refused
	if r == nil {
		return
	}
	fmt.Fprintln(p.w)
	p.field("refused", s.Name+": "+strings.Join(r.Reasons, ", "))
	if r.Digest != "" {
		p.field("list", fmt.Sprintf("number %s of %s, %d entries", r.CRLNumber, when(r.ThisUpdate), r.Entries))
	}
	p.field("digest", r.Digest)
	p.field("since", when(r.Time))
}
