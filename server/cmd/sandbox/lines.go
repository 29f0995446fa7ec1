package main

import (
	"encoding/base64"
	"fmt"
	"io"

	"github.com/tashika-jp/tashika/certs/sandbox"
)

// printLines prints commands that work as they stand: with the tokens of this run, and for Verify with a signature that
// a phone has just made.
func (s *scene) printLines(w io.Writer) {
	http, grpc := "http://"+fmt.Sprint(s.server.HTTPAddr()), fmt.Sprint(s.server.GRPCAddr())
	fmt.Fprintln(w, "\nトークン / bearer tokens:")
	for _, party := range []string{kiosk, clinic, kyc} {
		fmt.Fprintf(w, "  %-7s %s\n", party, s.tokens[party])
	}
	curl := func(party, path, body string) {
		fmt.Fprintf(w, "curl -s -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s' %s%s\n", s.tokens[party], body, http, path)
	}
	grpcurl := func(party, method, body string) {
		fmt.Fprintf(w, "grpcurl -plaintext -H 'Authorization: Bearer %s' -d '%s' %s %s\n", s.tokens[party], body, grpc, method)
	}
	fmt.Fprintln(w, "\n# 1. チャレンジを得る / get a challenge")
	curl(clinic, "/v1/challenges", `{"use":"`+useHealth+`"}`)
	grpcurl(clinic, "tashika.v1.VerificationService/CreateChallenge", `{"use":"`+useHealth+`"}`)

	p := (&stage{scene: s}).issuePlain()
	name := phoneName(p)
	fmt.Fprintln(w, "\n# 2. スマートフォンに署名させる(PIN "+sandbox.DefaultPIN+")/ let a phone sign: put the challenge in")
	curl(clinic, "/v1/sandbox/"+name+":sign", `{"challenge":"CHALLENGE","secret":"`+sandbox.DefaultPIN+`"}`)

	fmt.Fprintln(w, "\n# 3. 検証する / verify: this one is signed already, content for identity verification")
	content := []byte("口座開設申込書")
	signature, err := p.SignContent(sandbox.DefaultPassword, sandbox.DefaultAlgorithm, content)
	check(err)
	b64 := base64.StdEncoding.EncodeToString
	body := fmt.Sprintf(`{"use":"%s","certificate":"%s","signature":"%s","signatureAlgorithm":"%s","content":"%s"}`,
		useIdentity, b64(p.Certificate(sandbox.Sign).DER), b64(signature), rsaSHA256, b64(content))
	curl(kyc, "/v1:verify", body)
	grpcurl(kyc, "tashika.v1.VerificationService/Verify", body)

	fmt.Fprintln(w, "\n# 4. 同じ内容をCMSで / the same by CMS: certificate, signature and content are inside")
	message, err := p.SignCMS(sandbox.DefaultPassword, content, sandbox.CMSOptions{SigningTime: true})
	check(err)
	body = fmt.Sprintf(`{"use":"%s","cmsSignedData":"%s","content":"%s"}`, useIdentity, b64(message), b64(content))
	curl(kyc, "/v1:verify", body)
	grpcurl(kyc, "tashika.v1.VerificationService/Verify", body)

	fmt.Fprintln(w, "\n# 5. まとめて、またはストリームで / several at once, and a stream: an answer for each")
	curl(kyc, "/v1:batchVerify", `{"requests":[`+body+`,{"use":"`+useIdentity+`"}]}`)
	grpcurl(kyc, "tashika.v1.VerificationService/VerifyStream", `{"id":1,"request":`+body+`} {"id":2,"request":`+body+`,"timeout":"2s"}`)

	fmt.Fprintln(w, "\n# 6. 紛失の届出、停止解除 / report the phone lost, lift the stop")
	curl(clinic, "/v1/sandbox/"+name+":playEvent", `{"event":"EVENT_REPORT_LOST"}`)
	curl(clinic, "/v1/sandbox/"+name+":playEvent", `{"event":"EVENT_LIFT_STOP"}`)

	fmt.Fprintln(w, "\n# 7. 失効情報の入手元、対応機種、API の説明 / sources, handsets, the API's description")
	fmt.Fprintf(w, "curl -s -H 'Authorization: Bearer %s' %s/v1/revocationSources\n", s.tokens[kiosk], http)
	fmt.Fprintf(w, "curl -s -H 'Authorization: Bearer %s' '%s/v1/devices:check?model=Pixel%%2010'\n", s.tokens[kiosk], http)
	fmt.Fprintf(w, "grpcurl -plaintext -H 'Authorization: Bearer %s' %s list\n", s.tokens[kiosk], grpc)
	fmt.Fprintf(w, "curl -s %s/openapi.json\n", http)
	fmt.Fprintln(w, "\n待ち受けています。終了は Ctrl-C / serving until Ctrl-C")
}
