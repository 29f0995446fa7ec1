package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/sandbox"
)

// openScene opens a scene on free ports for one test.
func openScene(t *testing.T) *scene {
	t.Helper()
	s, err := open(t.Context(), size{}, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", io.Discard, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// TestEveryScenario is the first command of the README, for a machine, and through every way in.
func TestEveryScenario(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-once", "-json", "-doors", "grpc,http,stream,batch"}, &stdout, &stderr); code != 0 {
		t.Errorf("exit status %d: %s", code, stderr.String())
	}
	seen := map[string]int{}
	for line := range strings.Lines(stdout.String()) {
		var o struct {
			Scenario, Transport, Verdict, Expected string
			Reasons                                []string
			OK                                     bool
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if !o.OK || o.Verdict != o.Expected || o.Reasons == nil {
			t.Errorf("not as expected: %s", line)
		}
		seen[o.Scenario+" "+o.Transport]++
	}
	for _, c := range scenarios {
		for _, transport := range []string{"grpc", "http", "stream", "batch"} {
			if seen[c.id+" "+transport] != 1 {
				t.Errorf("%s by %s was told %d times", c.id, transport, seen[c.id+" "+transport])
			}
		}
	}
}

// TestALargerCountry: with a manifest and more municipalities the scenarios go as they do without, and the first lists are told as
// they come.
func TestALargerCountry(t *testing.T) {
	var progress bytes.Buffer
	s, err := open(t.Context(), size{partitions: 60, revoked: 50}, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", &progress, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	if !strings.Contains(progress.String(), "revocation lists: 240 / 240") {
		t.Errorf("progress is told as %s", progress.String())
	}
	for _, c := range scenarios {
		switch c.id {
		case "good_kiosk", "good_older_generation", "held", "released", "stale_list", "wrong_partition_served":
			if o := s.play(t.Context(), c, s.doors[0]); !o.ok {
				t.Errorf("%s: %s %v, %v", c.id, o.answer.verdict, o.answer.reasons, o.err)
			}
		}
	}
	for _, args := range [][]string{{"-once", "-partitions", "3"}, {"-once", "-partitions", "-1"}, {"-once", "-revoked", "-1"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 3 {
			t.Errorf("%v: exit status %d", args, code)
		}
	}
}

// TestAWrongExpectationFails: the program tells when a scenario is not as expected.
func TestAWrongExpectationFails(t *testing.T) {
	s := openScene(t)
	c := scenarios[0]
	c.verdict = invalid
	if o := s.play(t.Context(), c, s.doors[0]); o.ok || o.answer.verdict != valid {
		t.Errorf("%s: %v", o.answer.verdict, o.err)
	}
	c = scenarios[0]
	c.reasons = scenarios[7].reasons
	if o := s.play(t.Context(), c, s.doors[1]); o.ok {
		t.Errorf("%s: %v", o.answer.verdict, o.err)
	}
}

// TestTheLinesWork: what the program prints for a shell does what it says, with the real curl and grpcurl.
func TestTheLinesWork(t *testing.T) {
	s := openScene(t)
	var out bytes.Buffer
	s.printLines(&out)
	has := func(program string) bool {
		_, err := exec.LookPath(program)
		if err != nil {
			t.Logf("%s is not installed: its lines are not tried", program)
		}
		return err == nil
	}
	available := map[string]bool{"curl": has("curl"), "grpcurl": has("grpcurl")}
	if !available["curl"] && !available["grpcurl"] {
		t.Skip("neither curl nor grpcurl is installed")
	}
	challenge := ""
	wants := []string{`"challenge"`, `"challenge"`, `"signature"`, "VERDICT_VALID", "VERDICT_VALID", "VERDICT_VALID", "VERDICT_VALID", "FIELD_INVALID", `"id": "2"`, `"phone"`, `"phone"`,
		"STATE_STALE", "SUPPORT_SUPPORTED", "tashika.v1.VerificationService", `"swagger"`}
	tried := 0
	for line := range strings.Lines(out.String()) {
		program, _, _ := strings.Cut(line, " ")
		if program != "curl" && program != "grpcurl" {
			continue
		}
		want := wants[tried]
		tried++
		if !available[program] {
			continue
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), "CHALLENGE\"", challenge+"\"")
		answer, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		if err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("%.120s…: %v\n%.800s\nwanted %s", line, err, answer, want)
		}
		if m := regexp.MustCompile(`"challenge": ?"([^"]+)"`).FindSubmatch(answer); m != nil {
			challenge = string(m[1])
		}
	}
	if tried != len(wants) {
		t.Errorf("%d lines, want %d", tried, len(wants))
	}
}

// TestServiceOverHTTP develops a reception as somebody with nothing but HTTP would.
func TestServiceOverHTTP(t *testing.T) {
	s := openScene(t)
	d := s.doors[1].(*httpDoor)
	post := func(path string, request, response any) error {
		return d.post(t.Context(), clinic, path, request, response)
	}
	type phone struct {
		Name, Pin, SigningPassword string
		AuthCertificate            []byte
		SignCertificate            []byte
		Holder                     struct{ CommonName struct{ Text string } }
	}
	var issued struct{ Phone phone }
	if err := post("/v1/sandbox/phones", map[string]any{}, &issued); err != nil {
		t.Fatal(err)
	}
	p := issued.Phone
	if p.Name == "" || p.Pin != sandbox.DefaultPIN || len(p.AuthCertificate) == 0 || !strings.Contains(p.Holder.CommonName.Text, "\u3000") {
		t.Errorf("%+v", p)
	}
	visit := func(want string) {
		t.Helper()
		challenge, err := d.challenge(t.Context(), clinic, useHealth)
		if err != nil {
			t.Fatal(err)
		}
		var signed struct {
			Certificate, Signature []byte
			SignatureAlgorithm     string
		}
		if err := post("/v1/sandbox/"+p.Name+":sign", map[string]any{"challenge": challenge, "secret": p.Pin}, &signed); err != nil {
			t.Fatal(err)
		}
		a, err := d.verify(t.Context(), presentation{party: clinic, use: useHealth, certificate: signed.Certificate,
			signature: signed.Signature, algorithm: signed.SignatureAlgorithm, challenge: challenge})
		if err != nil || a.verdict != want {
			t.Errorf("%+v, %v; want %s", a, err, want)
		}
	}
	event := func(name string, more ...string) error {
		request := map[string]any{"event": name}
		if len(more) > 0 {
			request["signingPassword"] = more[0]
		}
		return post("/v1/sandbox/"+p.Name+":playEvent", request, &struct{}{})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	visit(valid)
	must(event("EVENT_REPORT_LOST"))
	visit(invalid)
	must(event("EVENT_LIFT_STOP"))
	visit(valid)
	if err := event("EVENT_LIFT_STOP"); err == nil || !strings.Contains(err.Error(), "EVENT_REFUSED") {
		t.Errorf("a stop that is not there was lifted: %v", err)
	}
	if err := event("EVENT_REVOKE", "WRONG1234"); err == nil || !strings.Contains(err.Error(), "WRONG_SECRET") {
		t.Errorf("revoked with a wrong password: %v", err)
	}
	visit(valid)
	must(event("EVENT_REVOKE", p.SigningPassword))
	visit(invalid)

	for _, c := range []struct {
		flaw, want string
		foreign    bool
	}{
		{"FLAW_FOREIGN_AUTHORITY", invalid, true},
		{"FLAW_FORGED_KEY_IDENTIFIER", invalid, true},
		{"FLAW_UNPUBLISHED_PARTITION", valid, false}, // by OCSP, the second method
		{"FLAW_UNSPECIFIED", valid, false},
	} {
		must(post("/v1/sandbox/phones", map[string]any{"flaw": c.flaw}, &issued))
		p = issued.Phone
		visit(c.want)
		if c.foreign && event("EVENT_REPORT_LOST") == nil {
			t.Errorf("%s: something happened to a phone of another world", c.flaw)
		}
	}
	for form, content := range map[string][]byte{"CMS_FORM_ATTACHED": nil, "CMS_FORM_DETACHED": []byte(transaction)} {
		var signed struct{ Certificate, Signature, CmsSignedData []byte }
		must(post("/v1/sandbox/"+p.Name+":sign", map[string]any{"content": []byte(transaction), "secret": p.SigningPassword, "cmsForm": form}, &signed))
		a, err := d.verify(t.Context(), presentation{party: kyc, use: useIdentity, cms: signed.CmsSignedData, content: content})
		if err != nil || a.verdict != valid || len(signed.Signature) != 0 || len(signed.Certificate) == 0 {
			t.Errorf("%s: %+v, %v", form, a, err)
		}
	}
	must(event("EVENT_EXPIRE"))
	visit(invalid)

	must(post("/v1/sandbox/faults", map[string]any{"ocspFault": "OCSP_FAULT_DOWN",
		"partitionFaults": []any{map[string]any{"municipalityCode": "08220", "fault": "LIST_FAULT_MISSING"}}}, &struct{}{}))
	if fault, lists := s.world.Faults(); fault.Kind != sandbox.OCSPUnavailable || len(lists) == 0 {
		t.Errorf("faults %v %v", fault, lists)
	}
	must(post("/v1/sandbox/faults", map[string]any{}, &struct{}{}))
	if fault, _ := s.world.Faults(); fault.Kind != sandbox.OCSPHealthy {
		t.Errorf("fault %v was not healed", fault)
	}
	ofChallenge := map[string]any{"challenge": []byte("x"), "secret": p.Pin, "cmsForm": "CMS_FORM_ATTACHED"}
	if err := post("/v1/sandbox/"+p.Name+":sign", ofChallenge, &struct{}{}); err == nil || !strings.Contains(err.Error(), `"cms_form"`) {
		t.Errorf("CMS of a challenge: %v", err)
	}
	for path, request := range map[string]any{
		"/v1/sandbox/phones/999:sign":          map[string]any{"challenge": []byte("x"), "secret": "1234"},
		"/v1/sandbox/" + p.Name + ":sign":      map[string]any{"secret": "1234"},
		"/v1/sandbox/phones":                   map[string]any{"keyAlgorithm": "KEY_ALGORITHM_ROT13"},
		"/v1/sandbox/" + p.Name + ":playEvent": map[string]any{},
	} {
		if err := post(path, request, &struct{}{}); err == nil {
			t.Errorf("%s: accepted %v", path, request)
		}
	}
}

// TestLoopbackOnly: the world's secrets are public, so it is nowhere but on this machine.
func TestLoopbackOnly(t *testing.T) {
	for _, args := range [][]string{
		{"-once", "-grpc", "0.0.0.0:0"}, {"-once", "-http", "[::]:0"}, {"-once", "-jlis", "0.0.0.0:0"}, {"-once", "-grpc", "nonsense"},
	} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 3 {
			t.Errorf("%v: exit status %d", args, code)
		}
	}
	for _, args := range [][]string{{"-nonsense"}, {"argument"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%v: exit status %d", args, code)
		}
	}
	if code := run(context.Background(), []string{"-h"}, io.Discard, io.Discard); code != 0 {
		t.Errorf("-h: exit status %d", code)
	}
}

// TestNoSecretInTheTable: what is printed of a scenario has no holder in it.
func TestNoSecretInTheTable(t *testing.T) {
	s := openScene(t)
	for _, d := range s.doors {
		o := s.play(t.Context(), scenarios[2], d)
		var out bytes.Buffer
		printRow(&out, o)
		for _, holder := range sandbox.Holders() {
			if strings.Contains(out.String(), holder.Name) || strings.Contains(out.String(), base64.StdEncoding.EncodeToString([]byte(holder.Name))) {
				t.Errorf("a name in %s", out.String())
			}
		}
	}
}
