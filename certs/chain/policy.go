package chain

import (
	"slices"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// PolicySettings are the inputs about certificate policies of RFC 5280 section 6.1.1 (c), (e), (f), (g).
type PolicySettings struct {
	Initial         []pkix.OID // user-initial-policy-set; empty means any
	RequireExplicit bool       // initial-explicit-policy
	InhibitMapping  bool       // initial-policy-mapping-inhibit
	InhibitAny      bool       // initial-any-policy-inhibit
}

// policyNode is a node of the valid_policy_graph (RFC 9618 section 5.1).
type policyNode struct {
	policy   pkix.OID
	expected []pkix.OID
	parents  []*policyNode
	reached  bool // in result
}

// policyGraph is the valid_policy_graph: a level for each certificate so far. It is NULL where its last level is
// empty; nodes without children are left standing, because only result asks for them.
type policyGraph struct {
	levels []policyLevel
}

type policyLevel struct {
	order []*policyNode
	find  map[pkix.OID]*policyNode
}

func (l *policyLevel) add(n *policyNode) {
	if l.find == nil {
		l.find = map[pkix.OID]*policyNode{}
	}
	l.find[n.policy] = n
	l.order = append(l.order, n)
}

func newPolicyGraph() *policyGraph {
	g := &policyGraph{levels: make([]policyLevel, 1)}
	g.levels[0].add(&policyNode{policy: pkix.AnyPolicy, expected: []pkix.OID{pkix.AnyPolicy}})
	return g
}

func (g *policyGraph) last() *policyLevel { return &g.levels[len(g.levels)-1] }

// null says whether no policy is valid for the path so far.
func (g *policyGraph) null() bool { return len(g.last().order) == 0 }

// descend makes the level of the next certificate: RFC 5280 section 6.1.3 (d), (e) with the changes of RFC 9618.
func (g *policyGraph) descend(policies []pkix.OID, anyAllowed bool) {
	above := g.last()
	var level policyLevel
	expecting := map[pkix.OID][]*policyNode{}
	var expected []pkix.OID // keys of expecting, in order
	for _, n := range above.order {
		for _, p := range n.expected {
			if expecting[p] == nil {
				expected = append(expected, p)
			}
			expecting[p] = append(expecting[p], n)
		}
	}
	hasAny := false
	for _, p := range policies {
		if p == pkix.AnyPolicy {
			hasAny = true
			continue
		}
		parents := expecting[p] // (d)(1)(i)
		if parents == nil && above.find[pkix.AnyPolicy] != nil {
			parents = []*policyNode{above.find[pkix.AnyPolicy]} // (d)(1)(ii)
		}
		if parents != nil {
			level.add(&policyNode{policy: p, expected: []pkix.OID{p}, parents: parents})
		}
	}
	if hasAny && anyAllowed { // (d)(2)
		for _, p := range expected {
			if level.find[p] == nil {
				level.add(&policyNode{policy: p, expected: []pkix.OID{p}, parents: expecting[p]})
			}
		}
	}
	g.levels = append(g.levels, level)
}

// mapPolicies is RFC 5280 section 6.1.4 (b).
func (g *policyGraph) mapPolicies(mappings []pkix.PolicyMapping, allowed bool) {
	level := g.last()
	mapped := map[pkix.OID][]pkix.OID{}
	var domains []pkix.OID // keys of mapped, in order
	for _, m := range mappings {
		if mapped[m.IssuerDomain] == nil {
			domains = append(domains, m.IssuerDomain)
		}
		if !slices.Contains(mapped[m.IssuerDomain], m.SubjectDomain) {
			mapped[m.IssuerDomain] = append(mapped[m.IssuerDomain], m.SubjectDomain)
		}
	}
	if !allowed { // (b)(2)
		level.order = slices.DeleteFunc(level.order, func(n *policyNode) bool { return mapped[n.policy] != nil })
		for _, p := range domains {
			delete(level.find, p)
		}
		return
	}
	for _, p := range domains { // (b)(1)
		switch n, anyNode := level.find[p], level.find[pkix.AnyPolicy]; {
		case n != nil:
			n.expected = mapped[p]
		case anyNode != nil:
			level.add(&policyNode{policy: p, expected: mapped[p], parents: anyNode.parents})
		}
	}
}

// result is RFC 5280 section 6.1.5 (g) in the form of RFC 9618 section 5.4: the user-constrained policy set, sorted. It is
// in the terms of the anchor's domain: before any mapping.
func (g *policyGraph) result(initial []pkix.OID) []pkix.OID {
	var authority []pkix.OID
	anyInLast := false
	for _, n := range g.last().order {
		n.reached = true
		anyInLast = anyInLast || n.policy == pkix.AnyPolicy
	}
	for depth := len(g.levels) - 1; depth > 0; depth-- {
		for _, n := range g.levels[depth].order {
			if !n.reached {
				continue
			}
			for _, parent := range n.parents {
				parent.reached = true
				if parent.policy == pkix.AnyPolicy && n.policy != pkix.AnyPolicy && !slices.Contains(authority, n.policy) {
					authority = append(authority, n.policy)
				}
			}
		}
	}
	userAny := len(initial) == 0 || slices.Contains(initial, pkix.AnyPolicy)
	var out []pkix.OID
	switch {
	case userAny && anyInLast:
		out = append(authority, pkix.AnyPolicy)
	case userAny:
		out = authority
	case anyInLast: // whatever the user accepts is covered
		out = slices.Clone(initial)
	default:
		for _, p := range authority {
			if slices.Contains(initial, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
