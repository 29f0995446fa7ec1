package crl

import (
	"iter"

	"github.com/tashika-jp/tashika/certs/reason"
)

// What follows is for people who look at a list: nothing in it is anybody's word, and no status may rest on it.

// Entries goes through the entries of a list that nobody has authenticated, in the order of Index.All, a serial number that is
// listed twice once.
func (i *Image) Entries() iter.Seq2[Listed, error] { return i.all() }

// Check tells what is wrong with a list in itself, whoever made it: what NewIndex finds before it asks for the issuer, but that it is
// a delta. With strict it also tells what RFC 5280 section 5 demands of issuers, be it dangerous or not.
func (i *Image) Check(strict bool) []reason.ID {
	var found reason.Findings
	i.list.checkForm(&found)
	i.list.checkStated(&found)
	i.list.checkScope(&found)
	if strict {
		i.list.checkProfile(&found, i.table.len() != i.list.EntryCount)
	}
	return found
}
