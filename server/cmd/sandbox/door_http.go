package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// httpDoor goes in through the HTTP gateway with nothing but net/http and JSON, as a
// relying party without an SDK does.
type httpDoor struct {
	base   string            // such as "http://127.0.0.1:8080"
	tokens map[string]string // by relying party
}

func (d *httpDoor) name() string { return "http" }

func (d *httpDoor) post(ctx context.Context, party, path string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+d.tokens[party])
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, answer)
	}
	return json.Unmarshal(answer, response)
}

func (d *httpDoor) challenge(ctx context.Context, party, use string) ([]byte, error) {
	var out struct{ Challenge []byte }
	err := d.post(ctx, party, "/v1/challenges", map[string]any{"use": use}, &out)
	return out.Challenge, err
}

func (d *httpDoor) verify(ctx context.Context, p presentation) (answer, error) {
	var out verdict
	started := time.Now()
	if err := d.post(ctx, p.party, "/v1:verify", p.json(), &out); err != nil {
		return answer{}, err
	}
	return out.answer(time.Since(started)), nil
}

// json is the presentation as a caller writes it.
func (p presentation) json() map[string]any {
	request := map[string]any{"use": p.use}
	for name, value := range map[string][]byte{"certificate": p.certificate, "signature": p.signature,
		"challenge": p.challenge, "content": p.content, "cmsSignedData": p.cms} {
		if value != nil {
			request[name] = value
		}
	}
	for name, value := range map[string]string{"signatureAlgorithm": p.algorithm, "revocationMethod": p.method} {
		if value != "" {
			request[name] = value
		}
	}
	return request
}

// verdict is what a caller reads of an answer.
type verdict struct {
	Verdict          string
	Reasons          []struct{ ID string }
	Guidance         struct{ Text struct{ JA, EN string } }
	HolderAttributes *struct{ CommonName struct{ Text string } }
}

func (v *verdict) answer(elapsed time.Duration) answer {
	a := answer{verdict: strings.TrimPrefix(v.Verdict, "VERDICT_"), ja: v.Guidance.Text.JA, en: v.Guidance.Text.EN,
		elapsed: elapsed, hasFour: v.HolderAttributes != nil && v.HolderAttributes.CommonName.Text != ""}
	for _, r := range v.Reasons {
		a.reasons = append(a.reasons, r.ID)
	}
	return a
}

// batchDoor goes in through HTTP too, with what is presented between two that are none.
type batchDoor struct{ *httpDoor }

func (d batchDoor) name() string { return "batch" }

func (d batchDoor) verify(ctx context.Context, p presentation) (answer, error) {
	nothing := map[string]any{"use": p.use, "certificate": []byte("rubbish")}
	var out struct {
		Results []struct {
			Response *verdict
			Error    *struct {
				Code    int
				Message string
			}
		}
	}
	started := time.Now()
	if err := d.post(ctx, p.party, "/v1:batchVerify", map[string]any{"requests": []any{nothing, p.json(), nothing}}, &out); err != nil {
		return answer{}, err
	}
	if len(out.Results) != 3 || out.Results[0].Error == nil || out.Results[2].Error == nil {
		return answer{}, fmt.Errorf("the results of a batch of three: %+v", out)
	}
	if e := out.Results[1].Error; e != nil || out.Results[1].Response == nil {
		return answer{}, fmt.Errorf("no verdict: %+v", e)
	}
	return out.Results[1].Response.answer(time.Since(started)), nil
}
