package pn5180

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxRounds bounds how often an inventory looks for more tags, and maxIdle
	// how often it does so in vain. A complete one ends with silence.
	maxRounds = 24
	maxIdle   = 3
	// maxSweeps bounds the sweeps of a round. Twelve tags need that many only if
	// their numbers were chosen for it.
	maxSweeps = 128
)

// turnTime is how long beyond the usual time a tag may think about a question.
const turnTime = 250 * time.Microsecond

// query is a call to tags; expect counts the bytes of the longest answer.
func query(expect int, frame ...byte) call {
	return call{frame: frame, expect: expect, turn: turnTime, unit: tagByte}
}

// Inventory returns the numbers of the tags in the field, sorted. A number that
// the last inventory did not have is believed when its tag answers to it.
//
// If something answers that cannot be read, the list has what could be, and the
// error says why it may not be all.
func (d *Dev) Inventory(ctx context.Context) ([]UID, error) {
	var found []UID
	err := d.do(ctx, "inventory", func() error {
		if err := d.readyTags(); err != nil {
			return err
		}
		var err error
		found, err = d.inventory(ctx)
		if err == nil {
			_, err = d.inField()
		}
		if err != nil && fatal(ctx, err) {
			found = nil
		}
		return err
	})
	slices.SortFunc(found, func(a, b UID) int { return slices.Compare(a[:], b[:]) })
	if !errors.Is(err, ErrChip) {
		clear(d.known)
		for _, uid := range found {
			d.known[uid] = true
		}
	}
	return found, err
}

// readyTags has a field for tags in which none was told to be quiet.
func (d *Dev) readyTags() error {
	if err := d.listen(tags); err != nil {
		return err
	}
	if d.quiet {
		return d.renew()
	}
	return nil
}

// inventory quiets every tag that it finds, so that weaker ones are heard too.
func (d *Dev) inventory(ctx context.Context) ([]UID, error) {
	var found []UID
	trouble := fmt.Errorf("%w: too many", ErrCollision)
	idle := 0
	for range maxRounds {
		uids, unread, err := d.round(ctx)
		if err != nil {
			return nil, err
		}
		fresh, unread, err := d.acceptAll(ctx, uids, found, unread)
		if err != nil {
			return nil, err
		}
		found = append(found, fresh...)
		if len(fresh) > 0 {
			continue
		}
		if idle++; unread == nil || idle == maxIdle {
			trouble = unread
			break
		}
	}
	return found, trouble
}

// acceptAll returns which of uids are new and true; unread says of another why
// it is not, or stays what it was.
func (d *Dev) acceptAll(ctx context.Context, uids, found []UID, unread error) (fresh []UID, _, err error) {
	for _, uid := range uids {
		if slices.Contains(found, uid) || slices.Contains(fresh, uid) {
			continue // deaf to Stay Quiet
		}
		switch err := d.accept(ctx, uid); {
		case err == nil:
			fresh = append(fresh, uid)
		case fatal(ctx, err):
			return nil, nil, err
		default:
			unread = fmt.Errorf("%v: %w", uid, err)
		}
	}
	return fresh, unread, nil
}

// accept makes sure that a tag has the number that was heard, and quiets it.
func (d *Dev) accept(ctx context.Context, uid UID) error {
	if !d.known[uid] {
		if err := d.confirm(ctx, uid); err != nil {
			return err
		}
	}
	d.quiet = true
	_, err := d.exchange(ctx, query(2, addressed(0x22, 0x02, uid)...))
	if err != nil && fatal(ctx, err) {
		return err
	}
	return nil // it has no answer, and if the tag did not hear it that will show
}

// confirm asks a tag for a block by its number; any answer to that will do.
func (d *Dev) confirm(ctx context.Context, uid UID) error {
	reply, err := d.exchange(ctx, query(longest, addressed(0x22, 0x20, uid, 0)...))
	if err != nil {
		return err
	}
	if _, err := payload(reply); err != nil {
		if _, said := errors.AsType[TagError](err); !said {
			return err
		}
	}
	return nil
}

// addressed returns a request to one tag.
func addressed(flags, command byte, uid UID, args ...byte) []byte {
	return slices.Concat([]byte{flags, command}, uid.wire(), args)
}

