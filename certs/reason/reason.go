// Package reason is the one table of everything a verification can find: the id that
// programs match on, what it does to the verdict, the rule behind it, the sub-indication of
// ETSI EN 319 102-1 that it falls under, and the text in Japanese and English.
//
// It is a package below all others because lists, responses, chains and signatures are
// judged in packages of their own, and each refusal must have an id of its own that reaches
// the relying party unchanged. Where a sub-indication fits exactly, it is the id.
//
// The table is append-only: an id once published is never renamed or given another
// meaning. Texts never carry data of a holder, a serial number or a key; they are
// constants.
package reason

import "slices"

// ID identifies a finding. The set is closed: only the constants of this package.
type ID string

// Findings are ids, each once, in the order in which they were found.
type Findings []ID

// Add adds ids if the condition holds.
func (f *Findings) Add(found bool, ids ...ID) {
	for _, id := range ids {
		if found && !slices.Contains(*f, id) {
			*f = append(*f, id)
		}
	}
}

// Severity is what a finding does to the verdict; the greater, the graver.
type Severity uint8

// The severities.
const (
	Warning       Severity = iota + 1 // worth knowing, no effect
	Indeterminate                     // the verdict is INDETERMINATE at best
	Invalid                           // the verdict is INVALID
)

// Reason is a row of the table.
type Reason struct {
	ID            ID
	Severity      Severity
	Spec          string // the rule, such as "RFC 5280 section 6.1.3 (a)(2)"
	SubIndication string // ETSI EN 319 102-1 section 5.1.3; for warnings empty
	JA, EN        string
}

// Get returns the row of an id; the zero Reason for an id that is not in the table.
func Get(id ID) Reason { return byID[id] }

// All returns the table in its published order.
func All() []Reason { return append([]Reason(nil), table...) }

var byID = func() map[ID]Reason {
	m := make(map[ID]Reason, len(table))
	for _, r := range table {
		m[r.ID] = r
	}
	return m
}()
