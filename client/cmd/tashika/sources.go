package main

import (
	"fmt"
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
	return code, w.Flush()
}
