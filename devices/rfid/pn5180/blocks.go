package pn5180

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// writeTurn is how long a tag may take to write.
	writeTurn = 25 * time.Millisecond
	// writeWait is after how long a tag that waits for it is told to answer.
	writeWait = 20 * time.Millisecond

	optionFlag = 0x40
	noOption   = TagError(0x03)
	makerTI    = 0x07
)

// An Info is what a tag tells of itself. A field that it does not tell is 0.
type Info struct {
	DSFID     byte
	AFI       byte
	Blocks    int
	BlockSize int // bytes
	IC        byte
	HasAFI    bool
}

// SystemInfo asks a tag for its Info.
func (d *Dev) SystemInfo(ctx context.Context, uid UID) (Info, error) {
	var info Info
	err := d.do(ctx, fmt.Sprintf("system information of %v", uid), func() error {
		var err error
		info, err = d.info(ctx, uid)
		return err
	})
	return info, err
}

func (d *Dev) info(ctx context.Context, uid UID) (Info, error) {
	if err := d.listen(tags); err != nil {
		return Info{}, err
	}
	reply, err := d.exchange(ctx, query(longest, addressed(0x22, 0x2B, uid)...))
	if err != nil {
		return Info{}, err
	}
	return parseInfo(uid, reply)
}

// parseInfo returns what a tag with that number said.
func parseInfo(uid UID, reply []byte) (Info, error) {
	data, err := payload(reply)
	if err != nil {
		return Info{}, err
	}
	if len(data) < 9 || number(data[1:9]) != uid {
		return Info{}, fmt.Errorf("%w: %X is not of tag %v", ErrProtocol, data, uid)
	}
	has, rest := data[0], data[9:]
	want := 0
	for i, n := range []int{1, 1, 2, 1} {
		want += n * int(has>>i&1)
	}
	if has > 0x0F || len(rest) != want {
		return Info{}, fmt.Errorf("%w: %X has not what it says", ErrProtocol, data)
	}
	next := func() byte { b := rest[0]; rest = rest[1:]; return b }
	info := Info{HasAFI: has&2 != 0}
	if has&1 != 0 {
		info.DSFID = next()
	}
	if has&2 != 0 {
		info.AFI = next()
	}
	if has&4 != 0 {
		info.Blocks = int(next()) + 1
		info.BlockSize = int(next()&0x1F) + 1
	}
	if has&8 != 0 {
		info.IC = next()
	}
	return info, nil
}

// ReadBlocks reads n blocks of size bytes. Together with an error it returns the
// blocks before the one that could not be read.
func (d *Dev) ReadBlocks(ctx context.Context, uid UID, first, n, size int) ([]byte, error) {
	var data []byte
	err := d.do(ctx, fmt.Sprintf("read %v", uid), func() error {
		if first < 0 || n < 1 || first+n > 256 || size < 1 || size > 32 {
			return fmt.Errorf("no such blocks: %d of %d bytes from %d on", n, size, first)
		}
		if err := d.listen(tags); err != nil {
			return err
		}
		multiple := true
		for len(data) < n*size {
			done := len(data) / size
			most := min(n-done, (longest-1)/size)
			if !multiple {
				most = 1
			}
			part, err := d.readSome(ctx, uid, first+done, most, size)
			if err != nil && most > 1 && !fatal(ctx, err) {
				// The tag has no such command, or a short answer gets through.
				multiple = false
				continue
			}
			if err != nil {
				return fmt.Errorf("block %d: %w", first+done, err)
			}
			data = append(data, part...)
		}
		return nil
	})
	return data, err
}

// readSome reads at least one block and at most n, as many as the tag gives.
func (d *Dev) readSome(ctx context.Context, uid UID, first, n, size int) ([]byte, error) {
	frame := addressed(0x22, 0x20, uid, byte(first))
	if n > 1 {
		frame = addressed(0x22, 0x23, uid, byte(first), byte(n-1))
	}
	reply, err := d.exchange(ctx, query(1+n*size, frame...))
	if err != nil {
		return nil, err
	}
	return parseBlocks(reply, n, size)
}

// parseBlocks returns the whole blocks in an answer, from one to n of them.
func parseBlocks(reply []byte, n, size int) ([]byte, error) {
	data, err := payload(reply)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%size != 0 || len(data) > n*size {
		return nil, fmt.Errorf("%w: %d bytes are not up to %d blocks of %d", ErrProtocol, len(data), n, size)
	}
	return data, nil
}

// Locked tells of n blocks whether they can be written no more.
func (d *Dev) Locked(ctx context.Context, uid UID, first, n int) ([]bool, error) {
	var locked []bool
	err := d.do(ctx, fmt.Sprintf("block security of %v", uid), func() error {
		if first < 0 || n < 1 || n > longest-1 || first+n > 256 {
			return fmt.Errorf("no such blocks: %d from %d on", n, first)
		}
		if err := d.listen(tags); err != nil {
			return err
		}
		reply, err := d.exchange(ctx, query(1+n, addressed(0x22, 0x2C, uid, byte(first), byte(n-1))...))
		if err != nil {
			return err
		}
		status, err := parseBlocks(reply, n, 1)
		for _, s := range status {
			locked = append(locked, s&1 != 0)
		}
		return err
	})
	return locked, err
}

