package conformance

import "fmt"

// Score counts right answers, valid and invalid cases apart.
type Score struct {
	ValidAccepted   int `json:"valid_accepted"`
	Valid           int `json:"valid"`
	InvalidRejected int `json:"invalid_rejected"`
	Invalid         int `json:"invalid"`
}

// Add counts one answer and says whether it was right.
func (s *Score) Add(c Case, a Answer) bool {
	right := a.Accept == c.Valid
	switch {
	case c.Valid && right:
		s.ValidAccepted++
	case right:
		s.InvalidRejected++
	}
	if c.Valid {
		s.Valid++
	} else {
		s.Invalid++
	}
	return right
}

// Right is the number of right answers.
func (s Score) Right() int { return s.ValidAccepted + s.InvalidRejected }

// Total is the number of cases.
func (s Score) Total() int { return s.Valid + s.Invalid }

func (s Score) String() string {
	return fmt.Sprintf("valid accepted %d/%d, invalid rejected %d/%d, right %d/%d",
		s.ValidAccepted, s.Valid, s.InvalidRejected, s.Invalid, s.Right(), s.Total())
}
