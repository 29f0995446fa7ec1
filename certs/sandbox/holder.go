package sandbox

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A Municipality is a real one (code, names), because verifiers will want to
// show the name that goes with the code, or one that is invented and says so
// (架空, [Config].Partitions). Everything said about its people is invented.
type Municipality struct {
	Code             string // 全国地方公共団体コード without its check digit, five digits
	Prefecture, Name string
	PrefectureRomaji string // as in the distribution point's OU
	Romaji           string // as in the distribution point's CN, without " CRLDP"
}

var municipalities = []Municipality{
	{"08220", "茨城県", "つくば市", "Ibaraki-ken", "Tsukuba-shi"},
	{"13112", "東京都", "世田谷区", "Tokyo-to", "Setagaya-ku"},
	{"14103", "神奈川県", "横浜市西区", "Kanagawa-ken", "Yokohama-shi Nishi-ku"},
	{"29211", "奈良県", "葛城市", "Nara-ken", "Katsuragi-shi"},
	{"01101", "北海道", "札幌市中央区", "Hokkaido", "Sapporo-shi Chuo-ku"},
	{"26103", "京都府", "京都市左京区", "Kyoto-fu", "Kyoto-shi Sakyo-ku"},
	{"40132", "福岡県", "福岡市博多区", "Fukuoka-ken", "Fukuoka-shi Hakata-ku"},
	{"47201", "沖縄県", "那覇市", "Okinawa-ken", "Naha-shi"},
}

// UnpublishedMunicipality is the code of an invented municipality for whose
// distribution point no list is ever published. A phone issued there
// ([IssueOptions].Municipality) is the one whose status cannot be known from
// lists: UNKNOWN, never good.
const UnpublishedMunicipality = "99999"

var unpublished = Municipality{UnpublishedMunicipality, "幻県", "蜃気楼市", "Maboroshi-ken", "Shinkiro-shi"}

// Municipalities lists the real ones: every world publishes lists for them.
func Municipalities() []Municipality { return append([]Municipality(nil), municipalities...) }

func municipality(code string) (Municipality, bool) {
	if m, ok := byCode()[code]; ok {
		return m, true
	}
	return unpublished, code == UnpublishedMunicipality
}

// Gender codes of otherName .3.
const (
	Male          = "1"
	Female        = "2"
	GenderNotSaid = "3" // the third code is reported as '3' or '9' (jpki.md section 2); the sandbox writes '3'
)

// A Holder is an invented person as the resident register has them.
type Holder struct {
	ID           string // 14 letters and digits; stands in the certificates' subject
	Name         string // family and given name divided by U+3000, as the certificate writes it
	NameMarks    string // otherName .2: one '0' or '1' for each character of Name
	Registered   string // the name with its registered glyphs; never in a certificate
	Gender       string // '1', '2' or '3'
	Birth        time.Time
	ForeignEra   bool   // era digit 0: the register has no Japanese era for this date
	Address      string // from the prefecture, no postal code
	AddressMarks string // otherName .6
	Municipality string // code
}

// DateOfBirth is otherName .4: `EYYYYMMDD`, E the era, YYYY the GREGORIAN year.
func (h Holder) DateOfBirth() string {
	return eraDigit(h.Birth, h.ForeignEra) + h.Birth.Format("20060102")
}

// eraDigit: an era begins on its first day, so the boundary day belongs to the
// new one (昭和64年 ended 1989-01-07, 平成 began 1989-01-08).
func eraDigit(d time.Time, foreign bool) string {
	if foreign {
		return "0"
	}
	switch day := d.Format("20060102"); {
	case day >= "20190501":
		return "5"
	case day >= "19890108":
		return "4"
	case day >= "19261225":
		return "3"
	case day >= "19120730":
		return "2"
	default:
		return "1"
	}
}

