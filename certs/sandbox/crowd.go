package sandbox

import (
	"io"
	"time"
)

// A crowd is the revoked certificates of one list that nobody asked for by name (Config.Revoked). It is a rule, not
// a table: ten million of them cost no memory, and any octet of their entries can be made without those before it.
//
// Serials are dense over the country, as J-LIS's counter is: every round of registrations gives each municipality
// seven in a row, and one of the seven is revoked. Which one, when and why is hashed from round and municipality.
type crowd struct {
	first  uint64 // serial of round 0
	stride uint64 // serials in a round
	place  uint64 // of the municipality within the round
	rounds int
	before time.Time // all were revoked before this
}

// crowdEntry is the size of an entry: every serial takes four octets, every time is a UTCTime, and all have a reason.
const crowdEntry = 2 + 6 + 15 + 14

// perPlace is how many serials a municipality gets in a round.
const perPlace = 7

// crowdTime is when a crowd's last revocation was, in a year that a UTCTime can say.
func crowdTime(now time.Time) time.Time {
	if last := time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC); now.After(last) {
		return last
	}
	return now
}

// lastCrowdSerial is the largest that takes four octets.
const lastCrowdSerial = 1<<31 - 1

var crowdReasons = [...]Reason{Superseded, AffiliationChanged, CertificateHold, CessationOfOperation, KeyCompromise, Superseded, CessationOfOperation}

func (c crowd) size() int64 { return int64(c.rounds) * crowdEntry }

// entry is the one of a round.
func (c crowd) entry(round uint64) entry {
	h := mix(round<<20 ^ c.place)
	return entry{
		serial: c.first + round*c.stride + c.place*perPlace + h%min(perPlace, c.stride),
		date:   c.before.Add(-time.Duration(1+h>>8%(600*24*60*60)) * time.Second),
		reason: crowdReasons[h>>40%uint64(len(crowdReasons))],
	}
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbours come out far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ReadAt makes the entries' DER (io.ReaderAt).
func (c crowd) ReadAt(p []byte, off int64) (n int, err error) {
	var der []byte
	for n < len(p) {
		round := off / crowdEntry
		if round >= int64(c.rounds) {
			return n, io.EOF
		}
		der = c.entry(uint64(round)).append(der[:0])
		copied := copy(p[n:], der[off%crowdEntry:])
		n += copied
		off += int64(copied)
	}
	return n, nil
}

// crowdRecord is the register's entry of a serial that a crowd's rounds went through, made when it is asked for; the
// six of seven that were not revoked are good.
func (g *generation) crowdRecord(serial uint64) (*record, bool) {
	if serial < g.crowdFirst || serial >= g.crowdEnd {
		return nil, false
	}
	round := (serial - g.crowdFirst) / g.crowdStride
	l := g.order[(serial-g.crowdFirst)%g.crowdStride/perPlace]
	e := l.crowd.entry(round)
	r := &record{
		serial: serial, generation: g, municipality: l.id.Municipality, notAfter: endOfDayJST(l.crowd.before.AddDate(3, 0, 0)),
		history: []State{{Status: Good, Since: g.notBefore}},
	}
	if e.serial == serial {
		r.set(statusFor(e.reason), e.reason, e.date)
	}
	return r, true
}
