package signature

import (
	"sync"
	"sync/atomic"

	"filippo.io/bigmod"
	"github.com/tashika-jp/tashika/certs/signature/eightlane"
)

// Check is a signature to be checked.
type Check struct {
	Key       *PublicKey
	Algorithm Algorithm
	Message   []byte // nil if only its digest is known
	Digest    []byte // of the message, where that is nil
	Signature []byte
}

// VerifyAll checks signatures and sets the error of each, as Verify or VerifyDigest returns it. Those of RSA are raised together where the
// processor can do several at once. There must be as many errors as checks.
func VerifyAll(checks []Check, errs []error) {
	together := jobsPool.Get().(*jobs)
	defer jobsPool.Put(together)
	var of [most]int // the check of each job
	n := 0
	for i := range checks {
		c := &checks[i]
		if n == most || !c.Key.inLanes(c.Signature) {
			errs[i] = c.alone()
			continue
		}
		digest, err := c.Digest, error(nil)
		if c.Message != nil {
			digest, err = c.Algorithm.digest(together.digests[n][:0], c.Message)
		}
		if err == nil {
			err = c.Key.precheck(c.Algorithm, digest)
		}
		if err != nil {
			errs[i] = err
			continue
		}
		together.set(n, c.Key, digest, c.Signature)
		of[n] = i
		n++
	}
	if n == 0 {
		return
	}
	eightlane.Raise(&together.all[0], together.second(n))
	for at, i := range of[:n] {
		c := &checks[i]
		errs[i] = ErrInvalid
		if em, ok := c.Key.raised(&together.all[at]); ok && c.Key.encodes(c.Algorithm, together.of[at], em) {
			errs[i] = nil
		}
	}
}

func (c *Check) alone() error {
	if c.Message != nil {
		return c.Key.Verify(c.Algorithm, c.Message, c.Signature)
	}
	return c.Key.VerifyDigest(c.Algorithm, c.Digest, c.Signature)
}

// most is how many signatures are raised together by one caller: a verification has two.
const most = 2

// jobs are what eightlane works on, kept because they are half a kilobyte each.
type jobs struct {
	all     [most]eightlane.Job
	of      [most][]byte // the digest of each
	digests [most][maxDigest]byte
}

var jobsPool = sync.Pool{New: func() any { return new(jobs) }}

// second is the second of n jobs, if there is one.
func (j *jobs) second(n int) *eightlane.Job {
	if n < 2 {
		return nil
	}
	return &j.all[1]
}

func (j *jobs) set(i int, k *PublicKey, digest, signature []byte) {
	j.of[i], j.all[i].Modulus, j.all[i].Signature = digest, &k.lanes, [eightlane.Size]byte(signature)
}

// inLanes says whether eightlane is to raise a signature.
func (k *PublicKey) inLanes(signature []byte) bool {
	return k.prepared && len(signature) == eightlane.Size && !lanes.off.Load()
}

// recover is RSAVP1 and I2OSP (RFC 8017 sections 5.2.2, 4.1): s^e mod n, as long as the
// modulus. It refuses a signature of another length, or not below the modulus.
func (k *PublicKey) recover(signature []byte) ([]byte, bool) {
	if len(signature) != len(k.modulus) {
		return nil, false
	}
	if !k.inLanes(signature) {
		return k.power(signature)
	}
	one := jobsPool.Get().(*jobs)
	defer jobsPool.Put(one)
	one.set(0, k, nil, signature)
	eightlane.Raise(&one.all[0], nil)
	em, ok := k.raised(&one.all[0])
	return append([]byte(nil), em...), ok
}

// power is s^e mod n by other code than eightlane's, with nothing in common.
func (k *PublicKey) power(signature []byte) ([]byte, bool) {
	modulus, err := bigmod.NewModulus(k.modulus)
	if err != nil {
		return nil, false
	}
	s, err := bigmod.NewNat().SetBytes(signature, modulus)
	if err != nil {
		return nil, false
	}
	return bigmod.NewNat().ExpShortVarTime(s, k.e, modulus).Bytes(modulus), true
}

// sampling is how many signatures that were raised in lanes one is raised again for: a thousandth of the time that they save.
const sampling = 1024

// lanes is the state of package eightlane in this process.
var lanes struct {
	raised, compared, wrong atomic.Uint64
	off                     atomic.Bool
}

// raised is the result of a job: its own, but for a sample which is raised again by power. A wrong accept would be
// fatal, so the first difference turns the lanes off until the next start, and what the other code says counts.
func (k *PublicKey) raised(j *eightlane.Job) ([]byte, bool) {
	if lanes.raised.Add(1)%sampling != 0 {
		return j.Result[:], j.Valid
	}
	lanes.compared.Add(1)
	em, ok := k.power(j.Signature[:])
	if ok != j.Valid || ok && string(em) != string(j.Result[:]) {
		lanes.wrong.Add(1)
		lanes.off.Store(true)
	}
	return em, ok
}

// LaneStats tells how RSA signatures are raised.
type LaneStats struct {
	// InUse: two at once, by package eightlane.
	InUse bool
	// Raised there since the start; of them Compared with other code, of which Wrong differed. One wrong, and the lanes are off.
	Raised, Compared, Wrong uint64
}

// Lanes returns the statistics of this process.
func Lanes() LaneStats {
	return LaneStats{
		InUse:  eightlane.Available && !lanes.off.Load(),
		Raised: lanes.raised.Load(), Compared: lanes.compared.Load(), Wrong: lanes.wrong.Load(),
	}
}
