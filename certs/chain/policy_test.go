package chain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// treeNode is a node of the valid_policy_tree, as RFC 5280 section 6.1.2 (a) draws it: the oracle of the graph, which costs more the
// deeper it grows.
type treeNode struct {
	policy   pkix.OID
	expected []pkix.OID
	parent   *treeNode
	children []*treeNode
}

func (n *treeNode) add(policy pkix.OID, expected ...pkix.OID) {
	n.children = append(n.children, &treeNode{policy: policy, expected: expected, parent: n})
}

// at are the nodes of a depth below n.
func (n *treeNode) at(depth int) []*treeNode {
	if n == nil {
		return nil
	}
	if depth == 0 {
		return []*treeNode{n}
	}
	var out []*treeNode
	for _, c := range n.children {
		out = append(out, c.at(depth-1)...)
	}
	return out
}

func (n *treeNode) remove() {
	n.parent.children = slices.DeleteFunc(n.parent.children, func(c *treeNode) bool { return c == n })
}

// prune removes nodes above a depth that have no children there; nil if that is the root.
func prune(root *treeNode, depth int) *treeNode {
	for d := depth - 1; d >= 0; d-- {
		for _, n := range root.at(d) {
			if len(n.children) > 0 {
				continue
			}
			if n.parent == nil {
				return nil
			}
			n.remove()
		}
	}
	return root
}

// step is one certificate of a path, as far as policies go.
type step struct {
	policies []pkix.OID
	any      bool // anyPolicy is allowed
	mappings []pkix.PolicyMapping
	mapping  bool // policy mapping is allowed
}

func tree(steps []step, initial []pkix.OID) []pkix.OID {
	root := &treeNode{policy: pkix.AnyPolicy, expected: []pkix.OID{pkix.AnyPolicy}}
	for i, s := range steps {
		above := root.at(i)
		for _, p := range s.policies {
			if p == pkix.AnyPolicy {
				continue
			}
			matched := false
			for _, n := range above {
				if slices.Contains(n.expected, p) {
					n.add(p, p)
					matched = true
				}
			}
			for _, n := range above {
				if !matched && n.policy == pkix.AnyPolicy {
					n.add(p, p)
				}
			}
		}
		if s.any && slices.Contains(s.policies, pkix.AnyPolicy) {
			for _, n := range above {
				for _, p := range n.expected {
					if !slices.ContainsFunc(n.children, func(c *treeNode) bool { return c.policy == p }) {
						n.add(p, p)
					}
				}
			}
		}
		if root = prune(root, i+1); root == nil || len(s.policies) == 0 {
			return nil
		}
		if i == len(steps)-1 {
			break
		}
		mapped := map[pkix.OID][]pkix.OID{}
		for _, m := range s.mappings {
			mapped[m.IssuerDomain] = append(mapped[m.IssuerDomain], m.SubjectDomain)
		}
		for p, to := range mapped {
			nodes := slices.DeleteFunc(root.at(i+1), func(n *treeNode) bool { return n.policy != p })
			switch {
			case !s.mapping:
				for _, n := range nodes {
					n.remove()
				}
			case len(nodes) > 0:
				for _, n := range nodes {
					n.expected = to
				}
			default:
				for _, n := range root.at(i + 1) {
					if n.policy == pkix.AnyPolicy {
						n.parent.add(p, to...)
					}
				}
			}
		}
		if root = prune(root, i+1); root == nil {
			return nil
		}
	}
	return intersect(root, len(steps), initial)
}

// intersect is RFC 5280 section 6.1.5 (g), and of what remains the policies whose parent is anyPolicy.
func intersect(root *treeNode, depth int, initial []pkix.OID) []pkix.OID {
	userAny := len(initial) == 0 || slices.Contains(initial, pkix.AnyPolicy)
	var set []pkix.OID
	var anyLeaf *treeNode
	for d := 1; d <= depth; d++ {
		for _, n := range root.at(d) {
			switch {
			case n.policy == pkix.AnyPolicy && d == depth:
				anyLeaf = n
			case n.policy == pkix.AnyPolicy || n.parent.policy != pkix.AnyPolicy:
			case userAny || slices.Contains(initial, n.policy):
				set = append(set, n.policy)
			}
		}
	}
	if anyLeaf != nil {
		if userAny {
			set = append(set, pkix.AnyPolicy)
		} else {
			set = append(set, initial...)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func graph(steps []step, initial []pkix.OID) []pkix.OID {
	g := newPolicyGraph()
	for i, s := range steps {
		g.descend(s.policies, s.any)
		if i < len(steps)-1 {
			g.mapPolicies(s.mappings, s.mapping)
		}
	}
	return g.result(initial)
}

// somePolicies reads policies of a small world out of bits.
func somePolicies(bits byte) (out []pkix.OID) {
	for i := range 4 {
		if bits&(1<<i) != 0 {
			out = append(out, pkix.MustOID(fmt.Sprint("1.2.", i)))
		}
	}
	if bits&16 != 0 {
		out = append(out, pkix.AnyPolicy)
	}
	return out
}

// readSteps makes a path of what a fuzzer says: six bytes a certificate, at most five of them.
func readSteps(data []byte) (steps []step, initial []pkix.OID) {
	if len(data) == 0 {
		return nil, nil
	}
	initial = somePolicies(data[0])
	for data = data[1:]; len(data) >= 6 && len(steps) < 5; data = data[6:] {
		s := step{policies: somePolicies(data[0]), any: data[1]&1 != 0, mapping: data[1]&2 != 0}
		for _, b := range data[2:6] {
			if b&0x80 == 0 {
				continue
			}
			s.mappings = append(s.mappings, pkix.PolicyMapping{
				IssuerDomain: pkix.MustOID(fmt.Sprint("1.2.", b&3)), SubjectDomain: pkix.MustOID(fmt.Sprint("1.2.", b>>2&3)),
			})
		}
		steps = append(steps, s)
	}
	return steps, initial
}

// FuzzPolicies: the graph of RFC 9618 says what the tree of RFC 5280 says.
func FuzzPolicies(f *testing.F) {
	f.Add([]byte{0, 3, 3, 0x84, 0x89, 0, 0, 2, 3, 0, 0, 0, 0})
	f.Add([]byte{1, 16, 3, 0x84, 0, 0, 0, 31, 3, 0x81, 0x82, 0x8c, 0, 1, 3, 0, 0, 0, 0})
	f.Add([]byte{16, 31, 1, 0x84, 0, 0, 0, 2, 3, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		steps, initial := readSteps(data)
		if len(steps) == 0 {
			return
		}
		if g, w := graph(steps, initial), tree(steps, initial); !slices.Equal(g, w) {
			t.Errorf("%+v from %v: graph %v, tree %v", steps, initial, g, w)
		}
	})
}

// TestPoliciesDoNotExplode: a path of 30 authorities that map every policy to every other has a tree of 4^30 leaves.
func TestPoliciesDoNotExplode(t *testing.T) {
	all := somePolicies(15)
	var mappings []pkix.PolicyMapping
	for _, from := range all {
		for _, to := range all {
			mappings = append(mappings, pkix.PolicyMapping{IssuerDomain: from, SubjectDomain: to})
		}
	}
	var steps []step
	for range 30 {
		steps = append(steps, step{policies: all, any: true, mappings: mappings, mapping: true})
	}
	if got := graph(steps, nil); !slices.Equal(got, all) {
		t.Errorf("%v", got)
	}
}
