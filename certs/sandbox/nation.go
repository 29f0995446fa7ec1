package sandbox

import (
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// prefectures in the order of their codes, 01 to 47.
var prefectures = [...][2]string{
	{"北海道", "Hokkaido"}, {"青森県", "Aomori-ken"}, {"岩手県", "Iwate-ken"}, {"宮城県", "Miyagi-ken"}, {"秋田県", "Akita-ken"},
	{"山形県", "Yamagata-ken"}, {"福島県", "Fukushima-ken"}, {"茨城県", "Ibaraki-ken"}, {"栃木県", "Tochigi-ken"}, {"群馬県", "Gunma-ken"},
	{"埼玉県", "Saitama-ken"}, {"千葉県", "Chiba-ken"}, {"東京都", "Tokyo-to"}, {"神奈川県", "Kanagawa-ken"}, {"新潟県", "Niigata-ken"},
	{"富山県", "Toyama-ken"}, {"石川県", "Ishikawa-ken"}, {"福井県", "Fukui-ken"}, {"山梨県", "Yamanashi-ken"}, {"長野県", "Nagano-ken"},
	{"岐阜県", "Gifu-ken"}, {"静岡県", "Shizuoka-ken"}, {"愛知県", "Aichi-ken"}, {"三重県", "Mie-ken"}, {"滋賀県", "Shiga-ken"},
	{"京都府", "Kyoto-fu"}, {"大阪府", "Osaka-fu"}, {"兵庫県", "Hyogo-ken"}, {"奈良県", "Nara-ken"}, {"和歌山県", "Wakayama-ken"},
	{"鳥取県", "Tottori-ken"}, {"島根県", "Shimane-ken"}, {"岡山県", "Okayama-ken"}, {"広島県", "Hiroshima-ken"}, {"山口県", "Yamaguchi-ken"},
	{"徳島県", "Tokushima-ken"}, {"香川県", "Kagawa-ken"}, {"愛媛県", "Ehime-ken"}, {"高知県", "Kochi-ken"}, {"福岡県", "Fukuoka-ken"},
	{"佐賀県", "Saga-ken"}, {"長崎県", "Nagasaki-ken"}, {"熊本県", "Kumamoto-ken"}, {"大分県", "Oita-ken"}, {"宮崎県", "Miyazaki-ken"},
	{"鹿児島県", "Kagoshima-ken"}, {"沖縄県", "Okinawa-ken"},
}

const (
	// firstInvented: the real codes within a prefecture end below 800.
	firstInvented = 800
	// MaxPartitions is how many municipalities the codes have room for.
	MaxPartitions = 8 + 47*(1000-firstInvented)
)

// NationalPartitions is about how many municipalities Japan has, and each CA partitions for
// (jpki.md section 3).
const NationalPartitions = 1741

// country is every municipality that a world can have: the real ones, then invented ones by turns through the
// prefectures, with codes that no real one has.
var country = sync.OnceValue(func() []Municipality {
	all := slices.Clone(municipalities)
	for i := range MaxPartitions - len(municipalities) {
		prefecture, n := i%len(prefectures), i/len(prefectures)+1
		form := [...][2]string{{"市", "shi"}, {"町", "cho"}, {"村", "mura"}}[n%3]
		all = append(all, Municipality{
			Code: fmt.Sprintf("%02d%d", prefecture+1, firstInvented+n-1), Prefecture: prefectures[prefecture][0], Name: "架空第" + wide(n) + form[0],
			PrefectureRomaji: prefectures[prefecture][1], Romaji: "Kaku-dai-" + strconv.Itoa(n) + "-" + form[1],
		})
	}
	return all
})

var byCode = sync.OnceValue(func() map[string]Municipality {
	m := make(map[string]Municipality, MaxPartitions)
	for _, one := range country() {
		m[one.Code] = one
	}
	return m
})

// Municipalities lists those of this world, for which lists are published: the real ones first.
func (w *World) Municipalities() []Municipality { return slices.Clone(w.municipalities) }

// municipality finds one of this world, or the unpublished one.
func (w *World) municipality(code string) (Municipality, bool) {
	m, ok := municipality(code)
	return m, ok && (code == UnpublishedMunicipality || w.cas[Sign].generations[0].lists[code] != nil)
}

// Name is the list's in a verifier's configuration, such as auth-g2-08220.
func (id ListID) Name() string {
	return fmt.Sprintf("%v-g%d-%s", id.Authority, id.Generation, id.Municipality)
}

// WriteManifest writes the table of lists that a verifier with thousands of them is configured by: CSV, a line of
// titles and then one for each list.
func WriteManifest(to io.Writer, lists []ListSource) error {
	table := csv.NewWriter(to)
	if err := table.Write([]string{"name", "url", "partition", "issuer_key_id"}); err != nil {
		return err
	}
	for _, l := range lists {
		if err := table.Write([]string{l.Name(), l.URL, l.Partition, strings.ToLower(hex.EncodeToString(l.KeyID))}); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}
