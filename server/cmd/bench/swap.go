package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// swapped is what came of verifying while the lists stayed, and while they were replaced.
type swapped struct {
	Quiet, Swap       float64 // p99, µs: the median of the rounds
	QuietP50, SwapP50 float64
	Asked             int
	Rounds, Swaps     int
	Wrong             int
	Period            float64 // seconds from one issue in service to the next, on average
}

const (
	// rate is of requests a second, moderate: about a tenth of what the server can do on two cores, so that what is measured is
	// a swap and not a queue.
	rate = 200
	// defaultRounds of each kind, in turns.
	defaultRounds = 3
	// quietRequests are asked in a round in which nothing is replaced, and at least intended for one in which something is.
	quietRequests = 5 * rate
	holders       = 64 // certificates, half of them revoked
	holderKeys    = 4
	// visits to the drop directory, while it is quiet as well.
	visitPeriod = 200 * time.Millisecond
)

// issuesFor is how many issues a round replaces, one after the other without a pause: several where they are short, and few enough to
// be made meanwhile.
func issuesFor(lists []*listing) int {
	var octets int64
	for _, l := range lists {
		octets += l.Octets
	}
	return int(min(max(min(400e6/(octets+1), 500/int64(len(lists))), 1), 6))
}

// traffic are people who verify at a server with the lists.
type traffic struct {
	client  tashikav1.VerificationServiceClient
	sources tashikav1.RevocationServiceClient
	keys    []*rsa.PrivateKey
	cards   []card
}

// card is a certificate with its key and what the lists say of it.
type card struct {
	der    []byte
	key    *rsa.PrivateKey
	listed bool
}

// swap measures Verify at a server of its own, whose clients' certificates are those of the lists: every answer was looked
// up in a list that is being replaced. In the quiet rounds nothing is; in the others one issue follows another all the time.
func (r *listRun) swap(ctx context.Context, ca *authority, t *task, ready float64) (swapped, error) {
	var out swapped
	source := fmt.Sprintf("    - {name: %s, directory: %q, period: %s, max_size: %d, max_lists: %d}\n", sourceName, t.Drop, visitPeriod, int64(maxListSize), len(t.Lists))
	config, token, err := writeConfig(r.dir, []sandbox.Anchor{{Authority: sandbox.Auth, DER: ca.der}}, t.State, source)
	if err != nil {
		return out, err
	}
	under, err := start(ctx, roleServer, config)
	if err != nil {
		return out, err
	}
	defer under.stop()
	conn, err := dial(under.address)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	everybody, err := newTraffic(ca, t.Lists, conn)
	if err != nil {
		return out, err
	}
	patience := time.Duration((60 + 20*ready) * float64(time.Second))
	if err := everybody.until(ctx, t.Lists, patience); err != nil {
		return out, err
	}
	issues := issuesFor(t.Lists)
	var quiet, swap [2][]float64 // p50, p99
	note := func(into *[2][]float64, latencies []time.Duration) {
		slices.Sort(latencies)
		out.Asked += len(latencies)
		into[0] = append(into[0], micros(quantile(latencies, 0.5)))
		into[1] = append(into[1], micros(quantile(latencies, 0.99)))
	}
	if _, _, err := everybody.drive(ctx, r.requests/4, nil); err != nil { // to warm up
		return out, err
	}
	var spent time.Duration
	lists := t.Lists
	for range r.rounds {
		latencies, wrong, err := everybody.drive(ctx, r.requests, nil)
		if err != nil {
			return out, err
		}
		out.Wrong += wrong
		note(&quiet, latencies)
		next, err := r.stage(ctx, ca, lists, issues)
		if err != nil {
			return out, err
		}
		replace := func(ctx context.Context) error {
			began := time.Now()
			for _, issue := range next {
				if err := r.publish(issue, t.Drop); err != nil {
					return err
				}
				if err := everybody.until(ctx, issue, patience); err != nil {
					return err
				}
				out.Swaps++
			}
			spent += time.Since(began)
			return nil
		}
		most := max(r.requests, int(min(float64(issues)*(3*ready+1), 60)*rate))
		if latencies, wrong, err = everybody.drive(ctx, most, replace); err != nil {
			return out, err
		}
		out.Wrong += wrong
		note(&swap, latencies)
		lists = next[len(next)-1]
	}
	out.QuietP50, out.Quiet, out.SwapP50, out.Swap = median(quiet[0]), median(quiet[1]), median(swap[0]), median(swap[1])
	out.Rounds, out.Period = r.rounds, spent.Seconds()/float64(out.Swaps)
	return out, nil
}

// stage makes the next issues of the lists beside the drop directory.
func (r *listRun) stage(ctx context.Context, ca *authority, lists []*listing, issues int) ([][]*listing, error) {
	var out [][]*listing
	for range issues {
		var next []*listing
		for _, l := range lists {
			n := l.next(min(max(l.Entries/200, 1), 100))
			if _, err := ca.write(ctx, r.staged(n), n); err != nil {
				return nil, err
			}
			next = append(next, n)
		}
		out, lists = append(out, next), next
	}
	return out, nil
}

func (r *listRun) staged(l *listing) string {
	return filepath.Join(r.dir, fmt.Sprintf("%d-%s", l.Number, l.file()))
}