// check refuses what could not stand in a certificate.
func (h Holder) check() error {
	if len(h.ID) != 14 || strings.Trim(h.ID, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("%w: id %q is not 14 capital letters and digits", ErrHolder, h.ID)
	}
	for _, f := range []struct{ what, text, marks string }{
		{"name", h.Name, h.NameMarks}, {"address", h.Address, h.AddressMarks},
	} {
		if f.text == "" || !utf8.ValidString(f.text) || utf8.RuneCountInString(f.text) > 200 {
			return fmt.Errorf("%w: %s is empty, not UTF-8 or over 200 characters", ErrHolder, f.what)
		}
		if len(f.marks) != utf8.RuneCountInString(f.text) || strings.Trim(f.marks, "01") != "" {
			return fmt.Errorf("%w: %s needs one 0 or 1 for each character", ErrHolder, f.what)
		}
	}
	if h.Gender != Male && h.Gender != Female && h.Gender != GenderNotSaid {
		return fmt.Errorf("%w: gender %q", ErrHolder, h.Gender)
	}
	if y := h.Birth.Year(); y < 1868 || y > 9999 {
		return fmt.Errorf("%w: born in %d", ErrHolder, y)
	}
	if _, ok := municipality(h.Municipality); !ok {
		return fmt.Errorf("%w: %w: %q", ErrHolder, ErrMunicipality, h.Municipality)
	}
	return nil
}

// sketch is what tells one curated holder from another.
type sketch struct {
	name, marks, registered string
	gender                  string
	birth                   string
	foreign                 bool
	code                    string
	town                    string
	townMark                rune // a character of the address that was substituted, 0 for none
}

// The towns are invented ("架空": imaginary) so that no address is somebody's.
// 髙, 﨑, 𠮷 and 葛 with its other form are the classic glyphs that the
// certificates replace and mark in .2 and .6.
var sketches = []sketch{
	{"砂場　花子", "00000", "砂場　花子", Female, "1985-04-12", false, "08220", "架空台一丁目２番３号", 0},
	{"高橋　次郎", "10000", "髙橋　次郎", Male, "1962-11-30", false, "13112", "架空坂二丁目１０番５号", 0},
	{"山崎　美咲", "01000", "山﨑　美咲", Female, "1994-07-07", false, "14103", "架空みらい三丁目４番", 0},
	{"吉田　健一", "10000", "𠮷田　健一", Male, "1978-01-31", false, "29211", "架空３２１番地", '葛'},
	{"佐々木　雪", "00000", "佐々木　雪", Female, "2001-12-24", false, "01101", "架空条西一丁目１番地１", 0},
	{"東雲　薫", "0000", "東雲　薫", GenderNotSaid, "1989-01-08", false, "26103", "架空院町５５番地", 0},
	{"博多　太郎", "00000", "博多　太郎", Male, "1989-01-07", false, "40132", "架空駅前九丁目９番９号", 0},
	{"比嘉　千代", "00000", "比嘉　千代", Female, "1925-03-03", false, "47201", "架空二丁目２０番１号", 0},
	{"ＧＡＲＣＩＡ　ＭＡＲＩＡ", "000000000000", "GARCIA MARIA", Female, "1988-02-29", true, "08220", "架空台四丁目１番　サンドボックスハイツ２０１号", 0},
	{"砂場　令", "0000", "砂場　令", Male, "2019-05-01", false, "08220", "架空台一丁目２番３号", 0},
	{"渡辺　真理子", "010000", "渡邉　真理子", Female, "1971-09-15", false, "13112", "架空坂七丁目７番７号", 0},
	{"斎藤　翔太", "10000", "齋藤　翔太", Male, "1999-10-10", false, "14103", "架空みらい八丁目１番", 0},
}

// Holders lists the curated holders: eras 0 and 2 to 5, both sides of an era's
// boundary, a leap-day birthday, marked names, a marked address, every
// municipality. (The one of 令和 is a child. A municipality would issue them no
// sign certificate before fifteen; the sandbox does, for the era's sake.)
func Holders() []Holder {
	hs := make([]Holder, len(sketches))
	for i := range hs {
		hs[i] = HolderN(i)
	}
	return hs
}

