package chain

import "github.com/tashika-jp/tashika/certs/reason"

// Budget bounds what a Builder may cost, whatever it is given. It is spent down; what would go below
// zero ends with PATH_BUDGET_EXCEEDED, which leaves the question open and is never good.
type Budget struct {
	Signatures  int // public-key operations
	Steps       int // certificates looked at as an issuer
	Paths       int // whole paths
	Comparisons int // names held against name constraints
}

// DefaultBudget is ample for every honest path: a few dozen candidates for each issuer.
func DefaultBudget() *Budget {
	return &Budget{Signatures: 128, Steps: 10_000, Paths: 256, Comparisons: 250_000}
}

var exceeded = []reason.ID{reason.PathBudgetExceeded}

// spend takes n of one of the budget's parts, and says whether there was enough.
func spend(part *int, n int) bool {
	if *part < n {
		*part = 0
		return false
	}
	*part -= n
	return true
}
