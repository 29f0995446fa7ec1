package revocation

import (
	"crypto/sha256"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/ocsp"
)

// maxAnswers bounds the answers that are kept. They have one size, so it bounds the memory as well: 35 MB, measured.
const maxAnswers = 1 << 16

// subject is what a question is about. A serial number would say as much, and stand in every dump of the memory.
type subject struct {
	issuer      *anchors.Anchor
	certificate [sha256.Size]byte // digest of the whole
}

func subjectOf(q *certs.Question) subject {
	return subject{q.Issuer, sha256.Sum256(q.Certificate.Raw)}
}

// answers are the answers that may be used again. One that says "revoked" or "on hold" is kept like one that says
// "good", and no longer: a hold is released, and who released it must not be turned away. What says nothing of the certificate
// is not kept at all. Its owner guards it.
type answers struct {
	by map[subject]kept
	// order is a ring of what was kept, the oldest at next once it is full. Each entry of by is in it.
	order []aged
	next  int
}

// kept is an answer that was right when it was asked for, at a time.
type kept struct {
	answer *ocsp.Answer
	asked  time.Time
	until  time.Time
}

type aged struct {
	subject subject
	asked   time.Time
}

// find returns the answer about the subject of a question, if the question takes it.
func (a *answers) find(s subject, q *certs.Question) *ocsp.Answer {
	k, ok := a.by[s]
	if !ok {
		return nil
	}
	at := q.Options.At
	// The time since is also bounded below: a clock that stepped back makes no answer younger by more than that.
	since := at.Sub(k.asked)
	if since > q.Reuse || since < -q.Reuse || at.After(k.until) || !k.answer.Stands(q.Options) {
		return nil
	}
	return k.answer
}

// keep keeps an answer that was asked for at a time and may be used again for a while.
func (a *answers) keep(s subject, answer *ocsp.Answer, asked time.Time, reuse time.Duration) {
	if reuse <= 0 || answer.Status == ocsp.Unknown || answer.NotIssued {
		return
	}
	if a.by == nil {
		a.by = make(map[subject]kept)
	}
	entry := aged{s, asked}
	if len(a.order) < maxAnswers {
		a.order = append(a.order, entry)
	} else {
		oldest := a.order[a.next]
		if a.by[oldest.subject].asked.Equal(oldest.asked) { // and was not asked for again since
			delete(a.by, oldest.subject)
		}
		a.order[a.next] = entry
		a.next = (a.next + 1) % maxAnswers
	}
	a.by[s] = kept{answer, asked, asked.Add(reuse)}
}
