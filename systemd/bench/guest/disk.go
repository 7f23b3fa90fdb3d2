package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"circdesk/cmd/kioskd/control"

	"golang.org/x/sys/unix"
)

// spot is a file on the desk's disk.
const spot = "/var/lib/bench-spot"

// readOnly makes the disk read-only in the middle of a visit, with all that is open on it, as the kernel
// does when a card fails. The desk must lend nothing more, and must lend again when the disk takes it.
func (b *bench) readOnly(ctx context.Context) error {
	s := b.scanners[0]
	if err := ready(ctx, s); err != nil {
		return err
	}
	if err := b.borrow(ctx, s, 1); err != nil {
		return err
	}
	before, err := ask[control.Line](ctx, "journal")
	if err != nil {
		return err
	}
	book, err := b.cast.book()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("u"), 0); err != nil {
		return err
	}
	refused := errors.Join(takes(ctx, false), s.scan(ctx, book), shows(ctx, "borrowing_off"), kept(ctx, len(before)))
	// In any case: the other stories need the disk.
	back := errors.Join(unix.Mount("", "/", "", unix.MS_REMOUNT, ""), takes(ctx, true), os.Remove(spot))
	if err := errors.Join(refused, back); err != nil {
		return err
	}
	if err := shows(ctx, "attract"); err != nil {
		return err
	}
	_, err = verify(ctx)
	return errors.Join(err, b.borrow(ctx, s, 1), gone(ctx, s))
}

// takes waits until the disk takes a file, or takes none.
func takes(ctx context.Context, yes bool) error {
	return until(ctx, func(context.Context) error {
		err := os.WriteFile(spot, []byte("x"), 0o600)
		if refused := errors.Is(err, unix.EROFS); refused == yes || err != nil && !refused {
			return fmt.Errorf("the disk is to take files: %t; one gets: %w", yes, err)
		}
		return nil
	})
}

// shows waits for a screen.
func shows(ctx context.Context, screen string) error {
	return until(ctx, func(ctx context.Context) error {
		s, err := status(ctx)
		if err == nil && string(s.Screen) != screen {
			err = fmt.Errorf("the screen is %q and not %q", s.Screen, screen)
		}
		return err
	})
}

// kept makes sure that the journal has as many entries as before.
func kept(ctx context.Context, before int) error {
	after, err := ask[control.Line](ctx, "journal")
	if err == nil && len(after) != before {
		err = fmt.Errorf("there are %d entries, there were %d", len(after), before)
	}
	return err
}
