package crl

import (
	"bytes"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// TestStrict: each rule of the profile is asked for by the strict judge, and by nobody else.
func TestStrict(t *testing.T) {
	a := theCA()
	set := func(id string, critical bool, value []byte) func(*listSpec) {
		return func(s *listSpec) { s.set(id, critical, value) }
	}
	entry := func(list ...extension) func(*listSpec) {
		return func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now, list...)) }
	}
	access := func(method string) []byte { return seq(seq(element(method), web)) }
	const caIssuers, ocsp = "1.3.6.1.5.5.7.48.2", "1.3.6.1.5.5.7.48.1"
	number := func(octets ...byte) func(*listSpec) {
		return set("2.5.29.20", false, wrap(2, octets))
	}
	for name, c := range map[string]struct {
		change func(*listSpec)
		want   []reason.ID
	}{
		"good_":                        {func(*listSpec) {}, nil},
		"good_number_of_20_octets":     {number(append([]byte{0}, bytes.Repeat([]byte{0xff}, 20)...)...), nil},
		"good_reason_unspecified":      {entry(because(Unspecified)), nil},
		"good_idp":                     {set("2.5.29.28", true, seq(flag(1))), nil},
		"good_freshest":                {set("2.5.29.46", false, points(fullName(web))), nil},
		"good_access":                  {set("1.3.6.1.5.5.7.1.1", false, access(caIssuers)), nil},
		"good_invalidity_date":         {entry(because(KeyCompromise), extension{"2.5.29.24", false, generalized(now)}), nil},
		"good_times_after_2049":        {func(s *listSpec) { s.next = generalized(now.AddDate(40, 0, 0)) }, nil},
		"good_revoked_after_2049":      {func(s *listSpec) { s.entries = seq(seq(integer(1), generalized(now.AddDate(40, 0, 0)))) }, nil},
		"bad_version_1":                {func(s *listSpec) { s.version, s.extensions = nil, nil }, []reason.ID{reason.CRLProfileViolated, reason.CRLNumberMissing}},
		"bad_no_key_id":                {func(s *listSpec) { s.drop("2.5.29.35") }, []reason.ID{reason.CRLProfileViolated}},
		"bad_key_id_by_issuer":         {set("2.5.29.35", false, seq(wrap(explicit(1), directory(a.cert.Subject)), wrap(tag(2), []byte{1}))), []reason.ID{reason.CRLProfileViolated}},
		"bad_key_id_critical":          {set("2.5.29.35", true, seq(wrap(tag(0), a.cert.SubjectKeyID))), []reason.ID{reason.CRLProfileViolated}},
		"bad_no_number":                {func(s *listSpec) { s.drop("2.5.29.20") }, []reason.ID{reason.CRLNumberMissing}},
		"bad_number_critical":          {set("2.5.29.20", true, integer(1)), []reason.ID{reason.CRLProfileViolated}},
		"bad_number_of_21_octets":      {number(bytes.Repeat([]byte{0x7f}, 21)...), []reason.ID{reason.CRLProfileViolated}},
		"bad_number_of_22_octets":      {number(bytes.Repeat([]byte{0x7f}, 22)...), []reason.ID{reason.CRLProfileViolated}},
		"bad_this_generalized":         {func(s *listSpec) { s.this = generalized(now.Add(-time.Hour)) }, []reason.ID{reason.CRLProfileViolated}},
		"bad_next_generalized":         {func(s *listSpec) { s.next = generalized(now.Add(time.Hour)) }, []reason.ID{reason.CRLProfileViolated}},
		"bad_revoked_generalized":      {func(s *listSpec) { s.entries = seq(seq(integer(1), generalized(now))) }, []reason.ID{reason.CRLProfileViolated}},
		"bad_entries_empty":            {func(s *listSpec) { s.entries = seq() }, []reason.ID{reason.CRLProfileViolated}},
		"bad_idp_not_critical":         {set("2.5.29.28", false, seq(flag(1))), []reason.ID{reason.CRLProfileViolated}},
		"bad_freshest_critical":        {set("2.5.29.46", true, points(fullName(web))), []reason.ID{reason.CRLProfileViolated}},
		"bad_freshest_reasons":         {set("2.5.29.46", false, points(join(fullName(web), ofReason(5, 0x60)))), []reason.ID{reason.CRLProfileViolated}},
		"bad_freshest_issuer":          {set("2.5.29.46", false, points(issuedBy(tsukuba))), []reason.ID{reason.CRLProfileViolated}},
		"bad_access_ocsp":              {set("1.3.6.1.5.5.7.1.1", false, access(ocsp)), []reason.ID{reason.CRLProfileViolated}},
		"bad_access_empty":             {set("1.3.6.1.5.5.7.1.1", false, seq()), []reason.ID{reason.CRLProfileViolated}},
		"bad_access_malformed":         {set("1.3.6.1.5.5.7.1.1", false, seq(integer(1))), []reason.ID{reason.CRLProfileViolated}},
		"bad_access_more_behind":       {set("1.3.6.1.5.5.7.1.1", false, append(access(caIssuers), 0)), []reason.ID{reason.CRLProfileViolated}},
		"bad_reason_critical":          {entry(extension{"2.5.29.21", true, []byte{10, 1, 1}}), []reason.ID{reason.CRLProfileViolated}},
		"bad_invalidity_date_critical": {entry(extension{"2.5.29.24", true, generalized(now)}), []reason.ID{reason.CRLProfileViolated}},
		"bad_certificate_issuer_not_crit": {func(s *listSpec) {
			s.set("2.5.29.28", true, seq(flag(4)))
			entry(extension{"2.5.29.29", false, seq(directory(tsukuba))})(s)
		}, []reason.ID{reason.CRLProfileViolated}},
		"bad_serial_twice": {func(s *listSpec) {
			s.entries = seq(revoke([]byte{1}, now), revoke([]byte{2}, now), revoke([]byte{1}, now))
		}, []reason.ID{reason.CRLProfileViolated}},
	} {
		s := a.conforming(nil, revoke([]byte{9}, now))
		c.change(s)
		l := signed{s, a}.list(t)
		strict := options(a)
		strict.Strict = true
		expect(t, name, ask(t, strict, a.issue(nil, nil), l), c.want...)
		expect(t, "good_", ask(t, options(a), a.issue(nil, nil), l))
	}

	o := options(a)
	o.Strict, o.MaxAge = true, 24*time.Hour
	endless := a.conforming(nil)
	endless.next = nil
	expect(t, "bad_", ask(t, o, a.issue(nil, nil), signed{endless, a}.list(t)), reason.CRLNextUpdateMissing)

	// A same serial number of two issuers is not one listed twice.
	s := a.conforming(nil, revoke([]byte{1}, now), revoke([]byte{1}, now, extension{"2.5.29.29", true, seq(directory(tsukuba))}))
	s.set("2.5.29.28", true, seq(flag(4)))
	expect(t, "good_", ask(t, o, a.issue(nil, nil), signed{s, a}.list(t)))

	nameless := newAuthority(ecKey(), seq(), nil)
	l := signed{nameless.conforming(nil), nameless}.list(t)
	expect(t, "bad_", ask(t, func() CheckOptions { o := options(nameless); o.Strict = true; return o }(), nameless.issue(nil, nil), l), reason.CRLProfileViolated)
	expect(t, "good_", ask(t, options(nameless), nameless.issue(nil, nil), l))

	// Deltas: a stale complete list is good with a delta, if the delta is.
	delta := func(change func(*listSpec)) *List {
		s := a.conforming(nil)
		s.set("2.5.29.20", false, integer(301))
		s.set("2.5.29.27", true, integer(300))
		change(s)
		return signed{s, a}.list(t)
	}
	s = a.conforming(nil)
	s.next = utc(now.Add(-time.Minute))
	stale := signed{s, a}.list(t)
	o = options(a)
	o.Strict = true
	expect(t, "good_", ask(t, o, a.issue(nil, nil), stale, delta(func(*listSpec) {})))
	for _, change := range []func(*listSpec){
		set("2.5.29.27", false, integer(300)), set("2.5.29.46", false, points(fullName(web))),
	} {
		expect(t, "bad_", ask(t, o, a.issue(nil, nil), stale, delta(change)), reason.CRLProfileViolated, reason.CRLStale)
		expect(t, "good_", ask(t, options(a), a.issue(nil, nil), stale, delta(change)))
	}
}