var (
	families = strings.Fields("佐藤 鈴木 田中 伊藤 山本 中村 小林 加藤 山田 松本 井上 木村 林 清水 池田 橋本 阿部 石川 前田 藤田 小川 岡田 後藤 長谷川 村上 近藤 石井 坂本 遠藤 青木 藤井 西村 福田 太田 三浦 藤原 松田 岡本 中野 原田")
	women    = strings.Fields("陽葵 凛 結菜 葵 芽依 紬 莉子 美月 さくら 詩 恵子 和子 由美 明美 久美子 裕子 直美 智子 典子 麻衣")
	men      = strings.Fields("蓮 陽翔 湊 樹 悠真 大翔 律 朝陽 颯 新 誠 浩 隆 進 博 和夫 正 清 勝 学")
)

// HolderN is the n-th holder, the same one every time: first the curated ones,
// then as many distinct invented people as a load test asks for.
// It panics if n is negative.
func HolderN(n int) Holder {
	if n < 0 {
		panic("sandbox: HolderN of a negative number")
	}
	if n < len(sketches) {
		s := sketches[n]
		birth, err := time.Parse(time.DateOnly, s.birth)
		if err != nil {
			panic(err) // the table above is constant
		}
		m, _ := municipality(s.code)
		h := Holder{
			ID: identifier(n), Name: s.name, NameMarks: s.marks, Registered: s.registered, Gender: s.gender,
			Birth: birth, ForeignEra: s.foreign, Address: m.Prefecture + m.Name + s.town, Municipality: s.code,
		}
		h.AddressMarks = marksFor(h.Address, s.townMark)
		return h
	}
	i := n - len(sketches)
	gender, given := Female, women
	if i%2 == 1 {
		gender, given = Male, men
	}
	full := families[(i/2)%len(families)] + "　" + given[(i/(2*len(families)))%len(given)]
	m := municipalities[i%len(municipalities)]
	address := fmt.Sprintf("%s%s架空%s丁目%s番%s号", m.Prefecture, m.Name, wide(1+i%30), wide(1+i/30%60), wide(1+i/1800))
	// 1930-01-01 and 2010 apart by a prime stride: all dates occur, none twice in a row.
	birth := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*7919%29220)
	return Holder{
		ID: identifier(n), Name: full, NameMarks: marksFor(full, 0), Registered: full, Gender: gender,
		Birth: birth, Address: address, AddressMarks: marksFor(address, 0), Municipality: m.Code,
	}
}

// identifier is the 14 characters of the subject's CN. The real ones' making is
// unknown; the sandbox hashes the number, so that they look like nothing and
// collide only by a 70-bit accident.
func identifier(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "tashika sandbox holder %d", n))
	return base32.StdEncoding.EncodeToString(sum[:])[:14]
}

func marksFor(s string, mark rune) string {
	return strings.Map(func(r rune) rune {
		if mark != 0 && r == mark {
			return '1'
		}
		return '0'
	}, s)
}

// wide writes a number in full-width digits, as Japanese addresses do.
func wide(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + '０' }, fmt.Sprint(n))
}

var jst = time.FixedZone("JST", 9*60*60)

// fifthBirthday is the end of a card certificate's validity: the end of the
// fifth birthday after the issue, 23:59:59 JST, which is 14:59:59Z (jpki.md
// section 2). Somebody born on a leap day has it on 28 February in other years.
func fifthBirthday(birth, issued time.Time) time.Time {
	left := 5
	for year := issued.In(jst).Year(); ; year++ {
		day := time.Date(year, birth.Month(), birth.Day(), 23, 59, 59, 0, jst)
		if day.Month() != birth.Month() {
			day = time.Date(year, birth.Month()+1, 0, 23, 59, 59, 0, jst)
		}
		// A birthday on the day of issue does not count: it is not after it.
		if day.After(issued.AddDate(0, 0, 1)) {
			if left--; left == 0 {
				return day.UTC()
			}
		}
	}
}
