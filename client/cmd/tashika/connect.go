package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/client"
)

// connection is the flags of the commands that ask a server.
type connection struct {
	target, ca, cert, key, tokenFile string
	plaintext                        bool
	timeout                          time.Duration
}

// connectionFlags maps the flags to the variables that stand in for them.
var connectionFlags = map[string]string{
	"target": "TASHIKA_TARGET", "ca": "TASHIKA_CA", "cert": "TASHIKA_CERT", "key": "TASHIKA_KEY",
	"token-file": "TASHIKA_TOKEN_FILE", "plaintext": "TASHIKA_PLAINTEXT", "timeout": "TASHIKA_TIMEOUT",
}

// connect declares the flags of the connection, parses, and returns a client with a context
// that ends in time. Call done at the end.
func (i *invocation) connect() (c *client.Client, ctx context.Context, done func(), err error) {
	var n connection
	i.flags.StringVar(&n.target, "target", "", "server, as `host:port`")
	i.flags.StringVar(&n.ca, "ca", "", "PEM `file` of the authorities the server is verified by; the system's if not given")
	i.flags.StringVar(&n.cert, "cert", "", "PEM `file` of the client's certificate, for mutual TLS")
	i.flags.StringVar(&n.key, "key", "", "PEM `file` of its key")
	i.flags.StringVar(&n.tokenFile, "token-file", "", "`file` of the bearer token")
	i.flags.BoolVar(&n.plaintext, "plaintext", false, "no TLS; to a loopback address only")
	i.flags.DurationVar(&n.timeout, "timeout", 10*time.Second, "how long to wait for the whole answer; of a batch, for each")
	if err := i.parse(); err != nil {
		return nil, nil, nil, err
	}
	if err := i.noArguments(); err != nil {
		return nil, nil, nil, err
	}
	if err := i.fromEnvironment(); err != nil {
		return nil, nil, nil, err
	}
	if n.target == "" {
		return nil, nil, nil, usagef("no server: give -target or TASHIKA_TARGET")
	}
	if n.timeout <= 0 {
		return nil, nil, nil, usagef("-timeout must be positive")
	}
	config, err := n.config()
	if err != nil {
		return nil, nil, nil, err
	}
	if c, err = client.New(config); err != nil {
		return nil, nil, nil, usageError{err}
	}
	i.timeout = n.timeout
	ctx, cancel := context.WithTimeout(i.ctx, n.timeout)
	return c, ctx, func() { cancel(); _ = c.Close() }, nil
}

func (i *invocation) fromEnvironment() error {
	given := i.given()
	for name, variable := range connectionFlags {
		if value := i.env(variable); value != "" && !given[name] {
			if err := i.flags.Set(name, value); err != nil {
				return usagef("%s: %v", variable, err)
			}
		}
	}
	return nil
}

func (n *connection) config() (client.Config, error) {
	config := client.Config{Target: n.target, PlaintextLoopback: n.plaintext, UserAgent: "tashika"}
	if n.tokenFile != "" {
		token, err := os.ReadFile(n.tokenFile)
		if err != nil {
			return config, err
		}
		if config.Token = strings.TrimSpace(string(token)); config.Token == "" {
			return config, usagef("%s is empty", n.tokenFile)
		}
	}
	if n.ca == "" && n.cert == "" && n.key == "" {
		return config, nil
	}
	config.TLS = &tls.Config{}
	if n.ca != "" {
		authorities, err := os.ReadFile(n.ca)
		if err != nil {
			return config, err
		}
		if config.TLS.RootCAs = x509.NewCertPool(); !config.TLS.RootCAs.AppendCertsFromPEM(authorities) {
			return config, usagef("%s has no PEM certificate", n.ca)
		}
	}
	if (n.cert == "") != (n.key == "") {
		return config, usagef("-cert and -key go together")
	}
	if n.cert != "" {
		pair, err := tls.LoadX509KeyPair(n.cert, n.key)
		if err != nil {
			return config, err
		}
		config.TLS.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
