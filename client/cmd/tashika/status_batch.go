package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/client"
	"google.golang.org/grpc/codes"
)

// recheck is a run of status -batch. Each answer is written at once and whole, so that whatever ends the run loses none that was
// given; who goes on after that leaves out the lines that have an answer.
type recheck struct {
	*invocation
	request client.StatusRequest // without its certificate
	began   time.Time
	live    bool // somebody looks at stderr

	mu             sync.Mutex // of what is below, and of both outputs
	read           int        // lines of the input
	answers, fails int        // lines that were written, and those of them without a verdict
	fault          error      // of the input or the output
	shown          time.Time
}

// line is a line of the input by its number and the id that it may have.
type line struct {
	number int
	id     json.RawMessage
}

// answerLine is a line of the output.
type answerLine struct {
	Line   int             `json:"line"`
	ID     json.RawMessage `json:"id,omitempty"`
	Result *client.Result  `json:"result,omitempty"`
	Error  *lineError      `json:"error,omitempty"`
}

// lineError is why there is no verdict.
type lineError struct {
	Code    string `json:"code"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
}

func (i *invocation) checkBatch(c *client.Client, request client.StatusRequest, name string) (int, error) {
	in := i.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return exitError, err
		}
		defer f.Close()
		in = f
	}
	r := &recheck{invocation: i, request: request, began: time.Now(), live: terminal(i.stderr)}
	var refused error
	for l, a := range client.CheckStatusAll(i.ctx, c, client.Recheck{Timeout: i.timeout}, r.lines(in)) {
		if !r.write(l, a) {
			break
		}
		// Who is not let in is not let in with the next line either.
		if failure := (*client.Error)(nil); errors.As(a.Err, &failure) && (failure.Code == codes.Unauthenticated || failure.Code == codes.PermissionDenied) {
			refused = a.Err
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live {
		r.progress()
		fmt.Fprintln(i.stderr)
	}
	switch err := errors.Join(i.ctx.Err(), r.fault, refused); {
	case err != nil:
		return exitError, fmt.Errorf("after %d answers: %w", r.answers, err)
	case r.fails > 0:
		return exitError, fmt.Errorf("%d of %d lines have no verdict", r.fails, r.answers)
	}
	return exitValid, nil
}

// lines reads the input. A line that is not a question is answered here.
func (r *recheck) lines(in io.Reader) iter.Seq2[line, client.StatusRequest] {
	return func(yield func(line, client.StatusRequest) bool) {
		input := bufio.NewReaderSize(in, 64<<10)
		for {
			text, err := readLine(input)
			r.mu.Lock()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					r.fault = errors.Join(r.fault, err)
				}
				r.mu.Unlock()
				return
			}
			r.read++
			l := line{number: r.read}
			r.mu.Unlock()
			question, err := readQuestion(text)
			l.id = question.ID
			if err != nil {
				if !r.write(l, client.Answer{Err: err}) {
					return
				}
				continue
			}
			request := r.request
			request.Certificate = question.Certificate
			if !yield(l, request) {
				return
			}
		}
	}
}

type question struct {
	ID          json.RawMessage `json:"id"`
	Certificate []byte          `json:"certificate"`
}

// readQuestion reads a line. The error does not quote it: it goes where the answers go.
func readQuestion(text []byte) (question, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var q question
	if err := decoder.Decode(&q); err != nil || decoder.More() || len(q.Certificate) == 0 {
		return question{ID: q.ID}, errors.New(`the line is not {"id": any, "certificate": base64 DER}`)
	}
	return q, nil
}

// write writes an answer; false if there is no use in going on.
func (r *recheck) write(l line, a client.Answer) bool {
	out := answerLine{Line: l.number, ID: l.id, Result: a.Result}
	if failure := (*client.Error)(nil); errors.As(a.Err, &failure) {
		out.Error = &lineError{failure.Code.String(), failure.Reason, failure.Error()}
	} else if a.Err != nil {
		out.Error = &lineError{codes.InvalidArgument.String(), "", a.Err.Error()}
	}
	text, err := json.Marshal(out)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		_, err = r.stdout.Write(append(text, '\n'))
	}
	if err != nil {
		r.fault = errors.Join(r.fault, err)
		return false
	}
	r.answers++
	if a.Err != nil {
		r.fails++
	}
	if r.live && time.Since(r.shown) > 200*time.Millisecond {
		r.progress()
	}
	return true
}

// progress shows how far it is. Call with mu.
func (r *recheck) progress() {
	r.shown = time.Now()
	fmt.Fprintf(r.stderr, "\r%d answered, %d without a verdict, %.0f a second \x1b[K", r.answers, r.fails, float64(r.answers)/time.Since(r.began).Seconds())
}
