package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"

	"circdesk/cmd/kioskd/control"
	"circdesk/cmd/kioskd/sample"
	"circdesk/devices/devicestest"
	"circdesk/devices/tag"

	"golang.org/x/sys/unix"
)

// A board is the chips behind the machine's SPI bus: a book pad at chip select 0, a card reader at 1.
type board struct {
	f    *os.File
	done chan error
	pad  *devicestest.PN5180
	hand *devicestest.MFRC522
}

// The board's lines (board.c).
const (
	padBusy = iota
	padReset
	handReset
)

// mount puts chips on the board.
func mount() (*board, error) {
	f, err := os.OpenFile("/dev/bench-board", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	b := &board{f: f, done: make(chan error, 1), pad: devicestest.NewPN5180(), hand: devicestest.NewMFRC522()}
	go func() { b.done <- b.serve() }()
	return b, nil
}

// unmount takes them off. The bus reads 0 then.
func (b *board) unmount() error {
	err := b.f.Close()
	if served := <-b.done; !errors.Is(served, os.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// serve answers for the chips.
func (b *board) serve() error {
	question := make([]byte, 8+4096)
	for {
		n, err := b.f.Read(question)
		if err != nil {
			return err
		}
		what, which, high := question[0], question[1], question[2] != 0
		answer := make([]byte, n-8)
		switch {
		case what == 'x' && which == 0:
			answer = b.pad.Transfer(slices.Clone(question[8:n]))
		case what == 'x':
			answer = b.hand.Transfer(slices.Clone(question[8:n]))
		case what == 's' && which == padReset:
			b.pad.SetReset(high)
		case what == 's' && which == handReset:
			b.hand.SetReset(high)
		case what == 'g' && which == padBusy && b.pad.Busy():
			answer[0] = 1
		}
		if _, err := b.f.Write(answer); err != nil && !errors.Is(err, unix.EINVAL) {
			return err // EINVAL: the desk has given up waiting
		}
	}
}

// works waits until a reader is ready.
func (b *bench) works(ctx context.Context, name string) error { return becomes(ctx, name, "ready") }

// fails waits until a reader is anything but ready.
func (b *bench) fails(ctx context.Context, name string) error {
	return until(ctx, func(ctx context.Context) error {
		d, err := device(ctx, name)
		if err == nil && (d.State == "ready" || d.State == "opening") {
			err = fmt.Errorf("%s is %s though its chip does not answer", name, d.State)
		}
		return err
	})
}

// cards takes the card reader through its troubles. After each, a card is known.
func (b *bench) cards(ctx context.Context) (err error) {
	if err := b.fails(ctx, "cards"); err != nil {
		return fmt.Errorf("absent: %w", err)
	}
	chips, err := mount()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chips.unmount()) }()
	well := devicestest.MFRC522Faults{}
	for _, trouble := range []struct {
		name  string
		begin devicestest.MFRC522Faults
		shows bool // it lasts, so that the desk says so
	}{
		{name: "present"},
		{name: "hung until its reset line was low", begin: devicestest.MFRC522Faults{Hung: true}},
		{name: "off the bus", begin: devicestest.MFRC522Faults{Dead: true}, shows: true},
	} {
		chips.hand.SetFaults(trouble.begin)
		if trouble.shows {
			if err := b.fails(ctx, "cards"); err != nil {
				return fmt.Errorf("%s: %w", trouble.name, err)
			}
			chips.hand.SetFaults(well)
		}
		if err := b.tap(ctx, chips); err != nil {
			return fmt.Errorf("%s: %w", trouble.name, err)
		}
	}
	if err := chips.deaf(ctx, b, "cards"); err != nil {
		return err
	}
	return b.tap(ctx, chips)
}

// deaf stops answering, as a board does whose bus hangs, until the desk says so.
func (b *board) deaf(ctx context.Context, desk *bench, reader string) error {
	hush, err := os.OpenFile("/sys/module/bench_board/parameters/silent", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer hush.Close()
	if _, err := hush.WriteString("1"); err != nil {
		return err
	}
	if err := desk.fails(ctx, reader); err != nil {
		return fmt.Errorf("a bus that times out: %w", err)
	}
	_, err = hush.WriteString("0")
	return err
}

// tap holds a card up and has its owner borrow a book at a scanner.
func (b *bench) tap(ctx context.Context, chips *board) error {
	if err := b.works(ctx, "cards"); err != nil {
		return err
	}
	s := b.scanners[0]
	if err := ready(ctx, s); err != nil {
		return err
	}
	before, err := status(ctx)
	if err != nil {
		return err
	}
	who := b.cast.person()
	uid, err := hex.DecodeString(who.uid)
	if err != nil {
		return err
	}
	card := devicestest.NewCard(uid, 0x0044, 0x00)
	chips.hand.Put(card)
	err = knows(ctx, before.Session)
	chips.hand.Take(card)
	if err != nil {
		return err
	}
	book, err := b.cast.book()
	if err != nil {
		return err
	}
	if err := s.scan(ctx, book); err != nil {
		return err
	}
	return lent(ctx, before.Entries, who.code, book)
}

// pad takes the book pad through the same. Each time a book is borrowed by laying it down, and its alarm
// goes off.
func (b *bench) pad(ctx context.Context) (err error) {
	if err := b.fails(ctx, "pad"); err != nil {
		return fmt.Errorf("absent: %w", err)
	}
	chips, err := mount()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chips.unmount()) }()
	for _, trouble := range []struct {
		name  string
		begin func()
		end   func() // of what lasts, so that the desk says so; nil: it heals by itself
	}{
		{"present", func() {}, nil},
		{"hung with BUSY high until it was reset", func() { chips.pad.Freeze(0) }, nil},
		{"off the bus", func() { chips.pad.Kill(0xFF) }, chips.pad.Revive},
	} {
		trouble.begin()
		if trouble.end != nil {
			if err := b.fails(ctx, "pad"); err != nil {
				return fmt.Errorf("%s: %w", trouble.name, err)
			}
			trouble.end()
		}
		if err := b.lay(ctx, chips); err != nil {
			return fmt.Errorf("%s: %w", trouble.name, err)
		}
	}
	if err := chips.deaf(ctx, b, "pad"); err != nil {
		return err
	}
	return b.lay(ctx, chips)
}

