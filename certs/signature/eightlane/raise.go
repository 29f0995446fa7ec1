package eightlane

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"
)

// Job is one signature to be raised. It belongs to Raise until that returns.
type Job struct {
	Modulus   *Modulus
	Signature [Size]byte // big-endian
	// Result is s^65537 mod n, big-endian, if Valid: a signature that is not below the modulus is none (RFC 8017 section 5.2.2).
	Result [Size]byte
	Valid  bool

	owner *call
}

// call is one Raise, with the jobs that it waits for.
type call struct {
	left int       // guarded by engine: jobs not done
	wake chan bool // false: all are done; true: lead
}

var calls = sync.Pool{New: func() any { return &call{wake: make(chan bool, 1)} }}

// engine gathers the jobs of all callers. One of them leads: it works off what waits, group by group, until its
// own jobs are done, and hands on. So there is one group under way at a time, and the next fills meanwhile.
var engine struct {
	sync.Mutex
	waiting []*Job // guarded by the mutex
	led     bool   // guarded by the mutex
}

// Raise raises signatures, whoever's are waiting along with them. It returns when its own are done, and may be
// called from any number of goroutines, where Available.
func Raise(jobs ...*Job) {
	c := calls.Get().(*call)
	defer calls.Put(c)
	c.left = len(jobs)
	engine.Lock()
	for _, j := range jobs {
		j.owner = c
		engine.waiting = append(engine.waiting, j)
	}
	if engine.led {
		engine.Unlock()
		if lead := <-c.wake; !lead {
			return
		}
		engine.Lock()
	}
	engine.led = true
	for c.left > 0 {
		var group [lanes]*Job
		n := copy(group[:], engine.waiting)
		rest := copy(engine.waiting, engine.waiting[n:])
		clear(engine.waiting[rest:])
		engine.waiting = engine.waiting[:rest]
		engine.Unlock()
		raise(group[:n])
		engine.Lock()
		for _, j := range group[:n] {
			owner := j.owner
			j.owner = nil
			if owner.left--; owner.left == 0 && owner != c {
				owner.wake <- false
			}
		}
	}
	if len(engine.waiting) > 0 {
		engine.waiting[0].owner.wake <- true
	} else {
		engine.led = false
	}
	engine.Unlock()
}

const lanes = 8

// vector is one number in each lane, limb by limb.
type vector [limbs * lanes]uint64

func (v *vector) set(lane int, l *[limbs]uint64) {
	for i, limb := range l {
		v[i*lanes+lane] = limb
	}
}

// bench is where a group is raised. Whoever leads has it.
var bench = aligned[workbench]()

// workbench is laid out in whole cache lines.
type workbench struct {
	n, r2, s, x vector
	k0          [lanes]uint64
	scratch     [2 * limbs * lanes]uint64
}

// raise works off up to eight jobs. Lanes without one repeat the first.
func raise(group []*Job) {
	for lane := range lanes {
		j := group[0]
		if lane < len(group) {
			j = group[lane]
		}
		w := toWords(&j.Signature)
		var s [limbs]uint64
		toLimbs(&s, &w)
		bench.n.set(lane, &j.Modulus.n)
		bench.r2.set(lane, &j.Modulus.r2)
		bench.s.set(lane, &s)
		bench.k0[lane] = j.Modulus.k0
	}
	// To the Montgomery form, sixteen squarings, and times s: that takes the form off as well.
	bench.multiply(&bench.s, &bench.r2)
	for range 16 {
		bench.multiply(&bench.x, &bench.x)
	}
	bench.multiply(&bench.x, &bench.s)
	for lane, j := range group {
		j.finish(&bench.x, lane)
	}
}

// multiply sets x to a·b/R mod n, or that and n: less than (4n/R+1)·n, for a and b below 2n.
func (w *workbench) multiply(a, b *vector) {
	montMul(&w.x[0], &a[0], &b[0], &w.n[0], &w.k0[0], &w.scratch[0])
}

// finish takes the result out of a lane.
func (j *Job) finish(v *vector, lane int) {
	var w, n [words]uint64
	for i := range limbs {
		limb := v[i*lanes+lane]
		bit := i * limbBits
		at, shift := bit/64, bit%64
		if at < words {
			w[at] |= limb << shift
			if shift > 64-limbBits && at+1 < words {
				w[at+1] |= limb >> (64 - shift)
			}
		}
	}
	over := v[(limbs-1)*lanes+lane]>>(8*Size-(limbs-1)*limbBits) != 0
	n = toWords(&j.Modulus.be)
	var less [words]uint64
	var borrow uint64
	for i := range w {
		less[i], borrow = bits.Sub64(w[i], n[i], borrow)
	}
	if over || borrow == 0 { // not below the modulus
		w = less
	}
	for i, word := range w {
		binary.BigEndian.PutUint64(j.Result[Size-8*(i+1):], word)
	}
	j.Valid = bytes.Compare(j.Signature[:], j.Modulus.be[:]) < 0
}
