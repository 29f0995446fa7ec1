package main

import (
	"encoding/base64"
	"os"

	"github.com/tashika-jp/tashika/client"
)

func challenge(i *invocation) (int, error) {
	var use client.Use
	i.text(&use, "use", "`use`: convenience-store-issuance, health-insurance or private-identity-verification")
	out := i.flags.String("out", "", "also write the bytes to sign to a `file`")
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
	if err := i.required("use"); err != nil {
		return exitUsage, err
	}
	answer, err := c.CreateChallenge(ctx, use)
	if err != nil {
		return exitError, err
	}
	if *out != "" {
		if err := os.WriteFile(*out, answer.Bytes, 0o600); err != nil {
			return exitError, err
		}
	}
	if i.asJSON {
		return exitValid, i.json(answer)
	}
	p := i.printer()
	p.field("challenge", base64.StdEncoding.EncodeToString(answer.Bytes))
	p.field("use", known(answer.Use))
	p.field("expires", when(answer.ExpireTime))
	return exitValid, nil
}
