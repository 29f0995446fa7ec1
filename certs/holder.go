package certs

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The otherName types of the holder's attributes (JPKI certificate profile).
var (
	oidCommonName            = pkix.MustOID("1.2.392.200149.8.5.5.1")
	oidCommonNameSubstitutes = pkix.MustOID("1.2.392.200149.8.5.5.2")
	oidGender                = pkix.MustOID("1.2.392.200149.8.5.5.3")
	oidDateOfBirth           = pkix.MustOID("1.2.392.200149.8.5.5.4")
	oidAddress               = pkix.MustOID("1.2.392.200149.8.5.5.5")
	oidAddressSubstitutes    = pkix.MustOID("1.2.392.200149.8.5.5.6")
)

// HolderAttributes are the four attributes (基本4情報) of a certificate for signatures.
type HolderAttributes struct {
	CommonName  SubstitutedText // 氏名: family and given name divided by U+3000
	Address     SubstitutedText // 住所
	DateOfBirth DateOfBirth     // 生年月日
	GenderCode  string          // 性別 as recorded: "1" male, "2" female, others unknown or not applicable
	// Others are the types of further otherNames, which newer certificates carry.
	Others []pkix.OID
}

// SubstitutedText is a text in which some characters may stand for a registered glyph
// that has no code. It must not be compared as a string without looking at Substitutes.
type SubstitutedText struct {
	Text        string
	Substitutes []int // positions in characters from 0
}

// DateOfBirth is a date with the era it was recorded in; parts that were not recorded
// are 0.
type DateOfBirth struct {
	Year, Month, Day int // Gregorian year
	Era              Era
	EraYear          int    // 1 for 元年; 0 if the era is unknown
	Recorded         string // EYYYYMMDD
}

// Era is a Japanese era by its code in the certificate; 0 is unknown.
type Era uint8

// The eras.
const (
	Meiji Era = iota + 1
	Taisho
	Showa
	Heisei
	Reiwa
)

// firstYears are the Gregorian years that are year 1 of the eras, by code.
var firstYears = []int{0, 1868, 1912, 1926, 1989, 2019}

var errAttributes = errors.New("certs: holder attributes cannot be read")

// ReadHolderAttributes reads the four attributes from the subjectAltName. All of the
// four must be there, each once; others are tolerated and named. The error says nothing of
// what was read.
func ReadHolderAttributes(c *pkix.Certificate) (*HolderAttributes, error) {
	values := map[pkix.OID]string{}
	var a HolderAttributes
	for _, name := range c.SubjectAltNames {
		if name.Kind != pkix.OtherName {
			continue
		}
		id, element, _ := name.OtherName()
		switch id {
		case oidCommonName, oidCommonNameSubstitutes, oidGender, oidDateOfBirth, oidAddress, oidAddressSubstitutes:
		default:
			a.Others = append(a.Others, id)
			continue
		}
		s := cryptobyte.String(element)
		var text cryptobyte.String
		if _, twice := values[id]; twice || !s.ReadASN1(&text, asn1.UTF8String) || !s.Empty() || !utf8.Valid(text) {
			return nil, errAttributes
		}
		values[id] = string(text)
	}
	var ok [3]bool
	a.CommonName, ok[0] = substituted(values[oidCommonName], values[oidCommonNameSubstitutes])
	a.Address, ok[1] = substituted(values[oidAddress], values[oidAddressSubstitutes])
	a.DateOfBirth, ok[2] = dateOfBirth(values[oidDateOfBirth])
	a.GenderCode = values[oidGender]
	if ok != [3]bool{true, true, true} || a.GenderCode == "" {
		return nil, errAttributes
	}
	return &a, nil
}

// substituted joins a text with its flags, one '0' or '1' a character. Flags that are
// missing altogether mean that no character was substituted; flags of another length than
// the text would put the marks in the wrong places.
func substituted(text, flags string) (SubstitutedText, bool) {
	out := SubstitutedText{Text: text}
	if text == "" || flags != "" && len(flags) != utf8.RuneCountInString(text) {
		return out, false
	}
	for i, flag := range flags {
		switch flag {
		case '0':
		case '1':
			out.Substitutes = append(out.Substitutes, i)
		default:
			return out, false
		}
	}
	return out, true
}

// dateOfBirth reads EYYYYMMDD: the era's code and the Gregorian date. Unknown parts are
// recorded as zeros.
func dateOfBirth(s string) (DateOfBirth, bool) {
	d := DateOfBirth{Recorded: s}
	if len(s) != 9 || strings.Trim(s, "0123456789") != "" {
		return d, false
	}
	d.Era = Era(s[0] - '0')
	d.Year, _ = strconv.Atoi(s[1:5])
	d.Month, _ = strconv.Atoi(s[5:7])
	d.Day, _ = strconv.Atoi(s[7:9])
	if d.Era > Reiwa || d.Month > 12 || d.Day > 31 {
		return d, false
	}
	if d.Era != 0 && d.Year != 0 {
		d.EraYear = d.Year - firstYears[d.Era] + 1
		if d.EraYear < 1 {
			return d, false
		}
	}
	return d, true
}
