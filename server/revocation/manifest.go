package revocation

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
)

// A manifest names the partitions of a source, because nobody writes three and a half thousand of them into a
// configuration. It is CSV (RFC 4180) in UTF-8 with a header:
//
//	name,url,partition,issuer_key_id
//	08220,http://lists.example/auth/08220.crl,"CN=Tsukuba-shi CRLDP,…,C=JP",
//
// The last two columns may be empty, or left out. All else is the source's. It is read when the configuration is, and
// like the configuration it is taken whole or not at all: a line that is wrong is named, and nothing changes.
const (
	maxManifestRows = 100_000
	maxManifestSize = 64 << 20
)

var manifestColumns = []string{"name", "url", "partition", "issuer_key_id"}

// readManifest returns a source for each row, named <source>/<name>.
func readManifest(s *Source, set *anchors.Set) ([]Source, error) {
	if s.Partition != nil {
		return nil, errors.New("the rows of a manifest have partitions of their own")
	}
	file, err := os.Open(s.Manifest)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxManifestSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxManifestSize:
		return nil, fmt.Errorf("%s has more than %d bytes", s.Manifest, maxManifestSize)
	}
	rows, err := parseManifest(text, s, set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Manifest, err)
	}
	return rows, nil
}

func parseManifest(text []byte, s *Source, set *anchors.Set) ([]Source, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	column := make(map[string]int, len(header))
	for i, name := range header {
		if _, twice := column[name]; twice || !slices.Contains(manifestColumns, name) {
			return nil, fmt.Errorf("column %d is unknown or there twice; the columns are %v", i+1, manifestColumns)
		}
		column[name] = i
	}
	for _, name := range manifestColumns[:2] {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("no column %s", name)
		}
	}
	var rows []Source
	names, places := make(map[string]bool), make(map[string]bool)
	for {
		record, err := in.Read()
		switch {
		case err == io.EOF && len(rows) == 0:
			return nil, errors.New("no partitions")
		case err == io.EOF:
			return rows, nil
		case err != nil:
			return nil, err // names the line
		}
		line, _ := in.FieldPos(0)
		row, err := s.row(func(name string) string {
			if i, ok := column[name]; ok {
				return record[i]
			}
			return ""
		}, set)
		switch {
		case err != nil:
		case len(rows) == maxManifestRows:
			err = fmt.Errorf("more than %d partitions", maxManifestRows)
		case names[row.Name]:
			err = errors.New("the name is taken")
		case places[row.URL]:
			err = errors.New("the URL is that of another row")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		names[row.Name], places[row.URL] = true, true
		rows = append(rows, row)
	}
}

// row is the source that a row makes.
func (s *Source) row(field func(string) string, set *anchors.Set) (row Source, err error) {
	if !nameForm.MatchString(field("name")) {
		return row, errNameForm
	}
	row = *s
	row.Name, row.URL, row.Manifest, row.manifest = s.Name+"/"+field("name"), field("url"), "", s.Name
	if text := field("partition"); text != "" {
		if row.Partition, err = pkix.ParseName(text); err != nil {
			return row, fmt.Errorf("partition: %w", err)
		}
	}
	if text := field("issuer_key_id"); text != "" {
		if row.IssuerKeyID, err = hex.DecodeString(text); err != nil {
			return row, errors.New("issuer_key_id is not hexadecimal")
		}
	}
	return row, row.complete(set)
}
