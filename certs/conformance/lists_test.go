package conformance

import (
	"fmt"
	"time"
)

// revocation gives every authority of the path a list, each with oddities of its own, and the
// certificates the distribution points that belong to them. All lists are of one kind or
// another of RFC 5280 section 5.
func (w *world) revocation(path []authority, leaf *certificate) (crls [][]byte) {
	for depth, issuer := range path {
		subject := leaf
		if depth+1 < len(path) {
			subject = &path[depth+1].certificate
		}
		if w.odd(2, "no list") {
			continue
		}
		l := revocationList{
			issuer: issuer.subject, signer: issuer.key,
			thisUpdate: worldTime.Add(-24 * time.Hour), nextUpdate: worldTime.Add(24 * time.Hour),
			extensions: []extension{authorityKeyID(issuer.key), crlNumber(10)},
		}
		switch {
		case w.odd(2, "list out of date"):
			l.nextUpdate = worldTime.Add(-time.Second)
		case w.odd(1, "list of tomorrow"):
			l.thisUpdate, l.nextUpdate = worldTime.Add(time.Hour), worldTime.Add(25*time.Hour)
		case w.odd(4, "list at its last second"):
			l.nextUpdate = worldTime
		case w.odd(1, "list signed by another key"):
			l.signer = keys()[20]
		case w.odd(6, "list's issuer restyled"):
			l.issuer = w.restyle(l.issuer)
		case w.odd(2, "list with an unknown critical extension"):
			l.extensions = append(l.extensions, unknown(true))
		}
		for range w.IntN(3) {
			l.entries = append(l.entries, entry{serial: w.nextSerial()})
		}
		if w.odd(2, "entry with an unknown critical extension") {
			l.entries = append(l.entries, entry{w.nextSerial(), []extension{unknown(true)}})
		}
		w.point(&l, subject, depth)
		if w.odd(6, "revoked") {
			e := entry{serial: subject.serial}
			if w.maybe(60) {
				e.extensions = []extension{reasonCode(pick(w, int64(1), 4, 5, 6))}
			}
			l.entries = append(l.entries, e)
		}
		switch {
		case w.odd(8, "delta"):
			crls = append(crls, w.delta(l, subject)...)
		case w.odd(6, "reasons apart"):
			crls = append(crls, w.someReasons(l)...)
		case w.odd(6, "indirect"):
			crls = append(crls, w.indirect(l, subject, issuer))
		default:
			crls = append(crls, l.der())
		}
	}
	w.Shuffle(len(crls), func(i, j int) { crls[i], crls[j] = crls[j], crls[i] })
	return crls
}

// point scopes a list, rightly or wrongly.
func (w *world) point(l *revocationList, subject *certificate, depth int) {
	here := append(w.authorityName(depth), printable(commonName, "list 1"))
	there := append(w.authorityName(depth), printable(commonName, "list 2"))
	if subject.v1 {
		return
	}
	switch n := w.IntN(100); {
	case n < 20:
		subject.extensions = append(subject.extensions, distributionPoints(here, nil))
		l.extensions = append(l.extensions, issuingPoint(here))
	case n < 25:
		subject.extensions = append(subject.extensions, distributionPoints(here, nil)) // a list of everything
	case n < 28:
		w.words = append(w.words, "list of another distribution point")
		subject.extensions = append(subject.extensions, distributionPoints(here, nil))
		l.extensions = append(l.extensions, issuingPoint(there))
	case n < 30:
		w.words = append(w.words, "list of a distribution point, certificate without")
		l.extensions = append(l.extensions, issuingPoint(here))
	case n < 33:
		w.words = append(w.words, "list's distribution point restyled")
		subject.extensions = append(subject.extensions, distributionPoints(here, nil))
		l.extensions = append(l.extensions, issuingPoint(w.restyle(here)))
	case n < 40:
		kind := pick(w, uint8(1), 1, 2, 5)
		w.words = append(w.words, fmt.Sprintf("list of certain certificates (%d)", kind))
		l.extensions = append(l.extensions, issuingPoint(nil, kind))
	}
}

