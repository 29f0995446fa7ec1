package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/tashika-jp/tashika/client"
)

func devices(i *invocation) (int, error) {
	var handset client.Handset
	i.flags.StringVar(&handset.Model, "model", "", "`model` to look up, such as \"Pixel 10 Pro\"")
	i.text(&handset.Platform, "platform", "its `platform`: android or ios")
	i.flags.StringVar(&handset.OSVersion, "os-version", "", "its `version` of the operating system, such as 18.5")
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
	if handset.Model != "" {
		check, err := c.CheckDevice(ctx, handset)
		if err != nil {
			return exitError, err
		}
		return i.deviceCheck(check)
	}
	if given := i.given(); given["platform"] || given["os-version"] {
		return exitUsage, usagef("-platform and -os-version need -model")
	}
	var list client.DeviceList
	all := []client.Device{}
	for device, err := range c.ListDevices(ctx) {
		if err != nil {
			return exitError, err
		}
		list = device.List
		all = append(all, device)
	}
	if i.asJSON {
		return exitValid, i.json(map[string]any{"devices": all, "list": list})
	}
	w := tabwriter.NewWriter(&i.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPLATFORM\tMANUFACTURER\tMODEL\tFROM VERSION\tSOURCE")
	for _, d := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(d.Name), known(d.Platform), clean(d.Manufacturer), clean(d.Model),
			clean(d.MinOSVersion), clean(d.Source))
	}
	if err := w.Flush(); err != nil {
		return exitError, err
	}
	fmt.Fprintln(&i.out)
	i.printer().field("list", describe(list))
	return exitValid, nil
}

func (i *invocation) deviceCheck(check *client.DeviceCheck) (int, error) {
	code, colour := exitIndeterminate, yellow
	switch check.Support {
	case client.DeviceSupported:
		code, colour = exitValid, green
	case client.DeviceUnsupported:
		code, colour = exitInvalid, red
	}
	if i.asJSON {
		return code, i.json(check)
	}
	p := i.printer()
	p.paint("support", check.Support.String(), colour)
	p.field("", check.Text.JA, check.Text.EN)
	if d := check.Device; d != nil {
		p.field("entry", d.Name, d.Source)
		p.field("from version", d.MinOSVersion)
	}
	p.field("list", describe(check.List))
	return code, nil
}

func describe(list client.DeviceList) string {
	if list.Complete {
		return list.Edition + " (complete)"
	}
	return list.Edition + " (not complete: a handset that is missing may be supported)"
}