// WriteBlock writes a block and reads it back.
func (d *Dev) WriteBlock(ctx context.Context, uid UID, block int, data []byte) error {
	return d.do(ctx, fmt.Sprintf("write block %d of %v", block, uid), func() error {
		if block < 0 || block > 255 || len(data) < 1 || len(data) > 32 {
			return fmt.Errorf("no such block of %d bytes", len(data))
		}
		return d.change(ctx, func() error {
			return d.program(ctx, uid, 0x21, append([]byte{byte(block)}, data...)...)
		}, func() (bool, error) {
			got, err := d.readSome(ctx, uid, block, 1, len(data))
			return bytes.Equal(got, data), err
		})
	})
}

// WriteAFI writes a tag's application family, 07 for in and C2 for out in many a
// library, and asks the tag whether it has it.
func (d *Dev) WriteAFI(ctx context.Context, uid UID, afi byte) error {
	return d.do(ctx, fmt.Sprintf("write AFI %02X of %v", afi, uid), func() error {
		return d.change(ctx,
			func() error { return d.program(ctx, uid, 0x27, afi) },
			func() (bool, error) { return d.hasAFI(ctx, uid, afi) })
	})
}

// hasAFI asks for the AFI, or whether the tag takes part in an inventory of it.
func (d *Dev) hasAFI(ctx context.Context, uid UID, afi byte) (bool, error) {
	info, err := d.info(ctx, uid)
	if err == nil && info.HasAFI {
		return info.AFI == afi, nil
	}
	if _, refused := errors.AsType[TagError](err); err != nil && !refused {
		return false, err
	}
	if afi&0x0F == 0 {
		// In an inventory, that would mean a whole family.
		return false, fmt.Errorf("%w: it does not tell its AFI", ErrNotWritten)
	}
	if err := d.readyTags(); err != nil {
		return false, err
	}
	frame := append([]byte{0x36, 0x01, afi, 64}, uid.wire()...)
	reply, err := d.exchange(ctx, query(10, frame...))
	if errors.Is(err, ErrNoTag) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	who, _, err := parseInventory(reply)
	return who == uid, err
}

// change writes and then looks whether it is so, whatever the answer was: an
// answer can get lost, and a tag can lie.
func (d *Dev) change(ctx context.Context, write func() error, holds func() (bool, error)) error {
	if err := d.listen(tags); err != nil {
		return err
	}
	wrote := write()
	if wrote != nil && fatal(ctx, wrote) {
		return wrote
	}
	switch is, err := holds(); {
	case err == nil && is:
		return nil
	case err != nil && fatal(ctx, err), err != nil && wrote == nil:
		return err
	case wrote != nil:
		return wrote
	}
	return ErrNotWritten
}

// program sends a command that writes and returns what the tag says to it. A TI
// tag begins to answer when an end of frame tells it to.
func (d *Dev) program(ctx context.Context, uid UID, command byte, args ...byte) error {
	frame := addressed(0x22, command, uid, args...)
	if uid[1] == makerTI {
		return d.programByEOF(ctx, frame)
	}
	err := d.programNow(ctx, frame)
	if errors.Is(err, noOption) {
		return d.programByEOF(ctx, frame)
	}
	return err
}

func (d *Dev) programNow(ctx context.Context, frame []byte) error {
	c := query(2, frame...)
	c.turn, c.writes = writeTurn, true
	return d.obeyed(d.exchange(ctx, c))
}

// obeyed returns nil if an answer says nothing but yes.
func (d *Dev) obeyed(reply []byte, err error) error {
	if err != nil {
		return err
	}
	if data, err := payload(reply); err != nil || len(data) != 0 {
		return errors.Join(err, extra(data))
	}
	return nil
}

// extra is the error of an answer that says more than it should.
func extra(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %X after the flags", ErrProtocol, data)
}

func (d *Dev) programByEOF(ctx context.Context, frame []byte) (err error) {
	frame = append([]byte{frame[0] | optionFlag}, frame[1:]...)
	c := query(2, frame...)
	c.writes = true
	reply, err := d.exchange(ctx, c)
	if err == nil {
		return d.obeyed(reply, nil) // it refuses, or does not wait
	}
	if !errors.Is(err, ErrNoTag) {
		return err
	}
	d.rest(writeWait)
	if err := d.keepBits(txConfig, 0xFFFFFB3F); err != nil {
		return err
	}
	defer func() {
		if reload := d.loadConfig(tags); err == nil {
			err = reload
		}
	}()
	return d.obeyed(d.exchange(ctx, query(2)))
}
