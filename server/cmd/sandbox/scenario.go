package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// The relying parties of the pretend world, by the names that the server knows them by.
const (
	kiosk      = "kiosk"       // コンビニ交付
	otherKiosk = "other-kiosk" // another chain's
	clinic     = "clinic"      // 健康保険証; it may also issue, so that the use of a challenge can differ
	kyc        = "kyc"         // 民間の本人確認
)

// The uses, as the API writes them in JSON.
const (
	useConvenience = "USE_CONVENIENCE_STORE_ISSUANCE"
	useHealth      = "USE_HEALTH_INSURANCE"
	useIdentity    = "USE_PRIVATE_IDENTITY_VERIFICATION"
)

// presentation is what a relying party sends to Verify, in the API's own words.
type presentation struct {
	party, use  string
	certificate []byte
	signature   []byte
	algorithm   string
	challenge   []byte // or
	content     []byte
	cms         []byte // in place of signature and algorithm
	method      string // revocation method; empty for the profile's
}

// answer is what a scenario looks at.
type answer struct {
	verdict string
	reasons []string
	ja, en  string
	elapsed time.Duration
	hasFour bool // the four attributes came with it
}

// door is a way into the server.
type door interface {
	name() string
	challenge(ctx context.Context, party, use string) ([]byte, error)
	verify(ctx context.Context, p presentation) (answer, error)
}

// scenario is one story. It is played through each door with phones of its own.
type scenario struct {
	id, ja, en string
	verdict    string
	reasons    []reason.ID
	// play prepares the world and returns what is presented in the end.
	play func(ctx context.Context, s *stage) (presentation, error)
}

// stage is where a scenario is played: the world, the door, and hands for the usual acts.
type stage struct {
	*scene
	door door
}

// must ends a scenario at the first thing in the world that does not go as told.
type must struct{ error }

func check(err error) {
	if err != nil {
		panic(must{err})
	}
}

// issue issues to the next holder who lives where lists are in order.
func (s *stage) issue(o sandbox.IssueOptions) *sandbox.Phone { return s.issueIn(s.world, o) }

// issuePlain issues to a holder whose name and address have no substitute characters, issueMarked to one who
// has some: the four attributes are looked at.
func (s *stage) issuePlain() *sandbox.Phone { return s.issue(sandbox.IssueOptions{}) }

func (s *stage) issueMarked() *sandbox.Phone {
	p, err := s.world.Issue(s.nextMarked(), sandbox.IssueOptions{})
	check(err)
	return p
}

// marked says whether a holder has substitute characters.
func marked(h sandbox.Holder) bool { return strings.Contains(h.NameMarks+h.AddressMarks, "1") }

func (s *stage) issueIn(w *sandbox.World, o sandbox.IssueOptions) *sandbox.Phone {
	for {
		holder := s.nextHolder()
		if holder.Municipality == staleMunicipality && o.Municipality == "" {
			continue
		}
		p, err := w.Issue(holder, o)
		check(err)
		return p
	}
}

// answer lets the phone answer a fresh challenge.
func (s *stage) answer(ctx context.Context, p *sandbox.Phone, party, use string, o ...func(*presentation)) presentation {
	challenge, err := s.door.challenge(ctx, party, use)
	check(err)
	return s.answerTo(p, challenge, sandbox.DefaultAlgorithm, presentation{party: party, use: use}, o...)
}

// answerTo lets the phone sign the challenge given.
func (s *stage) answerTo(p *sandbox.Phone, challenge []byte, a sandbox.Algorithm, out presentation, o ...func(*presentation)) presentation {
	signature, err := p.SignChallenge(sandbox.DefaultPIN, a, challenge)
	check(err)
	out.certificate, out.signature, out.challenge = p.Certificate(sandbox.Auth).DER, signature, challenge
	out.algorithm = rsaSHA256
	for _, change := range o {
		change(&out)
	}
	return out
}

// transaction is what is signed where a content is.
const transaction = "口座開設申込書 2026-11-23 普通預金"

// signContent lets the phone sign the content of a transaction.
func (s *stage) signContent(p *sandbox.Phone, o ...func(*presentation)) presentation {
	content := []byte(transaction)
	signature, err := p.SignContent(sandbox.DefaultPassword, sandbox.DefaultAlgorithm, content)
	check(err)
	out := presentation{party: kyc, use: useIdentity, certificate: p.Certificate(sandbox.Sign).DER,
		signature: signature, algorithm: rsaSHA256, content: content}
	for _, change := range o {
		change(&out)
	}
	return out
}

// signCMS lets the phone make a CMS message of the same content. Neither certificate nor content is beside it.
func (s *stage) signCMS(p *sandbox.Phone, o sandbox.CMSOptions, changes ...func(*presentation)) presentation {
	secret := sandbox.DefaultPassword
	if o.Authority == sandbox.Auth {
		secret = sandbox.DefaultPIN
	}
	message, err := p.SignCMS(secret, []byte(transaction), o)
	check(err)
	out := presentation{party: kyc, use: useIdentity, cms: message}
	for _, change := range changes {
		change(&out)
	}
	return out
}

func beside(content string) func(*presentation) {
	return func(p *presentation) { p.content = []byte(content) }
}

// publish makes the server fetch what the world now says, as its schedule would.
func (s *stage) publish(ctx context.Context, err error) {
	check(err)
	s.refresh(ctx)
}

const (
	rsaSHA256   = "SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256"
	rsaSHA1     = "SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA1"
	ecdsaSHA384 = "SIGNATURE_ALGORITHM_ECDSA_SHA384"
)

func by(method string) func(*presentation) {
	return func(p *presentation) { p.method = "REVOCATION_METHOD_" + method }
}

// play runs a scenario through a door and compares what came with what was told.
func (s *scene) play(ctx context.Context, c scenario, d door) (out outcome) {
	out = outcome{scenario: c, transport: d.name()}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	defer func() {
		s.heal()
		if r := recover(); r != nil {
			failed, ours := r.(must)
			if !ours {
				panic(r)
			}
			out.err = failed.error
		}
	}()
	p, err := c.play(ctx, &stage{scene: s, door: d})
	check(err)
	out.answer, err = d.verify(ctx, p)
	check(err)
	out.ok = out.answer.verdict == c.verdict && sameReasons(out.answer.reasons, c.reasons)
	// The four attributes come with a valid identity verification, and with nothing else.
	if out.answer.hasFour != (p.use == useIdentity && out.answer.verdict == valid) {
		out.ok, out.err = false, fmt.Errorf("attributes returned: %v", out.answer.hasFour)
	}
	return out
}

func sameReasons(got []string, want []reason.ID) bool {
	seen := map[string]int{}
	for _, id := range got {
		seen[id]++
	}
	for _, id := range want {
		seen[string(id)]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}