// delta splits a list into a base and what came after it.
func (w *world) delta(base revocationList, subject *certificate) [][]byte {
	freshest := distributionPoints(append(name(nil), base.issuer...), nil)
	freshest.oid = "2.5.29.46"
	if !subject.v1 && !w.odd(20, "delta that nothing points to") {
		subject.extensions = append(subject.extensions, freshest)
	}
	delta := base
	delta.entries, delta.extensions = nil, nil
	for _, e := range base.extensions {
		if e.oid != crlNumber(0).oid {
			delta.extensions = append(delta.extensions, e)
		}
	}
	baseNumber, number := int64(10), int64(11)
	switch {
	case w.odd(10, "delta on a later base"):
		baseNumber, number = 11, 12
	case w.odd(10, "delta on an earlier base"):
		baseNumber = 9
	case w.odd(10, "delta before its base"):
		number, baseNumber = 9, 8
	}
	delta.extensions = append(delta.extensions, crlNumber(number), deltaOf(baseNumber))
	switch {
	case w.odd(20, "revoked in the delta"):
		delta.entries = []entry{{subject.serial, []extension{reasonCode(1)}}}
	case w.odd(25, "hold lifted in the delta"):
		base.entries = append([]entry{}, entry{subject.serial, []extension{reasonCode(6)}})
		delta.entries = []entry{{subject.serial, []extension{reasonCode(8)}}}
	}
	return [][]byte{base.der(), delta.der()}
}

// someReasons splits a list into two, each for some reasons; one of them may be missing.
func (w *world) someReasons(l revocationList) (all [][]byte) {
	first, second := []byte{6, 0b0100_0000}, []byte{7, 0b0011_1111, 0b1000_0000} // keyCompromise; all the others
	if w.odd(25, "reasons left out") {
		second = []byte{1, 0b0011_1110}
	}
	for _, reasons := range [][]byte{first, second} {
		part := l
		part.extensions = nil
		point := extension{"2.5.29.28", true, sequence(contextValue(3, reasons))}
		for _, e := range l.extensions {
			if e.oid != point.oid {
				part.extensions = append(part.extensions, e)
			}
		}
		part.extensions = append(part.extensions, point)
		all = append(all, part.der())
	}
	return all
}

// indirect makes another authority, or the issuer itself, speak for certificates it did not
// issue: an entry counts for the issuer that it, or one before it, names.
func (w *world) indirect(l revocationList, subject *certificate, issuer authority) []byte {
	var others []extension
	for _, e := range l.extensions {
		if e.oid != "2.5.29.28" {
			others = append(others, e)
		}
	}
	l.extensions = append(others, issuingPoint(nil, 4))
	stranger := name{printable(country, "JP"), printable(commonName, "Stranger")}
	switch {
	case w.odd(30, "entry of another issuer"):
		l.entries = append([]entry{{w.nextSerial(), []extension{certificateIssuer(stranger)}}}, entry{serial: subject.serial})
	case w.odd(30, "entry of this issuer again"):
		l.entries = append([]entry{{w.nextSerial(), []extension{certificateIssuer(stranger)}}},
			entry{subject.serial, []extension{certificateIssuer(issuer.subject)}})
	}
	return l.der()
}

// addDecoys adds certificates that look like the right ones: a path has to be looked for.
func (w *world) addDecoys(c *Case, path []authority) {
	if len(path) < 2 || !w.maybe(20) {
		return
	}
	target := path[1+w.IntN(len(path)-1)].certificate
	target.serial = w.nextSerial()
	switch w.IntN(3) {
	case 0:
		w.words = append(w.words, "decoy of another key")
		target.key = keys()[19]
		var rest []extension
		for _, e := range target.extensions {
			if e.oid != "2.5.29.14" {
				rest = append(rest, e)
			}
		}
		target.extensions = rest
	case 1:
		w.words = append(w.words, "expired twin")
		target.notAfter = worldTime.AddDate(0, -1, 0)
	case 2:
		w.words = append(w.words, "twin under an unknown anchor")
		target.issuer, target.signer = w.authorityName(8), keys()[18]
	}
	c.Intermediates = append(c.Intermediates, target.der())
}
