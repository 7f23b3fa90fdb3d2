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
	book, err := b.cast.book()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("u"), 0); err != nil {
		return err
	}
	refused := errors.Join(takes(ctx, false), s.scan(ctx, book), shows(ctx, "borrowing_off"), unlent(ctx, book))
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

// takes waits until the disk takes a file, or takes none. A disk on its way to be read-only refuses new files
// before it says so, and still keeps what is flushed.
func takes(ctx context.Context, yes bool) error {
	return until(ctx, func(context.Context) error {
		var disk unix.Statfs_t
		err := unix.Statfs("/", &disk)
		if err == nil && yes {
			err = os.WriteFile(spot, []byte("x"), 0o600)
		}
		if readOnly := disk.Flags&unix.ST_RDONLY != 0; err != nil || readOnly == yes {
			return fmt.Errorf("the disk is to take files: %t; it is read-only: %t; %w", yes, readOnly, err)
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

// unlent makes sure that nothing stands in the journal of a book. Other entries may: the pad may have found
// meanwhile that the tag of an earlier book is not there.
func unlent(ctx context.Context, book string) error {
	lines, err := ask[control.Line](ctx, "journal")
	for _, l := range lines {
		if string(l.Item) == book {
			err = errors.Join(err, fmt.Errorf("the journal has %s of %s", l.Kind, book))
		}
	}
	return err
}
