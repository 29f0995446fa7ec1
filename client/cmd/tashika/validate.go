package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/validation"
)

// validate judges files by the specifications alone. What it is given becomes a question of the batch, so that a person
// and a machine are answered by one engine through one door.
func validate(i *invocation) (int, error) {
	var q validation.Question
	now := time.Now()
	batch := i.flags.Bool("batch", false, "read questions from standard input, a JSON object a line, and answer each with a line; no other flags")
	isCMS := i.flags.Bool("cms", false, "the FILEs are CMS messages, not certificates")
	content := i.flags.String("content-file", "", "`file` of the content of a detached CMS message")
	signature := i.flags.String("signature-file", "", "`file` of a signature by the certificate's key over the message")
	message := i.flags.String("message-file", "", "`file` of the message that was signed")
	algorithm := i.flags.String("algorithm", "", "signature `algorithm`: rsa-pkcs1, rsa-pss, ecdsa or ecdsa-p1363, a colon and a hash, such as rsa-pkcs1:sha256")
	i.each("anchor", "`file` of trust anchors, DER or PEM; may be given several times", "CERTIFICATE", &q.TrustAnchors)
	i.each("intermediate", "`file` of certificates that may help, believed no more than any; may be given several times", "CERTIFICATE", &q.Intermediates)
	i.each("crl", "`file` of revocation lists; may be given several times", "X509 CRL", &q.CRLs)
	i.each("ocsp", "`file` of an OCSP response, DER; may be given several times", "OCSP RESPONSE", &q.OCSPResponses)
	i.flags.Func("time", "`time` to judge for, RFC 3339; now if not given", func(s string) error {
		t, err := time.Parse(time.RFC3339, s)
		q.Time = &t
		return err
	})
	i.flags.StringVar(&q.Revocation, "revocation", "", "`how` the status is found: none, crl, ocsp, crl_or_ocsp; by what is given if not said. Without evidence nothing is valid")
	i.flags.StringVar(&q.Scope, "scope", "", "`whose` status is asked: chain (default) or leaf")
	i.flags.Func("max-age", "greatest age of lists and responses, a `duration`", func(s string) error {
		d, err := time.ParseDuration(s)
		seconds := d.Seconds()
		q.MaxAge = &seconds
		return err
	})
	i.list("policy", "acceptable certificate policy, an `OID`; may be given several times; any if not given", &q.Policy.InitialPolicySet)
	i.flags.BoolVar(&q.Policy.RequireExplicitPolicy, "require-explicit-policy", false, "one of the policies must be valid for the whole path")
	i.flags.BoolVar(&q.Policy.InhibitPolicyMapping, "inhibit-policy-mapping", false, "no authority may map policies")
	i.flags.BoolVar(&q.Policy.InhibitAnyPolicy, "inhibit-any-policy", false, "anyPolicy stands for none")
	i.list("extended-key-usage", "usage that must be allowed, an `OID`; may be given several times", &q.ExtendedKeyUsage)
	i.flags.StringVar(&q.ServerName, "server-name", "", "domain `name` or IP address that the certificate must be for")
	i.flags.StringVar(&q.Email, "email", "", "e-mail `address` that the certificate must be for")
	depth := i.flags.Int("max-chain-depth", -1, "greatest `number` of certificates between anchor and certificate; negative for any")
	i.flags.BoolVar(&q.AnchorsAreTrustedIssuers, "anchors-are-trusted-issuers", false, "believe the issuer among the anchors, whatever its certificate says")
	i.flags.BoolVar(&q.AllowSHA1, "allow-sha1", false, "accept signatures over SHA-1, for material of its time")
	i.flags.BoolVar(&q.Strict, "strict", false, "refuse also what RFC 5280 forbids to those who issue")
	if err := i.parse(); err != nil {
		return exitError, err
	}
	if *batch {
		if i.flags.NFlag() > 1 || i.flags.NArg() > 0 {
			return exitUsage, usagef("-batch goes alone")
		}
		return i.batch(now)
	}
	if i.flags.NArg() == 0 {
		return exitUsage, usagef("no file")
	}
	if *depth >= 0 {
		q.MaxChainDepth = depth
	}
	given := i.given()
	if given["signature-file"] != given["message-file"] || given["signature-file"] != given["algorithm"] {
		return exitUsage, usagef("-signature-file, -message-file and -algorithm go together")
	}
	if given["content-file"] && !*isCMS || given["signature-file"] && *isCMS {
		return exitUsage, usagef("-content-file goes with -cms, and -signature-file without")
	}
	if err := i.signed(&q, *signature, *message, *algorithm, *content); err != nil {
		return exitError, err
	}
	return i.judge(q, *isCMS, now)
}

