package main

import (
	"slices"

	"github.com/tashika-jp/tashika/client"
)

func verify(i *invocation) (int, error) {
	request := client.VerifyRequest{Algorithm: client.PKCS1SHA256}
	i.statusFlags(&request.Use, &request.Method)
	i.flags.DurationVar(&request.MaxAge, "max-age", 0, maxAgeUsage)
	i.text(&request.Algorithm, "algorithm", "signature `algorithm`, such as rsassa-pkcs1-v15-sha256 (default), rsassa-pss-sha256, ecdsa-sha384")
	cert := i.flags.String("cert-file", "", certFileUsage)
	signature := i.flags.String("signature-file", "", "`file` of the signature value")
	cms := i.flags.String("cms-file", "", "`file` of a CMS SignedData, BER, DER or PEM, in place of a signature; with -content-file if it is detached, or to compare")
	isBase64 := i.flags.Bool("base64", false, "the files of signature, challenge and digest are base64")
	signed := map[string]*string{
		"challenge-file": i.flags.String("challenge-file", "", "`file` of the challenge that was signed; it is consumed"),
		"content-file":   i.flags.String("content-file", "", "`file` of the content that was signed"),
		"digest-file":    i.flags.String("digest-file", "", "`file` of the digest of the content that was signed"),
	}
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
	given := i.given()
	if given["cms-file"] {
		if err := i.cmsRequest(&request, *cms, *cert, *signed["content-file"]); err != nil {
			return exitError, err
		}
		return i.verified(c.Verify(ctx, request))
	}
	if err := i.required("use", "cert-file", "signature-file"); err != nil {
		return exitUsage, err
	}
	which := slices.DeleteFunc([]string{"challenge-file", "content-file", "digest-file"}, func(name string) bool { return !given[name] })
	if len(which) != 1 {
		return exitUsage, usagef("exactly one of -challenge-file, -content-file and -digest-file is required")
	}
	if request.Certificate, err = i.certificate(*cert); err != nil {
		return exitError, err
	}
	if request.Signature, err = i.octets(*signature, *isBase64); err != nil {
		return exitError, err
	}
	message, err := i.octets(*signed[which[0]], *isBase64 && which[0] != "content-file")
	if err != nil {
		return exitError, err
	}
	switch which[0] {
	case "challenge-file":
		request.Challenge = message
	case "content-file":
		request.Content = message
	case "digest-file":
		request.ContentDigest = message
	}
	return i.verified(c.Verify(ctx, request))
}

// cmsRequest reads the files that go with -cms-file.
func (i *invocation) cmsRequest(request *client.VerifyRequest, cms, cert, content string) (err error) {
	if err := i.required("use"); err != nil {
		return err
	}
	given := i.given()
	for _, name := range []string{"signature-file", "algorithm", "challenge-file", "digest-file", "base64"} {
		if given[name] {
			return usagef("-%s does not go with -cms-file", name)
		}
	}
	request.Algorithm = 0 // the message says it
	if request.CMS, err = i.structure(cms, "CMS", "PKCS7"); err == nil && given["cert-file"] {
		request.Certificate, err = i.certificate(cert)
	}
	if err == nil && given["content-file"] {
		request.Content, err = i.file(content)
	}
	return err
}

func (i *invocation) verified(result *client.Result, err error) (int, error) {
	if err != nil {
		return exitError, err
	}
	return i.result(result)
}