// publish moves one issue of all lists into the drop directory.
func (r *listRun) publish(issue []*listing, drop string) error {
	for _, l := range issue {
		if err := os.Rename(r.staged(l), filepath.Join(drop, l.file())); err != nil {
			return err
		}
	}
	return nil
}

func newTraffic(ca *authority, lists []*listing, conn *grpc.ClientConn) (*traffic, error) {
	everybody := &traffic{client: tashikav1.NewVerificationServiceClient(conn), sources: tashikav1.NewRevocationServiceClient(conn)}
	random := mathrand.New(mathrand.NewPCG(2, lists[0].Seeds[0]))
	for range holderKeys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		everybody.keys = append(everybody.keys, key)
	}
	for i := range holders {
		l := lists[random.IntN(len(lists))]
		c := card{key: everybody.keys[i%holderKeys], listed: i%2 == 0}
		der, err := ca.holder(l.serial(nil, l.lasting(random, c.listed)), l.Partition, c.key)
		if err != nil {
			return nil, err
		}
		c.der = der
		everybody.cards = append(everybody.cards, c)
	}
	return everybody, nil
}

// lasting is a key of which the next issues say the same as this one.
func (l *listing) lasting(random *mathrand.Rand, listed bool) uint64 {
	if l.Random && !listed {
		return l.End + 1<<40 + random.Uint64N(1<<40)
	}
	third := (l.End - l.First) / 3
	for {
		if key := l.First + third + random.Uint64N(third); l.lists(key) == listed {
			return key
		}
	}
}

// sign gets n challenges and signs them, before the time that is measured.
func (e *traffic) sign(ctx context.Context, n int) ([]question, error) {
	questions := make([]question, n)
	errs := make([]error, runtime.NumCPU())
	var all sync.WaitGroup
	for part := range errs {
		all.Go(func() {
			for i := part; i < n && errs[part] == nil; i += len(errs) {
				questions[i], errs[part] = e.ask(ctx, &e.cards[i%len(e.cards)])
			}
		})
	}
	all.Wait()
	return questions, errors.Join(errs...)
}

func (e *traffic) ask(ctx context.Context, c *card) (question, error) {
	const use = tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE
	challenge, err := e.client.CreateChallenge(ctx, &tashikav1.CreateChallengeRequest{Use: use})
	if err != nil {
		return question{}, err
	}
	digest := sha256.Sum256(challenge.GetChallenge())
	signature, err := rsa.SignPKCS1v15(nil, c.key, crypto.SHA256, digest[:])
	if err != nil {
		return question{}, err
	}
	q := question{want: tashikav1.Verdict_VERDICT_VALID, request: &tashikav1.VerifyRequest{
		Use: use, Certificate: c.der, Signature: signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256,
		Signed:             &tashikav1.VerifyRequest_Challenge{Challenge: challenge.GetChallenge()},
	}}
	if c.listed {
		q.want = tashikav1.Verdict_VERDICT_INVALID
	}
	return q, nil
}

// drive asks up to n questions at the rate, each when its time has come whether or not others were answered, and ends when meanwhile, if
// there is one, has. It returns how long the answers took, from the sending, and how many were wrong.
func (e *traffic) drive(ctx context.Context, n int, meanwhile func(context.Context) error) ([]time.Duration, int, error) {
	questions, err := e.sign(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	runtime.GC() // not in the middle of it
	ended := make(chan error, 1)
	if meanwhile != nil {
		go func() { ended <- meanwhile(ctx) }()
	}
	latencies, errs := make([]time.Duration, n), make([]error, n)
	wrong := make([]bool, n)
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	asked, over := 0, false
	for asked < n && !over {
		select {
		case err = <-ended:
			over = true
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-tick.C:
			i := asked
			all.Go(func() {
				began := time.Now()
				answer, err := e.client.Verify(ctx, questions[i].request)
				latencies[i], errs[i] = time.Since(began), err
				wrong[i] = answer.GetVerdict() != questions[i].want
			})
			asked++
		}
	}
	all.Wait()
	if meanwhile != nil && !over {
		err = <-ended
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, 0, err
	}
	if asked == 0 {
		return nil, 0, errors.New("the lists were replaced before anybody asked")
	}
	bad := 0
	for _, w := range wrong[:asked] {
		if w {
			bad++
		}
	}
	return latencies[:asked], bad, nil
}

// until waits until the server answers from these issues of the lists.
func (e *traffic) until(ctx context.Context, lists []*listing, patience time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	number := strconv.FormatInt(lists[0].Number, 10) // all of an issue have the same
	for {
		serving, token := 0, ""
		for first := true; first || token != ""; first = false {
			page, err := e.sources.ListSources(bounded, &tashikav1.ListSourcesRequest{PageSize: 1000, PageToken: token})
			if err != nil {
				return err
			}
			for _, s := range page.GetSources() {
				if s.GetName() != sourceName && s.GetCrlNumber() == number && s.GetState() == tashikav1.RevocationSource_STATE_FRESH {
					serving++
				}
			}
			token = page.GetNextPageToken()
		}
		if serving == len(lists) {
			return nil
		}
		select {
		case <-bounded.Done():
			if ctx.Err() == nil {
				return fmt.Errorf("only %d of %d lists went into service within %s", serving, len(lists), patience)
			}
			return ctx.Err()
		case <-time.After(20*time.Millisecond + time.Duration(len(lists))*time.Millisecond/4):
		}
	}
}
