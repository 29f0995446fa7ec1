package crl

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// signed is a list with who signs it.
type signed struct {
	*listSpec
	by *authority
}

func (s signed) list(t testing.TB) *List {
	t.Helper()
	l, err := Parse(s.sign(s.by.key))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// options are those of most tests, with these authorities believed.
func options(believed ...*authority) CheckOptions {
	return CheckOptions{At: now, Allow: allowed, Signers: func(l *List) (out []Signer) {
		for _, a := range believed {
			if a.cert.Subject.Equal(l.Issuer) {
				out = append(out, Signer{a.cert, a.public})
			}
		}
		return out
	}}
}

// ask asks for a status, with the lists in every rotation and its reverse: the answer must not depend on it.
func ask(t testing.TB, o CheckOptions, c *pkix.Certificate, lists ...*List) Result {
	t.Helper()
	first := NewChecker(lists, o).Status(c)
	if (first.Status == Unknown) != (len(first.Findings) > 0) || first.Status == Unknown && !first.ThisUpdate.IsZero() {
		t.Errorf("%+v", first)
	}
	slices.Sort(first.Findings)
	lists = slices.Clone(lists)
	for range lists {
		for range 2 {
			slices.Reverse(lists)
			again := NewChecker(lists, o).Status(c)
			slices.Sort(again.Findings)
			if again.Status != first.Status || again.Reason != first.Reason || !again.ThisUpdate.Equal(first.ThisUpdate) || !slices.Equal(again.Findings, first.Findings) {
				t.Errorf("%+v and, in another order, %+v", first, again)
			}
		}
		lists = append(lists[1:], lists[0])
	}
	return first
}

// expect holds a result against what the name of a case says: good_, hold_, revoked_, else unknown for one reason.
func expect(t testing.TB, name string, got Result, want ...reason.ID) {
	t.Helper()
	status := Unknown
	for prefix, s := range map[string]Status{"good_": Good, "hold_": OnHold, "revoked_": Revoked} {
		if strings.HasPrefix(name, prefix) {
			status = s
		}
	}
	if status == Unknown && !strings.HasPrefix(name, "bad_") {
		t.Fatalf("%s: the name does not say what is expected", name)
	}
	slices.Sort(want)
	if got.Status != status || !slices.Equal(got.Findings, want) {
		t.Errorf("%s: %v %v, want %v %v", name, got.Status, got.Findings, status, want)
	}
}

var (
	web      = uri("http://crl.example/1")
	other    = uri("http://crl.example/2")
	allBits  = []byte{7, 0x7f, 0x80}
	flag     = func(n uint8) []byte { return wrap(tag(n), flagTrue) }
	bitsOf   = func(content ...byte) []byte { return wrap(tag(3), content) }
	ofReason = func(content ...byte) []byte { return wrap(tag(1), content) }
	issuedBy = func(n pkix.Name) []byte { return wrap(explicit(2), directory(n)) }
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func asCA(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }

// serial is that of issue's certificates.
var serial = []byte{0x12, 0x67}

// TestStatus: one list and one certificate. Names are from BoringSSL's crl_unittest where it has the case.
func TestStatus(t *testing.T) {
	a := theCA()
	idp := func(parts ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.28", true, seq(parts...)) }
	}
	entry := func(list ...extension) func(*listSpec) {
		return func(s *listSpec) {
			s.entries = seq(revoke([]byte{1}, now), revoke(serial, now, list...), revoke([]byte{2}, now))
		}
	}
	bare := func(s *listSpec) { s.extensions = nil }
	v1 := func(s *listSpec) { s.version, s.extensions = nil, nil }
	week := func(o *CheckOptions) { o.MaxAge = 7 * 24 * time.Hour }
	at := points(fullName(web))
	for name, c := range map[string]struct {
		change  func(*listSpec)
		points  []byte
		subject func(*x509.Certificate)
		options func(*CheckOptions)
		want    []reason.ID
	}{
		"good_":                    {},
		"good_no_extensions":       {change: bare},
		"good_no_version":          {change: v1},
		"good_no_number":           {change: func(s *listSpec) { s.drop("2.5.29.20") }},
		"good_number_critical":     {change: func(s *listSpec) { s.set("2.5.29.20", true, integer(7)) }},
		"good_issuer_name":         {change: func(s *listSpec) { s.issuer = name(strings.ToUpper(caName)) }},
		"good_no_nextupdate":       {change: func(s *listSpec) { s.next = nil }, options: week},
		"good_fake_extension":      {change: func(s *listSpec) { s.set("1.2.3", false, nil) }},
		"good_generalizedtime":     {change: func(s *listSpec) { s.this, s.next = generalized(now), generalized(now.Add(time.Hour)) }},
		"good_empty_entries":       {change: func(s *listSpec) { s.entries = seq() }},
		"good_freshest_critical":   {change: func(s *listSpec) { s.set("2.5.29.46", true, points(fullName(web))) }},
		"good_idp_absent":          {points: at},
		"good_idp_not_critical":    {change: func(s *listSpec) { s.set("2.5.29.28", false, seq(fullName(web))) }, points: at},
		"good_idp_contains_uri":    {change: idp(fullName(wrap(tag(1), []byte("foo@example.com")), other, web, uri("http://z"))), points: at},
		"good_idp_user":            {change: idp(flag(1))},
		"good_idp_ca":              {change: idp(flag(2)), subject: asCA},
		"good_idp_uri_and_user":    {change: idp(fullName(web), flag(1)), points: at},
		"good_idp_uri_and_ca":      {change: idp(fullName(web), flag(2)), points: at, subject: asCA},
		"good_idp_all_reasons":     {change: idp(fullName(web), bitsOf(allBits...)), points: at},
		"good_idp_and_unused":      {change: idp(fullName(web), bitsOf(7, 0xff, 0x80)), points: at},
		"good_idp_indirect":        {change: idp(fullName(web), flag(4)), points: at}, // BoringSSL and limbo refuse what they do not implement; PKITS 4.14.22
		"good_idp_issuer":          {change: idp(fullName(directory(a.cert.Subject)))},
		"good_idp_issuer_other_dp": {change: idp(fullName(directory(a.cert.Subject))), points: at},
		"good_dp_reasons":          {points: points(join(fullName(web), ofReason(5, 0x60)))},
		"good_dp_crlissuer":        {points: points(join(fullName(web), issuedBy(tsukuba)))}, // section 6.3.3 at its end; BoringSSL refuses
		"good_dp_all_reasons":      {change: idp(fullName(web)), points: points(join(fullName(web), ofReason(allBits...)))},
		"good_two_dps":             {change: idp(fullName(web)), points: points(join(fullName(web), ofReason(5, 0x60)), join(fullName(web), ofReason(7, 0x1f, 0x80)))},
		"good_relative":            {change: idp(relative("x")), points: points(relative("X"))},
		"good_relative_whole":      {change: idp(relative("x")), points: points(fullName(directory(name("CN=x," + caName))))},
		"good_whole_relative":      {change: idp(fullName(directory(name("CN=x," + caName)))), points: points(relative("x"))},
		"good_within_skew":         {change: func(s *listSpec) { s.this, s.next = utc(now.Add(-2*time.Hour)), utc(now.Add(-time.Hour)) }, options: func(o *CheckOptions) { o.Skew = time.Hour }},

		"revoked_":                      {change: entry()},
		"revoked_no_nextupdate":         {change: func(s *listSpec) { s.next = nil; entry()(s) }, options: week},
		"revoked_fake_entry_extension":  {change: entry(extension{"1.2.3", false, nil})},
		"revoked_generalized":           {change: func(s *listSpec) { s.entries = seq(seq(wrap(2, serial), generalized(now))) }},
		"revoked_in_future":             {change: func(s *listSpec) { s.entries = seq(revoke(serial, now.AddDate(1, 0, 0))) }},
		"revoked_reason_outside_of_idp": {change: func(s *listSpec) { idp(bitsOf(6, 0x40))(s); entry(because(Superseded))(s) }},
		"revoked_hold_and_revocation":   {change: func(s *listSpec) { s.entries = seq(revoke(serial, now, because(CertificateHold)), revoke(serial, now)) }},
		"hold_":                         {change: entry(because(CertificateHold))},

		"bad_none":                    {change: func(s *listSpec) { s.issuer = name("O=somebody") }, want: []reason.ID{reason.CRLMissing}},
		"bad_fake_critical_extension": {change: func(s *listSpec) { s.set("1.2.3", true, nil); entry()(s) }, want: []reason.ID{reason.CRLUnknownCriticalExtension}},
		"bad_issueraltname_critical":  {change: func(s *listSpec) { s.set("2.5.29.18", true, seq(web)) }, want: []reason.ID{reason.CRLUnknownCriticalExtension}},
		"bad_authorityinfo_critical":  {change: func(s *listSpec) { s.set("1.3.6.1.5.5.7.1.1", true, seq(seq(element("1.3.6.1.5.5.7.48.2"), web))) }, want: []reason.ID{reason.CRLUnknownCriticalExtension}},
		"bad_fake_critical_other_entry": {change: func(s *listSpec) {
			s.entries = seq(revoke(serial, now), revoke([]byte{1}, now, extension{"1.2.3", true, nil}))
		}, want: []reason.ID{reason.CRLUnknownCriticalExtension}},
		"bad_thisupdate_in_future":         {change: func(s *listSpec) { s.this = utc(now.Add(time.Second)) }, want: []reason.ID{reason.CRLNotYetValid}},
		"bad_thisupdate_too_old":           {change: func(s *listSpec) { s.this = utc(now.AddDate(0, 0, -8)) }, options: week, want: []reason.ID{reason.CRLTooOld}},
		"bad_nextupdate_too_old":           {change: func(s *listSpec) { s.next = utc(now.Add(-time.Second)) }, want: []reason.ID{reason.CRLStale}},
		"bad_no_nextupdate":                {change: func(s *listSpec) { s.next = nil }, want: []reason.ID{reason.CRLNextUpdateMissing}},
		"bad_nextupdate_before_thisupdate": {change: func(s *listSpec) { s.next = s.this }, options: func(o *CheckOptions) { o.Skew = 2 * time.Hour }, want: []reason.ID{reason.CRLFormatFailure}},
		"bad_remove_from_complete":         {change: entry(because(RemoveFromCRL)), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_certificate_issuer":           {change: entry(extension{"2.5.29.29", true, seq(directory(tsukuba))}), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_idp_wrong_uri":                {change: idp(fullName(uri("http://crl.example/1X"))), points: at, want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_uri_in_capitals":          {change: idp(fullName(uri("HTTP://crl.example/1"))), points: at, want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_uri_no_dp":                {change: idp(fullName(web)), want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_relative_no_dp":           {change: idp(relative("x")), want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_user":                     {change: idp(flag(1)), subject: asCA, want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_ca":                       {change: idp(flag(2)), want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_attributes":               {change: idp(flag(5)), want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_uri_and_user":             {change: idp(fullName(web), flag(1)), points: at, subject: asCA, want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_uri_and_ca":               {change: idp(fullName(web), flag(2)), points: at, want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_some_reasons":             {change: idp(bitsOf(6, 0x40)), want: []reason.ID{reason.CRLReasonsPartial}},
		"bad_idp_all_reasons_but_one":      {change: idp(bitsOf(0, 0x7f)), want: []reason.ID{reason.CRLReasonsPartial}},
		"bad_idp_no_reasons":               {change: idp(bitsOf(0)), want: []reason.ID{reason.CRLScopeMismatch}},
		"bad_idp_empty":                    {change: idp(), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_idp_user_and_ca":              {change: idp(flag(1), flag(2)), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_idp_user_and_attributes":      {change: idp(flag(1), flag(5)), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_idp_relative_no_rdn":          {change: idp(wrap(explicit(0), wrap(explicit(1), integer(1)))), want: []reason.ID{reason.CRLFormatFailure}},
		"bad_dp_reasons":                   {change: idp(fullName(web)), points: points(join(fullName(web), ofReason(5, 0x60))), want: []reason.ID{reason.CRLReasonsPartial}},
		"bad_dp_and_idp_reasons_disjoint":  {change: idp(fullName(web), bitsOf(6, 0x40)), points: points(join(fullName(web), ofReason(5, 0x20))), want: []reason.ID{reason.CRLScopeMismatch}},
		"good_dp_crlissuer_itself":         {change: idp(fullName(web)), points: points(join(fullName(web), issuedBy(a.cert.Subject)))},
		"bad_signature_other_bits":         {change: func(s *listSpec) { s.algorithm = seq(element("1.2.840.10045.4.3.3")) }, want: []reason.ID{reason.CRLAlgorithmRefused}},
		"bad_no_algorithm_allowed":         {options: func(o *CheckOptions) { o.Allow = nil }, want: []reason.ID{reason.CRLAlgorithmRefused}},
		"bad_nobody_believed":              {options: func(o *CheckOptions) { o.Signers = func(*List) []Signer { return nil } }, want: []reason.ID{reason.CRLSignerUnconfirmed}},
		"bad_nobody_asked":                 {options: func(o *CheckOptions) { o.Signers = nil }, want: []reason.ID{reason.CRLSignerUnconfirmed}},
	} {
		s := a.conforming(nil, revoke([]byte{1}, now))
		if c.change != nil {
			c.change(s)
		}
		o := options(a)
		if c.options != nil {
			c.options(&o)
		}
		cert := a.issue(c.points, c.subject)
		if !bytes.Equal(cert.SerialNumber, serial) {
			t.Fatal("wrong serial number")
		}
		expect(t, name, ask(t, o, cert, signed{s, a}.list(t)), c.want...)
	}
}

// TestVersion1CertificateNotUserNorCA: a list of users or CAs says nothing of version 1.
func TestVersion1CertificateNotUserNorCA(t *testing.T) {
	a := theCA()
	c := *a.issue(nil, nil)
	c.Version, c.Extensions = 1, pkix.Extensions{}
	s := a.conforming(nil)
	expect(t, "good_", ask(t, options(a), &c, signed{s, a}.list(t)))
	for _, kind := range []uint8{1, 2} {
		s.set("2.5.29.28", true, seq(flag(kind)))
		expect(t, "bad_", ask(t, options(a), &c, signed{s, a}.list(t)), reason.CRLScopeMismatch)
	}
}

// TestSigners: whose signature counts, and whose does not.
func TestSigners(t *testing.T) {
	a := theCA()
	noUsage := newAuthority(ecKey(), name(caName), func(c *x509.Certificate) { c.KeyUsage = 0 })
	mayNot := newAuthority(ecKey(), name(caName), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	rolled := newAuthority(otherECKey(), name(caName), nil)
	asRSA := newAuthority(rsaKey(), name(caName), nil)
	stranger := newAuthority(otherECKey(), name("O=somebody"), nil)
	silent := func(s *listSpec) { s.drop("2.5.29.35") }
	claims := func(id []byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.35", false, seq(wrap(tag(0), id))) }
	}
	for name, c := range map[string]struct {
		signs    *authority
		believed []*authority
		change   func(*listSpec)
		want     []reason.ID
	}{
		"good_":                      {signs: a, believed: []*authority{a}},
		"good_no_key_usage":          {signs: noUsage, believed: []*authority{noUsage}},
		"good_key_rollover":          {signs: rolled, believed: []*authority{a, rolled}},
		"good_key_rollover_silent":   {signs: rolled, believed: []*authority{a, rolled}, change: silent},
		"good_other_key_claimed":     {signs: a, believed: []*authority{rolled, a}, change: claims(rolled.cert.SubjectKeyID)},
		"good_unknown_key_claimed":   {signs: a, believed: []*authority{a}, change: claims([]byte{1})},
		"good_other_kind_of_key":     {signs: rolled, believed: []*authority{asRSA, rolled}, change: silent},
		"bad_signer_may_not":         {signs: mayNot, believed: []*authority{mayNot}, want: []reason.ID{reason.CRLSignerNotAllowed}},
		"bad_signer_may_not_others":  {signs: mayNot, believed: []*authority{mayNot, rolled}, want: []reason.ID{reason.CRLSignerNotAllowed}},
		"bad_signature":              {signs: rolled, believed: []*authority{a}, change: claims(a.cert.SubjectKeyID), want: []reason.ID{reason.CRLSignatureInvalid}},
		"bad_signature_silent":       {signs: rolled, believed: []*authority{a}, change: silent, want: []reason.ID{reason.CRLSignatureInvalid}},
		"bad_key_not_confirmed":      {signs: rolled, believed: []*authority{a}, want: []reason.ID{reason.CRLSignerUnconfirmed}},
		"bad_algorithm_does_not_fit": {signs: rolled, believed: []*authority{asRSA}, change: silent, want: []reason.ID{reason.CRLAlgorithmRefused}},
		"bad_other_name":             {signs: stranger, believed: []*authority{stranger}, want: []reason.ID{reason.CRLSignerUnconfirmed}},
	} {
		s := c.signs.conforming(nil)
		s.issuer = a.cert.Subject
		if c.change != nil {
			c.change(s)
		}
		o := options()
		o.Signers = func(*List) (out []Signer) { // all of them, whatever their names
			out = append(out, Signer{})
			for _, b := range c.believed {
				out = append(out, Signer{b.cert, b.public})
			}
			return out
		}
		expect(t, name, ask(t, o, a.issue(nil, nil), signed{s, c.signs}.list(t)), c.want...)
	}
}

// TestSignersAskedOnce: and the signature checked once, however many certificates are asked for; lists that are not
// wanted cost nothing.
func TestSignersAskedOnce(t *testing.T) {
	a := theCA()
	stale := a.conforming(nil)
	stale.next = utc(now.Add(-time.Minute))
	lists := []*List{
		signed{a.conforming(nil), a}.list(t), signed{stale, a}.list(t),
		signed{a.conforming(tsukuba), a}.list(t), signed{newAuthority(otherECKey(), name("O=x"), nil).conforming(nil), a}.list(t),
	}
	asked := map[*List]int{}
	o := options(a)
	believed := o.Signers
	o.Signers = func(l *List) []Signer { asked[l]++; return believed(l) }
	k := NewChecker(lists, o)
	for range 3 {
		expect(t, "good_", k.Status(a.issue(nil, nil)))
		clear(lists[0].Signature) // not looked at again
	}
	if len(asked) != 1 || asked[lists[0]] != 1 {
		t.Errorf("asked %v", asked)
	}
}

// TestSignerAskedForHimself: who looks for the signer may ask for the signer's own status, which is not known while
// he is looked for.
func TestSignerAskedForHimself(t *testing.T) {
	a := theCA()
	var k *Checker
	var inner Result
	o := options(a)
	believed := o.Signers
	o.Signers = func(l *List) []Signer { inner = k.Status(a.cert); return believed(l) }
	k = NewChecker([]*List{signed{a.conforming(nil), a}.list(t)}, o)
	expect(t, "good_", k.Status(a.issue(nil, nil)))
	expect(t, "bad_", inner, reason.CRLSignerUnconfirmed)
}

// TestNewestWins: of the lists of one scope and key that are within their times, the last is meant.
func TestNewestWins(t *testing.T) {
	a := theCA()
	rolled := newAuthority(otherECKey(), name(caName), nil)
	make := func(number int64, at time.Time, entries ...[]byte) signed {
		s := a.conforming(nil, entries...)
		s.set("2.5.29.20", false, integer(number))
		s.this = utc(at)
		return signed{s, a}
	}
	with := func(s signed, change func(*listSpec)) signed { change(s.listSpec); return s }
	hold, gone := revoke(serial, now, because(CertificateHold)), revoke(serial, now)
	early, late := now.Add(-3*time.Hour), now.Add(-2*time.Hour)
	for name, c := range map[string]struct {
		lists []signed
		want  []reason.ID
	}{
		"good_hold_released":             {lists: []signed{make(1, early, hold), make(2, late)}},
		"good_released_same_time":        {lists: []signed{make(1, late, hold), make(2, late)}},
		"good_released_same_number":      {lists: []signed{make(2, early, hold), make(2, late)}},
		"hold_set":                       {lists: []signed{make(1, early), make(2, late, hold)}},
		"hold_no_numbers":                {lists: []signed{with(make(1, early), func(s *listSpec) { s.drop("2.5.29.20") }), make(2, late, hold)}},
		"revoked_both":                   {lists: []signed{make(1, early, hold), make(2, late, gone)}},
		"revoked_undecided":              {lists: []signed{make(2, early, gone), make(1, late)}}, // later by one, earlier by the other: both count
		"hold_same":                      {lists: []signed{make(2, late, hold), make(2, late)}},
		"hold_older_of_other_scope":      {lists: []signed{with(make(1, early, hold), func(s *listSpec) { s.set("2.5.29.28", true, seq(flag(1))) }), make(2, late)}},
		"good_older_ran_out":             {lists: []signed{with(make(1, early, hold), func(s *listSpec) { s.next = utc(late) }), make(2, late)}},
		"good_newer_ran_out":             {lists: []signed{make(1, early), with(make(2, late, hold), func(s *listSpec) { s.next = utc(now.Add(-time.Minute)) })}}, // as RFC 5280 has it
		"good_newer_forged":              {lists: []signed{make(1, early), {make(2, late, gone).listSpec, rolled}}},
		"hold_newer_forged":              {lists: []signed{make(1, early, hold), {make(2, late).listSpec, rolled}}},
		"good_newer_has_unknown":         {lists: []signed{make(1, early), with(make(2, late), func(s *listSpec) { s.set("1.2.3", true, nil) })}},
		"hold_other_key_does_not_revoke": {lists: []signed{make(1, early, hold), {rolled.conforming(nil), rolled}}},
	} {
		var lists []*List
		for _, s := range c.lists {
			lists = append(lists, s.list(t))
		}
		believed := []*authority{a}
		if strings.Contains(name, "other_key") {
			believed = append(believed, rolled)
		}
		expect(t, name, ask(t, options(believed...), a.issue(nil, nil), lists...), c.want...)
	}
}

// TestReasonsAccumulate: RFC 5280 section 6.3.3 (d), (e), (l).
func TestReasonsAccumulate(t *testing.T) {
	a := theCA()
	scoped := func(idp []byte, entries ...[]byte) *List {
		s := a.conforming(nil, entries...)
		s.set("2.5.29.28", true, seq(idp))
		return signed{s, a}.list(t)
	}
	keys, rest := bitsOf(5, 0x60), bitsOf(7, 0x1f, 0x80)
	hold, gone := revoke(serial, now, because(CertificateHold)), revoke(serial, now)
	both := points(join(fullName(web), ofReason(5, 0x60)), join(fullName(other), ofReason(7, 0x1f, 0x80)))
	for name, c := range map[string]struct {
		points []byte
		lists  []*List
		want   []reason.ID
	}{
		"good_two_lists":          {nil, []*List{scoped(keys), scoped(rest)}, nil},
		"good_two_points":         {both, []*List{scoped(join(fullName(web), keys)), scoped(join(fullName(other), rest))}, nil},
		"good_points_suffice":     {both, []*List{scoped(fullName(web)), scoped(fullName(other))}, nil},
		"good_overlap":            {nil, []*List{scoped(keys), scoped(bitsOf(allBits...))}, nil},
		"bad_first_only":          {both, []*List{scoped(join(fullName(web), keys))}, []reason.ID{reason.CRLReasonsPartial}},
		"bad_same_twice":          {nil, []*List{scoped(keys), scoped(keys)}, []reason.ID{reason.CRLReasonsPartial}},
		"bad_points_crossed":      {both, []*List{scoped(join(fullName(web), rest)), scoped(join(fullName(other), keys))}, []reason.ID{reason.CRLScopeMismatch}},
		"revoked_first":           {nil, []*List{scoped(keys, gone), scoped(rest)}, nil},
		"revoked_second":          {nil, []*List{scoped(keys), scoped(rest, gone)}, nil},
		"revoked_though_partial":  {nil, []*List{scoped(keys, gone)}, nil},
		"hold_though_partial":     {nil, []*List{scoped(rest, hold)}, nil},
		"revoked_graver_of_two":   {nil, []*List{scoped(keys, gone), scoped(rest, hold)}, nil},
		"revoked_beyond_complete": {nil, []*List{signed{a.conforming(nil), a}.list(t), scoped(keys, gone)}, nil},
	} {
		expect(t, name, ask(t, options(a), a.issue(c.points, nil), c.lists...), c.want...)
	}
	// What is missing is said besides.
	s := a.conforming(nil)
	s.set("2.5.29.28", true, seq(rest))
	s.next = utc(now.Add(-time.Minute))
	expect(t, "bad_", ask(t, options(a), a.issue(nil, nil), scoped(keys), signed{s, a}.list(t)), reason.CRLReasonsPartial, reason.CRLStale)
}

// TestResult: what a status rests on is told.
func TestResult(t *testing.T) {
	a := theCA()
	when := now.Add(-30 * time.Hour)
	r := ask(t, options(a), a.issue(nil, nil), signed{a.conforming(nil, revoke(serial, when, because(KeyCompromise))), a}.list(t))
	if r.Reason != KeyCompromise || !r.RevocationTime.Equal(when) || !r.ThisUpdate.Equal(now.Add(-time.Hour)) || !r.NextUpdate.Equal(now.Add(23*time.Hour)) || r.Status.String() != "revoked" {
		t.Errorf("%+v", r)
	}
	first, second := a.conforming(nil), a.conforming(nil)
	first.set("2.5.29.28", true, seq(bitsOf(5, 0x60)))
	second.set("2.5.29.28", true, seq(bitsOf(7, 0x1f, 0x80)))
	first.this, second.next = utc(now.Add(-2*time.Hour)), utc(now.Add(time.Hour))
	r = ask(t, options(a), a.issue(nil, nil), signed{first, a}.list(t), signed{second, a}.list(t))
	if r.Status != Good || !r.ThisUpdate.Equal(now.Add(-2*time.Hour)) || !r.NextUpdate.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", r)
	}
}

// TestSerialsOfOtherIssuers: a serial number means nothing under another's name.
func TestSerialsOfOtherIssuers(t *testing.T) {
	a, b := theCA(), newAuthority(otherECKey(), name("O=somebody"), nil)
	lists := []*List{signed{a.conforming(nil), a}.list(t), signed{b.conforming(nil, revoke(serial, now)), b}.list(t)}
	expect(t, "good_", ask(t, options(a, b), a.issue(nil, nil), lists...))
	expect(t, "revoked_", ask(t, options(a, b), b.issue(nil, nil), lists...))
	expect(t, "bad_", ask(t, options(a, b), a.issue(nil, nil)), reason.CRLMissing)
	expect(t, "bad_", ask(t, options(a, b), a.issue(nil, nil), lists[1]), reason.CRLMissing)
}
