package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/tashika-jp/tashika/certs/validation"
)

// maxLine bounds a question, in bytes; a longer one is malformed.
const maxLine = 64 << 20

// batch answers a line of standard input with a line of standard output, in order, until the input ends. Lines that are
// ready are written before it waits for more.
func (i *invocation) batch(now time.Time) (int, error) {
	in, out := bufio.NewReaderSize(i.stdin, 64<<10), bufio.NewWriterSize(i.stdout, 64<<10)
	if c, ok := i.stdin.(io.Closer); ok { // a reader that waits does not see the signal
		defer context.AfterFunc(i.ctx, func() { c.Close() })()
	}
	for {
		line, err := readLine(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return exitValid, errors.Join(i.ctx.Err(), err, out.Flush())
		}
		out.Write(i.answerLine(line, now))
		out.WriteByte('\n')
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return exitError, err
			}
		}
	}
}

// readLine reads a line without its end. One that is too long is read to its end and returned as nothing, which is no question.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil || errors.Is(err, io.EOF) && (len(line) > 0 || tooLong):
			return line, nil
		default:
			return nil, err
		}
	}
}

// answerLine is the last wall: should a line ever make the engine panic, the fault is told, nothing is good, and the run goes on.
func (i *invocation) answerLine(line []byte, now time.Time) (answer []byte) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Fprintf(i.stderr, "tashika validate: internal error: %v\n%s", fault, debug.Stack())
			answer = []byte(`{"id":null,"verdict":"indeterminate","status":"unknown","reasons":[],"user_constrained_policy_set":[]}`)
		}
	}()
	return validation.Line(line, now)
}
