package crl

import (
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// TestDeltas: RFC 5280 sections 5.2.4 and 6.3.3 (c), (h), (i), (j), (k).
func TestDeltas(t *testing.T) {
	a, rolled := theCA(), newAuthority(otherECKey(), name(caName), nil)
	early, late := now.Add(-3*time.Hour), now.Add(-2*time.Hour)
	complete := func(number int64, entries ...[]byte) *listSpec {
		s := a.conforming(nil, entries...)
		s.set("2.5.29.20", false, integer(number))
		s.this = utc(early)
		return s
	}
	delta := func(base, number int64, entries ...[]byte) *listSpec {
		s := complete(number, entries...)
		s.set("2.5.29.27", true, integer(base))
		s.this = utc(late)
		return s
	}
	with := func(s *listSpec, changes ...func(*listSpec)) *listSpec {
		for _, change := range changes {
			change(s)
		}
		return s
	}
	drop := func(id string) func(*listSpec) { return func(s *listSpec) { s.drop(id) } }
	idp := func(parts ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.28", true, seq(parts...)) }
	}
	keyID := func(content ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.35", false, seq(content...)) }
	}
	stale := func(s *listSpec) { s.next = utc(now.Add(-time.Minute)) }
	future := func(s *listSpec) { s.this = utc(now.Add(time.Minute)) }
	endless := func(s *listSpec) { s.next = nil }
	hold, gone, removed := revoke(serial, early, because(CertificateHold)), revoke(serial, late, because(KeyCompromise)), revoke(serial, late, because(RemoveFromCRL))
	for name, c := range map[string]struct {
		lists []*listSpec
		other int // how many of the last are signed by the other key
		want  []reason.ID
	}{
		"good_nothing_new":              {lists: []*listSpec{complete(1), delta(1, 2)}},
		"revoked_by_delta":              {lists: []*listSpec{complete(1), delta(1, 2, gone)}},
		"hold_by_delta":                 {lists: []*listSpec{complete(1), delta(1, 2, hold)}},
		"revoked_by_complete":           {lists: []*listSpec{complete(1, gone), delta(1, 2)}},
		"revoked_hold_becomes":          {lists: []*listSpec{complete(1, hold), delta(1, 2, gone)}},
		"good_hold_removed":             {lists: []*listSpec{complete(1, hold), delta(1, 2, removed)}},
		"good_removed_what_was_not":     {lists: []*listSpec{complete(1), delta(1, 2, removed)}},
		"revoked_cannot_be_removed":     {lists: []*listSpec{complete(1, gone), delta(1, 2, removed)}},
		"revoked_removed_and_revoked":   {lists: []*listSpec{complete(1, hold), delta(1, 2, removed, gone)}},
		"hold_removed_and_held":         {lists: []*listSpec{complete(1), delta(1, 2, removed, hold)}},
		"good_released_in_last_delta":   {lists: []*listSpec{complete(1), delta(1, 2, hold), with(delta(1, 3, removed), func(s *listSpec) { s.this = utc(late.Add(time.Minute)) })}},
		"hold_set_in_last_delta":        {lists: []*listSpec{complete(1), delta(1, 2, removed), delta(1, 3, hold)}},
		"good_complete_is_later":        {lists: []*listSpec{with(complete(3), func(s *listSpec) { s.this = utc(late) }), delta(1, 2, hold)}},
		"good_complete_is_same":         {lists: []*listSpec{with(complete(2), func(s *listSpec) { s.this = utc(late) }), delta(1, 2, hold)}},
		"good_complete_and_later_delta": {lists: []*listSpec{complete(1, hold), with(complete(3, hold), func(s *listSpec) { s.this = utc(late) }), with(delta(3, 4, removed), func(s *listSpec) { s.this = utc(late.Add(time.Minute)) })}},
		"revoked_base_between":          {lists: []*listSpec{complete(7), delta(5, 9, gone)}},
		"good_base_of_later":            {lists: []*listSpec{complete(4), delta(5, 9, gone)}},
		"good_big_numbers":              {lists: []*listSpec{complete(255), delta(256, 300, gone)}},
		"revoked_freshest_critical":     {lists: []*listSpec{with(complete(1), func(s *listSpec) { s.set("2.5.29.46", true, points(fullName(web))) }), delta(1, 2, gone)}},
		"revoked_delta_not_critical":    {lists: []*listSpec{complete(1), with(delta(1, 2, gone), func(s *listSpec) { s.set("2.5.29.27", false, integer(1)) })}},
		"revoked_same_scope":            {lists: []*listSpec{with(complete(1), idp(relative("x"), flag(1))), with(delta(1, 2, gone), idp(fullName(directory(xName)), flag(1)))}},
		"revoked_key_id_and_issuer":     {lists: []*listSpec{complete(1), with(delta(1, 2, gone), keyID(wrap(tag(0), a.cert.SubjectKeyID), wrap(explicit(1), directory(a.cert.Subject)), wrap(tag(2), []byte{1})))}},
		"revoked_no_key_ids":            {lists: []*listSpec{with(complete(1), drop("2.5.29.35")), with(delta(1, 2, gone), drop("2.5.29.35"))}},
		"good_stale_but_delta":          {lists: []*listSpec{with(complete(1), stale), delta(1, 2)}},
		"revoked_stale_but_delta":       {lists: []*listSpec{with(complete(1, gone), stale), delta(1, 2)}},
		"good_endless_but_delta":        {lists: []*listSpec{with(complete(1), endless), delta(1, 2)}},
		// A delta that cannot be used leaves a complete list as it is.
		"good_delta_stale":               {lists: []*listSpec{complete(1), with(delta(1, 2, gone), stale)}},
		"good_delta_endless":             {lists: []*listSpec{complete(1), with(delta(1, 2, gone), endless)}},
		"good_delta_in_future":           {lists: []*listSpec{complete(1), with(delta(1, 2, gone), future)}},
		"good_delta_has_unknown":         {lists: []*listSpec{complete(1), with(delta(1, 2, gone), func(s *listSpec) { s.set("1.2.3", true, nil) })}},
		"good_delta_other_key_id":        {lists: []*listSpec{complete(1), with(delta(1, 2, gone), keyID(wrap(tag(0), []byte{1})))}},
		"good_delta_without_key_id":      {lists: []*listSpec{complete(1), with(delta(1, 2, gone), drop("2.5.29.35"))}},
		"good_delta_other_key":           {lists: []*listSpec{complete(1), delta(1, 2, gone)}, other: 1},
		"good_delta_without_number":      {lists: []*listSpec{complete(1), with(delta(1, 2, gone), drop("2.5.29.20"))}},
		"good_complete_without_number":   {lists: []*listSpec{with(complete(1), drop("2.5.29.20")), delta(1, 2, gone)}},
		"good_delta_of_users":            {lists: []*listSpec{complete(1), with(delta(1, 2, gone), idp(flag(1)))}},
		"good_delta_of_all":              {lists: []*listSpec{with(complete(1), idp(flag(1))), delta(1, 2, gone)}},
		"bad_delta_alone":                {lists: []*listSpec{delta(1, 2)}, want: []reason.ID{reason.CRLIsDelta}},
		"bad_deltas_alone":               {lists: []*listSpec{delta(1, 2, gone), delta(1, 3)}, want: []reason.ID{reason.CRLIsDelta}},
		"bad_stale_and_base":             {lists: []*listSpec{with(complete(1), stale), delta(2, 3, gone)}, want: []reason.ID{reason.CRLBaseMismatch, reason.CRLStale}},
		"bad_stale_and_delta_before":     {lists: []*listSpec{with(complete(3), stale), delta(1, 2, gone)}, want: []reason.ID{reason.CRLStale}},
		"bad_stale_and_no_number":        {lists: []*listSpec{with(complete(1), stale), with(delta(1, 2), drop("2.5.29.20"))}, want: []reason.ID{reason.CRLNumberMissing, reason.CRLStale}},
		"bad_stale_without_number":       {lists: []*listSpec{with(complete(1), stale, drop("2.5.29.20")), delta(1, 2)}, want: []reason.ID{reason.CRLBaseMismatch, reason.CRLStale}},
		"bad_stale_and_other_key_id":     {lists: []*listSpec{with(complete(1), stale), with(delta(1, 2), keyID(wrap(tag(0), []byte{1})))}, want: []reason.ID{reason.CRLBaseMismatch, reason.CRLStale}},
		"bad_stale_and_other_key":        {lists: []*listSpec{with(complete(1), stale), delta(1, 2)}, other: 1, want: []reason.ID{reason.CRLBaseMismatch, reason.CRLStale}},
		"bad_both_stale":                 {lists: []*listSpec{with(complete(1), stale), with(delta(1, 2), stale)}, want: []reason.ID{reason.CRLStale}},
		"bad_future_despite_delta":       {lists: []*listSpec{with(complete(1), future), delta(1, 2)}, want: []reason.ID{reason.CRLNotYetValid}},
		"bad_stale_and_delta_of_users":   {lists: []*listSpec{with(complete(1), stale), with(delta(1, 2), idp(flag(1)))}, want: []reason.ID{reason.CRLStale}},
		"bad_delta_of_users_and_partial": {lists: []*listSpec{with(complete(1), idp(bitsOf(6, 0x40))), with(delta(1, 2), idp(flag(1)))}, want: []reason.ID{reason.CRLReasonsPartial}},
	} {
		var lists []*List
		for i, s := range c.lists {
			by := a
			if i >= len(c.lists)-c.other {
				by = rolled
			}
			lists = append(lists, signed{s, by}.list(t))
		}
		var at []byte
		if name == "revoked_same_scope" {
			at = points(relative("x"))
		}
		expect(t, name, ask(t, options(a, rolled), a.issue(at, nil), lists...), c.want...)
	}

	// The times are those of the delta; its signature counts, and nobody else's.
	lists := []*List{signed{with(complete(1), stale), a}.list(t), signed{delta(1, 2), a}.list(t)}
	if r := ask(t, options(a), a.issue(nil, nil), lists...); !r.ThisUpdate.Equal(late) || !r.NextUpdate.Equal(now.Add(23*time.Hour)) {
		t.Errorf("%+v", r)
	}
	o := options(a)
	o.MaxAge = 150 * time.Minute // the delta is two hours old, the complete list three
	expect(t, "good_", ask(t, o, a.issue(nil, nil), lists...))
	o.MaxAge = time.Hour
	expect(t, "bad_", ask(t, o, a.issue(nil, nil), lists...), reason.CRLTooOld, reason.CRLStale)
	lists[1] = signed{delta(1, 2), rolled}.list(t)
	expect(t, "bad_", ask(t, options(a), a.issue(nil, nil), lists...), reason.CRLSignatureInvalid, reason.CRLStale)
}

var xName = name("CN=X," + caName)

// TestIndirect: RFC 5280 sections 5.2.5, 5.3.3 and 6.3.3 (b).
func TestIndirect(t *testing.T) {
	a := theCA()
	publisher := newAuthority(otherECKey(), name("CN=publisher,C=JP"), nil)
	third := name("CN=third,C=JP")
	of := func(names ...[]byte) extension { return extension{"2.5.29.29", true, seq(names...)} }
	ours, theirs := of(directory(a.cert.Subject)), of(directory(third))
	entry := func(serial []byte, list ...extension) []byte { return revoke(serial, now, list...) }
	one := []byte{1}
	list := func(idp []byte, entries ...[]byte) *List {
		s := publisher.conforming(nil, entries...)
		if idp != nil {
			s.set("2.5.29.28", true, seq(idp))
		}
		return signed{s, publisher}.list(t)
	}
	indirect := flag(4)
	at := points(join(fullName(web), issuedBy(publisher.cert.Subject)))
	for name, c := range map[string]struct {
		points []byte
		list   *List
		want   []reason.ID
	}{
		"good_empty":                  {at, list(indirect), nil},
		"good_same_name":              {at, list(join(fullName(web), indirect)), nil},
		"good_entry_of_list_issuer":   {at, list(indirect, entry(serial)), nil},
		"good_entry_of_third":         {at, list(indirect, entry(one, theirs), entry(serial)), nil},
		"good_back_to_third":          {at, list(indirect, entry(one, ours), entry(one, theirs), entry(serial)), nil},
		"revoked_entry":               {at, list(indirect, entry(serial, ours)), nil},
		"revoked_sticky":              {at, list(indirect, entry(serial), entry(one, theirs), entry(serial), entry(one, ours), entry(one), entry(serial)), nil},
		"revoked_among_names":         {at, list(indirect, entry(serial, of(web, directory(third), directory(a.cert.Subject)))), nil},
		"revoked_by_other_letters":    {at, list(indirect, entry(serial, of(directory(name("ou=JPKI FOR user  authentication,O=jpki,C=jp"))))), nil},
		"revoked_gravest":             {at, list(indirect, entry(serial, ours, because(CertificateHold)), entry(serial, because(KeyCompromise)), entry(serial, because(CertificateHold))), nil},
		"hold_entry":                  {at, list(indirect, entry(serial, ours, because(CertificateHold)), entry(serial, theirs)), nil},
		"good_name_of_another_kind":   {at, list(indirect, entry(serial, of(web))), nil},
		"good_issuer_among_several":   {points(join(fullName(web), wrap(explicit(2), web, directory(third), directory(publisher.cert.Subject)))), list(indirect), nil},
		"good_no_name":                {points(issuedBy(publisher.cert.Subject)), list(indirect), nil},
		"good_name_of_crlissuer":      {points(issuedBy(publisher.cert.Subject)), list(join(fullName(web, directory(publisher.cert.Subject)), indirect)), nil},
		"good_relative_to_crlissuer":  {points(join(relative("x"), issuedBy(publisher.cert.Subject))), list(join(fullName(directory(name("CN=x,CN=publisher,C=JP"))), indirect)), nil},
		"good_second_point":           {points(fullName(web), join(fullName(web), issuedBy(publisher.cert.Subject))), list(indirect), nil},
		"bad_not_indirect":            {at, list(nil), []reason.ID{reason.CRLScopeMismatch}},
		"bad_not_indirect_named":      {at, list(fullName(web)), []reason.ID{reason.CRLScopeMismatch}},
		"bad_other_name":              {at, list(join(fullName(other), indirect)), []reason.ID{reason.CRLScopeMismatch}},
		"bad_name_not_of_crlissuer":   {points(issuedBy(publisher.cert.Subject)), list(join(fullName(web), indirect)), []reason.ID{reason.CRLScopeMismatch}},
		"bad_relative_to_own_issuer":  {points(join(relative("x"), issuedBy(publisher.cert.Subject))), list(join(fullName(directory(name("CN=x,"+caName))), indirect)), []reason.ID{reason.CRLScopeMismatch}},
		"bad_no_crlissuer":            {points(fullName(web)), list(join(fullName(web), indirect)), []reason.ID{reason.CRLMissing}},
		"bad_no_point":                {nil, list(indirect), []reason.ID{reason.CRLMissing}},
		"bad_other_crlissuer":         {points(join(fullName(web), issuedBy(third))), list(indirect), []reason.ID{reason.CRLMissing}},
		"bad_crlissuer_of_other_kind": {points(wrap(explicit(2), web)), list(join(fullName(web), indirect)), []reason.ID{reason.CRLMissing}},
		"bad_partial":                 {at, list(join(bitsOf(5, 0x60), indirect)), []reason.ID{reason.CRLReasonsPartial}},
		"revoked_partial":             {at, list(join(bitsOf(5, 0x60), indirect), entry(serial, ours)), nil},
	} {
		expect(t, name, ask(t, options(a, publisher), a.issue(c.points, nil), c.list), c.want...)
	}

	// An authority's own indirect list is also one of its own certificates.
	own := func(entries ...[]byte) *List {
		s := a.conforming(nil, entries...)
		s.set("2.5.29.28", true, seq(indirect))
		return signed{s, a}.list(t)
	}
	expect(t, "good_", ask(t, options(a), a.issue(nil, nil), own(entry(serial, theirs))))
	expect(t, "revoked_", ask(t, options(a), a.issue(nil, nil), own(entry(serial), entry(one, theirs))))
	expect(t, "revoked_", ask(t, options(a), a.issue(nil, nil), own(entry(one, theirs), entry(serial, ours))))

	// A certificate's issuer may be meant by his alternative name.
	c := *a.issue(at, nil)
	c.IssuerAltNames = []pkix.GeneralName{{Kind: pkix.URIName, Value: []byte("http://crl.example/1")}}
	expect(t, "revoked_", ask(t, options(a, publisher), &c, list(indirect, entry(serial, of(web)))))
	// And a list by his issuer that no point leads to may bear that name.
	s := a.conforming(nil)
	s.set("2.5.29.28", true, seq(fullName(web)))
	c.DistributionPoints = nil
	expect(t, "good_", ask(t, options(a), &c, signed{s, a}.list(t)))
}

// TestNoSecondReadingOfIssuers: however many entries a certificateIssuer governs, its names are compared once.
func TestNoSecondReadingOfIssuers(t *testing.T) {
	a := theCA()
	var names [][]byte
	for range 2000 {
		names = append(names, directory(tsukuba))
	}
	c := a.issue(nil, nil)
	allocations := func(governed int) float64 {
		entries := [][]byte{revoke(serial, now, extension{"2.5.29.29", true, seq(names...)})}
		entries = append(entries, slices.Repeat([][]byte{revoke(serial, now)}, governed)...)
		s := a.conforming(nil, entries...)
		s.set("2.5.29.28", true, seq(flag(4)))
		l := signed{s, a}.list(t)
		return testing.AllocsPerRun(1, func() { l.find(c) })
	}
	if one, many := allocations(0), allocations(2000); many > 1.01*one {
		t.Errorf("%v allocations for one entry, %v for 2000", one, many)
	}
}
