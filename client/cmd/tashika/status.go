package main

import "github.com/tashika-jp/tashika/client"

// What verify and status say alike.
const (
	certFileUsage = "`file` of the holder's certificate, DER or PEM; - for standard input, here and below"
	maxAgeUsage   = "greatest age of the evidence to accept, such as 24h; the profile's if not given"
)

// statusFlags are those of verify and status.
func (i *invocation) statusFlags(use *client.Use, method *client.RevocationMethod) {
	i.text(use, "use", "`use`: convenience-store-issuance, health-insurance or private-identity-verification")
	i.text(method, "method", "revocation `method`: crl, ocsp, crl-then-ocsp or ocsp-then-crl; the profile's if not given")
}

func checkStatus(i *invocation) (int, error) {
	var request client.StatusRequest
	i.statusFlags(&request.Use, &request.Method)
	i.flags.DurationVar(&request.MaxAge, "max-age", 0, maxAgeUsage)
	cert := i.flags.String("cert-file", "", certFileUsage)
	batch := i.flags.String("batch", "", "`file` of JSON Lines, {\"id\": any, \"certificate\": base64 DER}; - for standard input. A line for a line comes, "+
		"in the order in which they are ready")
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
	if i.given()["batch"] {
		if i.given()["cert-file"] {
			return exitUsage, usagef("-cert-file does not go with -batch")
		}
		if err := i.required("use"); err != nil {
			return exitUsage, err
		}
		return i.checkBatch(c, request, *batch)
	}
	if err := i.required("use", "cert-file"); err != nil {
		return exitUsage, err
	}
	if request.Certificate, err = i.certificate(*cert); err != nil {
		return exitError, err
	}
	result, err := c.CheckStatus(ctx, request)
	if err != nil {
		return exitError, err
	}
	return i.result(result)
}
