package crl

import (
	"encoding/binary"
	"fmt"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// addEntry takes an entry: content octets of the serial number, which are good until it returns, and the seconds since 1970.
type addEntry func(serial []byte, revoked int64, why Reason) error

// indexable: RFC 5280 section 4.1.2.2: serial numbers are not longer than 20 octets; where the first bit of twenty is set, a zero is
// before them.
func indexable(serial []byte) bool {
	return len(serial) < maxSerial || len(serial) == maxSerial && serial[0] == 0
}

// readEntries reads the entries up to an offset: almost all of them in scan, and the rest as readEntry does.
func (l *List) readEntries(w *window, to int64, add addEntry) error {
	for w.offset() < to {
		n, err := l.scan(w.rest(to), add)
		if err != nil {
			w.failed = err
			return err
		}
		if w.pos += n; w.offset() == to {
			break
		}
		der, ok := w.element(to)
		if !ok {
			return fmt.Errorf("malformed entry %d", l.EntryCount)
		}
		s := cryptobyte.String(der)
		e, ok := readEntry(&s, l.Version)
		if !ok {
			return fmt.Errorf("malformed entry %d", l.EntryCount)
		}
		if names := cryptobyte.String(e.certificateIssuer); names != nil {
			if _, err := pkix.ReadGeneralNames(&names, asn1.SEQUENCE); err != nil || !names.Empty() {
				return fmt.Errorf("malformed certificateIssuer in entry %d", l.EntryCount)
			}
			l.CertificateIssuer = true
		}
		l.longSerial = l.longSerial || !indexable(e.serial)
		l.UnknownCriticalEntry = l.UnknownCriticalEntry || e.unknownCritical
		l.offProfile = l.offProfile || e.offProfile
		l.RemoveFromCRL = l.RemoveFromCRL || e.reason == RemoveFromCRL
		if add != nil {
			if l.longSerial {
				return fmt.Errorf("serial number of entry %d is too long", l.EntryCount)
			}
			if err := add(e.serial, e.revoked.Unix(), e.reason); err != nil {
				w.failed = err
				return err
			}
		}
		l.EntryCount++
	}
	return nil
}

const (
	// scanSize is the octets that scan looks at, more than the longest entry that it knows has.
	scanSize = 64
	// timeSize and reasonSize are the octets of a UTCTime and of extensions that are a reasonCode and nothing else.
	timeSize, reasonSize = 15, 14
)

// reasonCode is how such extensions begin; the reason is the octet behind it.
var reasonCode = [reasonSize - 1]byte{0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 10, 1}

// Parts of it that overlap, to be compared at once.
var (
	reasonCodeFirst = binary.LittleEndian.Uint64(reasonCode[:8])
	reasonCodeLast  = binary.LittleEndian.Uint64(reasonCode[5:])
)

// scan reads as many entries as have the one encoding that almost all have: a serial number that an index takes, a UTCTime, and at most a
// reason. It stops before the first that differs in anything, be it that nothing is wrong with it, and near the end of the octets. What it
// accepts readEntry reads alike (TestScanIsReadEntry). It returns the number of octets.
func (l *List) scan(der []byte, add addEntry) (int, error) {
	count, removed := 0, false
	at := 0
	var err error
	for len(der)-at >= scanSize {
		e := (*[scanSize]byte)(der[at:])
		n := int(e[3])
		if e[0] != 0x30 || e[2] != 2 || n == 0 || n > maxSerial {
			break
		}
		serial := e[4 : 4+n : 4+n]
		if n > 1 && (serial[0]+1)&^1 == 0 && (serial[0]^serial[1])&0x80 == 0 || n == maxSerial && serial[0] != 0 {
			break
		}
		rest := e[4+n:]
		revoked, ok := utcTime(rest)
		if !ok {
			break
		}
		why, size := Unspecified, int(e[1])-2-n
		if size == timeSize+reasonSize {
			code := rest[timeSize:]
			if l.Version != 2 || binary.LittleEndian.Uint64(code) != reasonCodeFirst || binary.LittleEndian.Uint64(code[5:]) != reasonCodeLast {
				break
			}
			if why = Reason(code[13]); !why.defined() {
				break
			}
			removed = removed || why == RemoveFromCRL
		} else if size != timeSize {
			break
		}
		if add != nil {
			if err = add(serial, revoked, why); err != nil {
				break
			}
		}
		count++
		at += 4 + n + size
	}
	l.EntryCount += count
	l.RemoveFromCRL = l.RemoveFromCRL || removed
	return at, err
}

// monthsOfUTC are the days from 1970 to the first of each month that a UTCTime can be in, from January 1950 (RFC 5280 section 4.1.2.5.1), and
// to January 2050.
var monthsOfUTC = func() (days [1201]int32) {
	lengths := [12]int32{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	day := int32(-20*365 - 5) // 1952, 1956, 1960, 1964 and 1968 are leap years
	for i := range days {
		days[i] = day
		day += lengths[i%12]
		if i%12 == 1 && (i/12+1950)%4 == 0 { // 2000 is one as well
			day++
		}
	}
	return days
}()

// utcTime reads a UTCTime as pkix.ReadTime does, into seconds since 1970. There are timeSize octets.
func utcTime(der []byte) (seconds int64, ok bool) {
	_ = der[timeSize-1]
	if der[0] != 0x17 || der[1] != timeSize-2 || der[timeSize-1] != 'Z' {
		return 0, false
	}
	date, okDate := pairs(binary.LittleEndian.Uint64(der[2:]))   // YYMMDDhh
	clock, okClock := pairs(binary.LittleEndian.Uint64(der[6:])) // DDhhmmss
	year, month, day := date&0xff, date>>16&0xff, date>>32&0xff
	hour, minute, second := date>>48, clock>>32&0xff, clock>>48
	if !okDate || !okClock || month-1 > 11 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if year += 50; year >= 100 {
		year -= 100
	}
	i := year*12 + month - 1
	if i+1 >= uint64(len(monthsOfUTC)) {
		return 0, false
	}
	first := monthsOfUTC[i]
	if day == 0 || day > uint64(monthsOfUTC[i+1]-first) {
		return 0, false
	}
	return (int64(first)+int64(day)-1)*86400 + int64(hour*3600+minute*60+second), true
}

// pairs reads eight decimal digits, the first lowest, two by two: the numbers are in the octets 0, 2, 4 and 6.
func pairs(digits uint64) (numbers uint64, ok bool) {
	digits ^= 0x3030303030303030
	// An octet that was a digit is 0 to 9: its upper half is 0, and stays so if 6 is added.
	ok = (digits|(digits+0x0606060606060606))&0xf0f0f0f0f0f0f0f0 == 0
	return (digits*10 + digits>>8) & 0x00ff00ff00ff00ff, ok
}