// round returns who answers: in one slot, or in sixteen if one is not enough.
// unread says why there may be more.
func (d *Dev) round(ctx context.Context) (uids []UID, unread, err error) {
	reply, err := d.exchange(ctx, query(10, 0x26, 0x01, 0x00))
	if err == nil {
		uid, _, bad := parseInventory(reply)
		if bad == nil {
			return []UID{uid}, nil, nil
		}
		err = bad
	}
	switch {
	case fatal(ctx, err):
		return nil, nil, err
	case errors.Is(err, ErrNoTag):
		return nil, nil, nil
	}
	uids, deeper, failed := d.sweeps(ctx)
	if failed != nil {
		return nil, nil, failed
	}
	if deeper != nil || len(uids) == 0 {
		unread = errors.Join(deeper, err)
	}
	return uids, unread, nil
}

// A mask is the end of a number that tags have in common: the bits sent first.
type mask struct {
	bits uint64
	n    int
}

// add returns the mask of those who answered in a slot.
func (m mask) add(slot int) mask { return mask{m.bits | uint64(slot)<<m.n, m.n + 4} }

// wire returns the mask as it is sent.
func (m mask) wire() []byte {
	w := []byte{byte(m.n)}
	for i := 0; i < m.n; i += 8 {
		w = append(w, byte(m.bits>>i))
	}
	return w
}

// has tells whether a number ends with the mask.
func (m mask) has(uid UID) bool {
	var number uint64
	for _, b := range uid {
		number = number<<8 | uint64(b)
	}
	return (number^m.bits)&(1<<m.n-1) == 0
}

// sweeps goes through the sixteen slots, and again with a longer mask wherever
// more than one answered.
func (d *Dev) sweeps(ctx context.Context) (uids []UID, unread, err error) {
	queue := []mask{{}}
	for range maxSweeps {
		if len(queue) == 0 {
			return uids, unread, nil
		}
		found, deeper, err := d.sweep(ctx, queue[0])
		if err != nil {
			return nil, nil, err
		}
		uids = append(uids, found...)
		queue = queue[1:]
		for _, m := range deeper {
			if m.n > 60 {
				unread = fmt.Errorf("%w to the number %016X", ErrCollision, m.bits)
				continue
			}
			queue = append(queue, m)
		}
	}
	return uids, fmt.Errorf("%w: too many or too noisy", ErrCollision), nil
}

// sweep asks those with a mask. Slot 0 is part of the request; each further one
// is opened by an end of frame.
func (d *Dev) sweep(ctx context.Context, m mask) (uids []UID, deeper []mask, err error) {
	defer func() {
		// An end of frame is all that the transmitter sends by now.
		if reload := d.loadConfig(tags); err == nil {
			err = reload
		}
	}()
	for slot := range 16 {
		c := query(10, append([]byte{0x06, 0x01}, m.wire()...)...)
		if slot > 0 {
			if err := d.keepBits(txConfig, 0xFFFFFB3F); err != nil {
				return nil, nil, err
			}
			c = query(10)
		}
		reply, err := d.exchange(ctx, c)
		if err == nil {
			uid, _, bad := parseInventory(reply)
			if bad == nil && m.add(slot).has(uid) {
				uids = append(uids, uid)
				continue
			}
			err = ErrProtocol
		}
		if fatal(ctx, err) {
			return nil, nil, err
		}
		if !errors.Is(err, ErrNoTag) {
			deeper = append(deeper, m.add(slot))
		}
	}
	return uids, deeper, nil
}

// parseInventory returns what a tag said of itself in an inventory.
func parseInventory(reply []byte) (uid UID, dsfid byte, err error) {
	data, err := payload(reply)
	if err != nil {
		return UID{}, 0, err
	}
	if len(data) != 9 || data[8] != 0xE0 {
		return UID{}, 0, fmt.Errorf("%w: %X is no number of a tag", ErrProtocol, data)
	}
	return number(data[1:]), data[0], nil
}

// number returns a UID that was sent.
func number(wire []byte) UID {
	uid := UID(wire)
	slices.Reverse(uid[:])
	return uid
}

// payload returns what follows the flags of an answer, or the error that it is.
func payload(reply []byte) ([]byte, error) {
	switch {
	case len(reply) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrProtocol)
	case reply[0] == 0x01 && len(reply) == 2:
		return nil, TagError(reply[1])
	case reply[0] != 0x00:
		return nil, fmt.Errorf("%w: flags %02X with %d bytes", ErrProtocol, reply[0], len(reply))
	}
	return reply[1:], nil
}
