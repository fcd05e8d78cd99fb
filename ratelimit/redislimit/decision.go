package redislimit

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// An op is an operation of the script.
type op byte

const (
	opTake op = iota
	opPeek
	opRefund
	opReset
	opReady // not of the script
)

func (o op) String() string { return [...]string{"take", "peek", "refund", "reset", "ready"}[o] }

// A decision is what the script decides together: charges of which all are made, or
// none. It has copies of all that it needs, because it may outlive its caller.
type decision struct {
	keys    []string
	records []byte
	numbers [maxCharges]int // where the records have the number of their key
	charges [maxCharges]int // the index of the charge of each record
	n       int
	reply   string
	err     error

	waiting
}

// newDecision returns the decision about the charges that which lists.
func newDecision(o op, which []int, charges []ratelimit.Charge, places *[maxCharges]place) *decision {
	d := &decision{keys: make([]string, 0, len(which)), records: make([]byte, 0, 48*len(which))}
	last := 0
	for i, first := range which {
		key := places[first].key
		if d.indexOfKey(key) >= 0 {
			continue
		}
		d.keys = append(d.keys, key)
		life := int64(0)
		for _, at := range which[i:] {
			if c := &charges[at]; places[at].key == key {
				life = max(life, milliseconds(c.Window), milliseconds(c.Penalty))
			}
		}
		text := strconv.AppendInt(make([]byte, 0, 16), life+2, 10) // a tick is up to a millisecond, and so is the clock that expires keys
		for _, at := range which[i:] {
			if places[at].key == key {
				last = len(d.records)
				d.addRecord(o, at, &charges[at], places[at].id, text)
			}
		}
	}
	d.records[last+flagsAt] |= endsDecision
	return d
}

// newReset returns the decision that resets a limit.
func newReset(p place) *decision {
	d := &decision{keys: []string{p.key}}
	d.addRecord(opReset, 0, new(ratelimit.Charge), p.id, nil)
	d.records[flagsAt] |= endsDecision
	return d
}

func (d *decision) indexOfKey(key string) int {
	for i, k := range d.keys {
		if k == key {
			return i
		}
	}
	return -1
}

// The flags of a record.
const (
	flagsAt      = 2
	isShadow     = 1
	endsDecision = 2
	opFlags      = 4
)

// addRecord packs a limit as the script unpacks it: reading numbers as arguments of
// their own takes Redis longer. Times are doubles, which hold microseconds of 285 years.
func (d *decision) addRecord(o op, index int, c *ratelimit.Charge, id uint16, life []byte) {
	flags := byte(o) * opFlags
	if c.Shadow {
		flags |= isShadow
	}
	d.numbers[d.n], d.charges[d.n] = len(d.records), index
	d.n++
	b := binary.LittleEndian.AppendUint16(d.records, uint16(len(d.keys)))
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Requests))
	b = binary.LittleEndian.AppendUint32(b, uint32(milliseconds(c.Window)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(c.Cost, c.Requests+1))) // more costs no more
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(milliseconds(c.Penalty)*1000)))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(c.Mark)))
	b = append(b, byte(len(life)))
	d.records = append(b, life...)
}

// readVerdicts writes the verdicts to those of the charges.
func (d *decision) readVerdicts(verdicts []ratelimit.Verdict) error {
	const size = 4 * 8
	if d.err != nil {
		return d.err
	}
	if len(d.reply) != size*d.n {
		return errReply
	}
	number := func(i int) int64 {
		return int64(math.Float64frombits(binary.LittleEndian.Uint64([]byte(d.reply[8*i : 8*i+8]))))
	}
	for i, at := range d.charges[:d.n] {
		v := ratelimit.Verdict{Remaining: int(number(4 * i)), Wait: -1, Reset: microseconds(number(4*i + 2)), Mark: number(4*i + 3)}
		if wait := number(4*i + 1); wait >= 0 {
			v.Wait = microseconds(wait)
		}
		verdicts[at] = v
	}
	return nil
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
