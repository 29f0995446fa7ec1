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
	c, ctx, done, err := i.connect()
	if err != nil {
		return exitError, err
	}
	defer done()
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
