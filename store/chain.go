package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"circdesk/kiosk"
)

// errDamaged: the file holds what this program has not written.
var errDamaged = errors.New("damaged")

// A row is an entry as it stands in the table.
type row struct {
	seq                          uint64
	key, kind                    string
	at                           int64
	boot                         string
	boottime                     int64
	clock                        string
	session                      uint64
	role                         string
	patron                       sql.NullString
	salt, digest                 []byte
	item, title, due             string
	renewals                     int
	outcome, policy              string
	grade, itemType, class, card string
	hash                         []byte
	before                       []byte // the hash of the row before, where it was read with it
}

const (
	columns = `entry.seq, key, kind, at, boot, boottime, clock, session, role, patron, salt, digest, item, title, due,
		renewals, outcome, policy, grade, item_type, class, card, hash`
	hashBefore = ", (SELECT before.hash FROM entry AS before WHERE before.seq = entry.seq - 1)"
	selectRow  = "SELECT " + columns + " FROM entry"
	insertRow  = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

func (r *row) dest() []any {
	return []any{
		&r.seq, &r.key, &r.kind, &r.at, &r.boot, &r.boottime, &r.clock, &r.session, &r.role, &r.patron, &r.salt, &r.digest,
		&r.item, &r.title, &r.due, &r.renewals, &r.outcome, &r.policy, &r.grade, &r.itemType, &r.class, &r.card, &r.hash,
	}
}

func (r *row) values() []any {
	return []any{
		r.seq, r.key, r.kind, r.at, r.boot, r.boottime, r.clock, r.session, r.role, r.patron, r.salt, r.digest,
		r.item, r.title, r.due, r.renewals, r.outcome, r.policy, r.grade, r.itemType, r.class, r.card, r.hash,
	}
}

// rowOf is an act as it is to be written, except for what is added at that moment: boot, salt and hash.
func rowOf(seq uint64, a kiosk.Act) row {
	return row{
		seq: seq, key: string(a.Key), kind: string(a.Kind), at: a.At.UnixMicro(), clock: string(a.Clock),
		session: a.Session, role: string(a.Role), patron: sql.NullString{String: string(a.Patron), Valid: a.Patron != ""},
		item: string(a.Item), title: string(a.TitleID), due: a.Due.String(), renewals: a.Renewals, outcome: string(a.Outcome),
		policy: a.Policy, grade: a.Grade, itemType: a.ItemType, class: a.Class, card: string(a.Card),
	}
}

// same tells whether r holds the act that b was made of. A faded patron could be anybody.
func (r *row) same(b row) bool {
	faded := !r.patron.Valid && r.digest != nil && b.patron.Valid
	if !faded && r.patron != b.patron {
		return false
	}
	b.boot, b.boottime, b.patron, b.digest, b.hash = r.boot, r.boottime, r.patron, r.digest, nil
	return bytes.Equal(r.link(nil), b.link(nil))
}

// seal keys the digest of the patron and hangs the row onto the chain.
func (r *row) seal(before []byte) {
	r.salt, r.digest = nil, nil
	if r.patron.Valid {
		r.salt = make([]byte, 16)
		_, _ = rand.Read(r.salt) // never fails
		r.digest = r.digestOf()
	}
	r.hash = r.link(before)
}

func (r *row) digestOf() []byte {
	h := hmac.New(sha256.New, r.salt)
	h.Write([]byte(r.patron.String))
	return h.Sum(nil)
}

// link is the hash of the row behind one whose hash is before: over every field but patron and salt.
func (r *row) link(before []byte) []byte {
	b := make([]byte, 0, 512)
	b = appendText(b, string(before))
	b = binary.BigEndian.AppendUint64(b, r.seq)
	b = appendText(b, r.key, r.kind)
	b = binary.BigEndian.AppendUint64(b, uint64(r.at))
	b = appendText(b, r.boot)
	b = binary.BigEndian.AppendUint64(b, uint64(r.boottime))
	b = appendText(b, r.clock)
	b = binary.BigEndian.AppendUint64(b, r.session)
	b = appendText(b, r.role, string(r.digest), r.item, r.title, r.due)
	b = binary.BigEndian.AppendUint64(b, uint64(r.renewals))
	b = appendText(b, r.outcome, r.policy, r.grade, r.itemType, r.class, r.card)
	sum := sha256.Sum256(b)
	return sum[:]
}

// appendText appends strings so that no two lists of them look the same.
func appendText(b []byte, all ...string) []byte {
	for _, s := range all {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// fits tells whether a row that was read with the hash before it is what was written.
func (r *row) fits(genesis []byte) error {
	if r.seq == 1 {
		r.before = genesis
	}
	if reason := r.check(r.seq-1, r.before); reason != "" {
		return fmt.Errorf("entry %d: %w: %s", r.seq, errDamaged, reason)
	}
	return nil
}

// check tells what is wrong with a row that should come after number seq with the hash before.
func (r *row) check(seq uint64, before []byte) string {
	switch {
	case r.seq != seq+1:
		return fmt.Sprintf("entry %d is missing", seq+1)
	case !bytes.Equal(r.hash, r.link(before)):
		return "the hash does not fit"
	case r.patron.Valid && !hmac.Equal(r.digest, r.digestOf()):
		return "the patron does not fit"
	}
	return ""
}

// genesis is what the first entry hangs on.
func (j *journal) genesis() []byte {
	b := appendText(nil, "circdesk journal", j.origin)
	b = binary.BigEndian.AppendUint64(b, uint64(j.created))
	sum := sha256.Sum256(b)
	return sum[:]
}

// sum is over the journal's first record.
func (j *journal) sum() []byte {
	b := appendText(j.genesis(), j.incarnation)
	sum := sha256.Sum256(b)
	return sum[:]
}

// entry is the row for others to read; what the delivery columns say comes on top.
func (r *row) entry(zone *time.Location) (kiosk.Entry, error) {
	var due kiosk.Due
	if r.due != "" {
		var err error
		if due, err = kiosk.ParseDue(r.due); err != nil {
			return kiosk.Entry{}, fmt.Errorf("entry %d: %w", r.seq, err)
		}
	}
	return kiosk.Entry{
		Act: kiosk.Act{
			Key: kiosk.Key(r.key), Kind: kiosk.Kind(r.kind), At: time.UnixMicro(r.at).In(zone), Clock: kiosk.Clock(r.clock),
			Session: r.session, Role: kiosk.Role(r.role), Patron: kiosk.PatronID(r.patron.String), Item: kiosk.ItemID(r.item),
			TitleID: kiosk.TitleID(r.title), Due: due, Renewals: r.renewals, Outcome: kiosk.Outcome(r.outcome),
			Policy: r.policy, Grade: r.grade, ItemType: r.itemType, Class: r.class, Card: kiosk.Credential(r.card),
		},
		Seq: r.seq, Boot: r.boot, BootTime: time.Duration(r.boottime) * time.Microsecond,
	}, nil
}

// A delivery is how far an entry has come, as it stands in queue or delivered.
type delivery struct {
	seq      uint64
	state    string
	attempts int
	since    int64
	answer   string
	change   uint64
	sum      int64
}

func (d *delivery) dest() []any {
	return []any{&d.seq, &d.state, &d.attempts, &d.since, &d.answer, &d.change, &d.sum}
}

func (d *delivery) values() []any {
	return []any{d.seq, d.state, d.attempts, d.since, d.answer, d.change, d.sum}
}

// total is what sum must be.
func (d *delivery) total() int64 {
	b := appendText(nil, d.state, d.answer)
	for _, n := range []uint64{d.seq, uint64(d.attempts), uint64(d.since), d.change} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}
