package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"circdesk/cmd/kioskd/control"
)

// halfway is where a code is cut in two.
const halfway = 7

// ready plugs a scanner in and waits until the desk has it.
func ready(ctx context.Context, s scanner) error {
	if err := s.plug(ctx); err != nil {
		return fmt.Errorf("plug in %s: %w", s.name, err)
	}
	if err := s.appears(ctx); err != nil {
		return err
	}
	return becomes(ctx, s.name, "ready")
}

// gone pulls a scanner out and waits until the desk knows.
func gone(ctx context.Context, s scanner) error {
	if err := s.pull(ctx); err != nil {
		return fmt.Errorf("pull out %s: %w", s.name, err)
	}
	err := until(ctx, func(context.Context) error {
		if there, err := s.there(); there || err != nil {
			return errors.Join(err, fmt.Errorf("%s is still there", s.node))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return becomes(ctx, s.name, "absent")
}

// appears waits for a scanner's node.
func (s scanner) appears(ctx context.Context) error {
	return until(ctx, func(context.Context) error {
		if there, err := s.there(); !there || err != nil {
			return errors.Join(err, fmt.Errorf("there is no %s", s.node))
		}
		return nil
	})
}

// borrow has somebody borrow books with a scanner that is ready.
func (b *bench) borrow(ctx context.Context, s scanner, books int) error {
	before, err := status(ctx)
	if err != nil {
		return err
	}
	who := b.cast.person()
	if err := s.scan(ctx, who.code); err != nil {
		return fmt.Errorf("scan the card: %w", err)
	}
	if err := knows(ctx, before.Session); err != nil {
		return err
	}
	for n := range books {
		book, err := b.cast.book()
		if err != nil {
			return err
		}
		if err := s.scan(ctx, book); err != nil {
			return fmt.Errorf("scan book %d: %w", n+1, err)
		}
		if err := lent(ctx, before.Entries, who.code, book); err != nil {
			return err
		}
	}
	return nil
}

// visit is a card and three books.
func (b *bench) visit(ctx context.Context, s scanner) error {
	if err := ready(ctx, s); err != nil {
		return err
	}
	return errors.Join(b.borrow(ctx, s, 3), gone(ctx, s))
}

// replug pulls a scanner out while it sends a code, plugs it in again and has a book borrowed, many times.
// What came of the half must be neither a code nor a part of the next.
func (b *bench) replug(ctx context.Context, s scanner) error {
	if err := ready(ctx, s); err != nil {
		return err
	}
	for n := range b.repeat {
		if err := b.tear(ctx, s); err != nil {
			return fmt.Errorf("time %d: %w", n+1, err)
		}
	}
	return gone(ctx, s)
}

func (b *bench) tear(ctx context.Context, s scanner) error {
	torn, err := b.cast.book()
	if err != nil {
		return err
	}
	since, err := head(ctx)
	if err != nil {
		return err
	}
	if err := s.begin(ctx, torn[:halfway]); err != nil {
		return fmt.Errorf("send half a code: %w", err)
	}
	if err := gone(ctx, s); err != nil {
		return err
	}
	if err := ready(ctx, s); err != nil {
		return err
	}
	if err := b.borrow(ctx, s, 1); err != nil {
		return err
	}
	return only(ctx, since, 1)
}

// only makes sure that there are so many new entries, and none of half a code.
func only(ctx context.Context, since uint64, n int) error {
	lines, err := ask[control.Line](ctx, "-since", fmt.Sprint(since+1), "journal")
	if err == nil && len(lines) != n {
		err = fmt.Errorf("%d entries where there should be %d: %+v", len(lines), n, lines)
	}
	return err
}

// twins are two scanners that differ in nothing but their ports, plugged in in either order.
func (b *bench) twins(ctx context.Context) error {
	left := cdc("left", "TWIN", "05f9", "4204", leftPort)
	right := cdc("right", "TWIN", "05f9", "4204", rightPort)
	for _, order := range [][]scanner{{left, right}, {right, left}} {
		for _, s := range order {
			if err := ready(ctx, s); err != nil {
				return err
			}
		}
		for _, s := range order {
			if err := b.apart(ctx, s, order); err != nil {
				return err
			}
		}
		for _, s := range order {
			if err := gone1(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone1 is gone for one of several scanners with nodes of the same kind.
func gone1(ctx context.Context, s scanner) error {
	return errors.Join(s.pull(ctx), becomes(ctx, s.name, "absent"))
}

// apart lends a book with one scanner and makes sure that no other has read anything.
func (b *bench) apart(ctx context.Context, s scanner, all []scanner) error {
	reads := map[string]uint64{}
	for _, each := range all {
		d, err := device(ctx, each.name)
		if err != nil {
			return err
		}
		reads[each.name] = d.Reads
	}
	if err := b.borrow(ctx, s, 1); err != nil {
		return err
	}
	for _, each := range all {
		want := reads[each.name]
		if each.name == s.name {
			want += 2
		}
		err := until(ctx, func(ctx context.Context) error {
			d, err := device(ctx, each.name)
			if err == nil && d.Reads != want {
				err = fmt.Errorf("%s has read %d codes and not %d after scans with %s", d.Name, d.Reads, want, s.name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remember lends a book and keeps, on the disk, what the desk has promised.
func (b *bench) remember(ctx context.Context) error {
	s := b.scanners[0]
	if err := ready(ctx, s); err != nil {
		return err
	}
	if err := b.borrow(ctx, s, 1); err != nil {
		return err
	}
	lines, err := ask[control.Line](ctx, "journal")
	if err != nil {
		return err
	}
	return save(promised, lines)
}

// recall looks after a power cut whether the desk has kept it, and lends another book.
func (b *bench) recall(ctx context.Context) error {
	var before []control.Line
	if err := load(promised, &before); err != nil {
		return err
	}
	if err := answers(ctx); err != nil {
		return err
	}
	if err := b.intact(ctx, before); err != nil {
		return err
	}
	if err := os.Remove(promised); err != nil {
		return err
	}
	return b.visit(ctx, b.scanners[0])
}

// intact makes sure that the journal is whole and still begins with these entries.
func (b *bench) intact(ctx context.Context, before []control.Line) error {
	if _, err := verify(ctx); err != nil {
		return err
	}
	after, err := ask[control.Line](ctx, "journal")
	if err != nil {
		return err
	}
	if len(after) < len(before) {
		return fmt.Errorf("of %d entries %d are left", len(before), len(after))
	}
	for i, l := range before {
		if after[i].Key != l.Key || after[i].Item != l.Item || after[i].Seq != l.Seq || after[i].Kind != l.Kind {
			return fmt.Errorf("entry %d was %+v and is %+v", l.Seq, l, after[i])
		}
	}
	return nil
}

// answers waits until the desk answers.
func answers(ctx context.Context) error {
	return until(ctx, func(ctx context.Context) error { _, err := status(ctx); return err })
}