// lay has somebody scan a card and lay a book on the pad.
func (b *bench) lay(ctx context.Context, chips *board) error {
	if err := b.works(ctx, "pad"); err != nil {
		return err
	}
	s := b.scanners[0]
	if err := ready(ctx, s); err != nil {
		return err
	}
	before, err := status(ctx)
	if err != nil {
		return err
	}
	who := b.cast.person()
	if err := s.scan(ctx, who.code); err != nil {
		return err
	}
	if err := knows(ctx, before.Session); err != nil {
		return err
	}
	code, err := b.cast.book()
	if err != nil {
		return err
	}
	book, err := newTag(code)
	if err != nil {
		return err
	}
	chips.pad.Put(book)
	defer chips.pad.Take(book)
	if err := lent(ctx, before.Entries, who.code, code); err != nil {
		return err
	}
	return until(ctx, func(ctx context.Context) error {
		if afi := book.Look().AFI; afi != 0xC2 {
			return fmt.Errorf("%s is lent and would alarm at the gate: AFI %02X", code, afi)
		}
		lines, err := ask[control.Line](ctx, "-since", fmt.Sprint(before.Entries+1), "journal")
		if err == nil && !slices.ContainsFunc(lines, func(l control.Line) bool { return l.Kind == "tag_cleared" && string(l.Item) == code }) {
			err = fmt.Errorf("the journal does not say that the alarm of %s is off", code)
		}
		return err
	})
}

// newTag is a library tag with a book's number on it.
func newTag(code string) (*devicestest.Tag, error) {
	memory, err := tag.Encode(tag.Tag{Format: tag.Block, Item: code, Part: 1, Parts: 1, Usage: tag.Circulating, Country: "US", Library: sample.Site})
	if err != nil {
		return nil, err
	}
	uid := [8]byte{0xE0, 0x04, 0x01, 0x50}
	if _, err := hex.Decode(uid[4:], []byte(code[5:13])); err != nil {
		return nil, err
	}
	return devicestest.NewTag(devicestest.TagSpec{UID: uid, AFI: 0x07, EAS: true, Memory: memory}), nil
}