// signed reads the files about a signature, where they are given.
func (i *invocation) signed(q *validation.Question, signature, message, algorithm, content string) error {
	if content != "" {
		data, err := i.file(content)
		if err != nil {
			return err
		}
		q.Content = &data
	}
	if signature == "" {
		return nil
	}
	value, err := i.file(signature)
	if err != nil {
		return err
	}
	q.Signature = &value
	if q.Message, err = i.file(message); err != nil {
		return err
	}
	kind, hash, _ := strings.Cut(algorithm, ":")
	q.Algorithm = &validation.Algorithm{Type: kind, Hash: hash}
	return nil
}

// judge asks about each file, and answers with the worst.
func (i *invocation) judge(q validation.Question, isCMS bool, now time.Time) (int, error) {
	type named struct {
		File string `json:"file"`
		validation.Answer
		ID *struct{} `json:"id,omitempty"` // a file has a name instead
	}
	answers := []named{}
	var failures []error
	code := exitValid
	for _, name := range i.flags.Args() {
		one := q
		types := []string{"CERTIFICATE"}
		if isCMS {
			types = []string{"CMS", "PKCS7"}
		}
		data, err := i.structure(name, types...)
		if err != nil { // the others are judged all the same
			failures = append(failures, err)
			continue
		}
		if isCMS {
			one.CMS = &data
		} else {
			one.Certificate = data
		}
		answer, err := one.Answer(now)
		if err != nil {
			return exitUsage, usageError{err}
		}
		answers = append(answers, named{File: name, Answer: answer})
		if c := verdictExits[answer.Verdict]; c != exitValid && (code == exitValid || c == exitInvalid) {
			code = c
		}
	}
	if i.asJSON {
		failures = append(failures, i.json(map[string]any{"answers": answers}))
	} else {
		for n, a := range answers {
			if n > 0 {
				fmt.Fprintln(&i.out)
			}
			i.printer().answer(a.File, a.Answer)
		}
	}
	return code, errors.Join(failures...)
}

// verdictExits are the exit statuses of verdicts; what is malformed is not valid either.
var verdictExits = map[string]int{
	validation.Valid.String(): exitValid, validation.Invalid.String(): exitInvalid,
	validation.Indeterminate.String(): exitIndeterminate, validation.Malformed.String(): exitInvalid,
}

func (p printer) answer(file string, a validation.Answer) {
	p.field("file", file)
	colours := map[int]int{exitValid: green, exitInvalid: red, exitIndeterminate: yellow}
	p.paint("verdict", a.Verdict, colours[verdictExits[a.Verdict]])
	for _, id := range a.Reasons {
		r := reason.Get(id)
		p.field("reason", string(id), r.JA, r.EN, r.Spec)
	}
	p.field("status", a.Status)
	p.field("policies", a.Policies...)
}

// list declares a flag that may be given several times.
func (i *invocation) list(name, usage string, into *[]string) {
	i.flags.Func(name, usage, func(s string) error {
		if _, err := pkix.ParseOID(s); err != nil {
			return err
		}
		*into = append(*into, s)
		return nil
	})
}

// each declares a flag of files, each of which may hold several structures if it is PEM.
func (i *invocation) each(name, usage, kind string, into *[][]byte) {
	i.flags.Func(name, usage, func(file string) error {
		ders, err := i.structures(file, kind)
		*into = append(*into, ders...)
		return err
	})
}
