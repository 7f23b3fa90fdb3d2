package rfid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"circdesk/devices"
	"circdesk/devices/rfid/pn5180"
)

const (
	// unclearTime is how long something unreadable is heard before that is told.
	unclearTime = time.Second
	// goneTime is how long a tag goes unheard while something unreadable is heard
	// before it has left. Where nothing drowns it, missLimit polls do.
	goneTime = 5 * time.Second
	// retryEvery is how many polls pass until a tag that was told as unreadable is
	// tried again.
	retryEvery = 5

	// The usual tag has 28 blocks of four bytes, and the fixed block is 34 bytes.
	usualBlocks, usualSize, firstRead = 28, 4, 36
	// makerNXP is the byte of a UID that names the one maker of tags with EAS.
	makerNXP = 0x04
)

// A pad is what is known of the tags that lie there.
type pad struct {
	tags         []*lying
	unclearSince time.Time // when polls began to hear something unreadable; zero: they do not
	unclear      bool      // and that was told
}

// A lying is a tag on the pad.
type lying struct {
	uid    pn5180.UID
	tag    LaidTag
	done   bool // its memory was read, whatever stands in it
	told   bool
	polls  int // since it came, while it is not done
	missed int // clear polls in a row
	seen   time.Time
}

// pollTags lists the pad, reads what is new and tells a change.
func (r *Reader) pollTags(ctx context.Context, ch tagChip, count func(devices.Tally)) error {
	began := time.Now()
	uids, err := inventory(ctx, ch)
	if err != nil && !isAir(err) {
		return err
	}
	p := &r.pad
	changed := p.hear(began, err == nil)
	changed = p.leave(uids, err == nil) || changed
	for _, uid := range uids {
		t := p.find(uid)
		if t == nil {
			t = &lying{uid: uid, tag: LaidTag{UID: uid.String()}, seen: began}
			p.tags = append(p.tags, t)
		}
		news, err := r.read(ctx, ch, t)
		if err != nil {
			return err
		}
		if news {
			changed = true
			count(devices.Tally{Reads: 1})
		}
	}
	if changed {
		r.emit(p.laid(r.config.Name))
	}
	return nil
}

// inventory lists the tags in the field. Beside an error of the air it returns
// those that could be heard. Where there is much to hear and little to read, the
// driver does not come to an end by itself.
func inventory(ctx context.Context, ch tagChip) ([]pn5180.UID, error) {
	short, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	uids, err := ch.Inventory(short)
	if short.Err() != nil && ctx.Err() == nil && errors.Is(err, short.Err()) {
		return nil, fmt.Errorf("%w: no end after %v", pn5180.ErrCollision, listTime)
	}
	return uids, err
}

// laid is the event that tells the pad as it is.
func (p *pad) laid(device string) Laid {
	event := Laid{Device: device, Unclear: p.unclear, At: time.Now()}
	for _, t := range p.tags {
		if t.told {
			event.Tags = append(event.Tags, t.tag)
		}
	}
	return event
}

func (p *pad) find(uid pn5180.UID) *lying {
	i := slices.IndexFunc(p.tags, func(t *lying) bool { return t.uid == uid })
	if i < 0 {
		return nil
	}
	return p.tags[i]
}

// hear notes whether a poll, which began at a time, was clear, and tells whether
// that is something to tell.
func (p *pad) hear(began time.Time, isClear bool) (changed bool) {
	was := p.unclear
	switch {
	case isClear:
		p.unclearSince, p.unclear = time.Time{}, false
	case p.unclearSince.IsZero():
		p.unclearSince = began
	}
	p.unclear = p.unclear || !isClear && time.Since(p.unclearSince) >= unclearTime
	return p.unclear != was
}

// leave counts the tags that were not heard and forgets those that have gone. It
// tells whether one of them had been told.
func (p *pad) leave(heard []pn5180.UID, isClear bool) (changed bool) {
	now := time.Now()
	p.tags = slices.DeleteFunc(p.tags, func(t *lying) bool {
		if slices.Contains(heard, t.uid) {
			t.missed, t.seen = 0, now
			return false
		}
		if isClear {
			t.missed++
		}
		gone := t.missed >= missLimit || now.Sub(t.seen) >= goneTime
		changed = changed || gone && t.told
		return gone
	})
	return changed
}

// read reads the memory of a tag that it was not read of yet, and tells whether
// there is something to tell. What it returns as an error is the chip's failure.
func (r *Reader) read(ctx context.Context, ch tagChip, t *lying) (news bool, err error) {
	if t.done || t.told && t.polls%retryEvery != 0 {
		t.polls++
		return false, nil
	}
	t.polls++
	ctx, cancel := context.WithTimeout(ctx, tagTime)
	defer cancel()
	err = r.readTag(ctx, ch, t)
	switch {
	case err == nil:
		t.done = true
	case ctx.Err() == nil && !isAir(err):
		return false, err
	case t.polls < readTries || t.told:
		return false, nil
	default:
		t.tag.Err = "cannot be read: " + err.Error()
	}
	t.told = true
	return true, nil
}

// readTag fills t.tag. An error means that the tag could not be asked.
func (r *Reader) readTag(ctx context.Context, ch tagChip, t *lying) error {
	info, err := ch.SystemInfo(ctx, t.uid)
	if err != nil && !isRefusal(err) {
		return err
	}
	tag := LaidTag{UID: t.tag.UID}
	var wrong error
	if tag.Label, wrong, err = r.readLabel(ctx, ch, t.uid, info); err != nil {
		return err
	}
	if wrong != nil {
		tag.Err = wrong.Error()
	}
	if tag.Secured, tag.Known, err = r.state(ctx, ch, t.uid, info); err != nil {
		return err
	}
	t.tag = tag
	return nil
}

// readLabel reads as much of the memory as the label needs. wrong is what is
// wrong with what is written there.
func (r *Reader) readLabel(ctx context.Context, ch tagChip, uid pn5180.UID, info pn5180.Info) (label Label, wrong, err error) {
	blocks, size := info.Blocks, info.BlockSize
	if blocks == 0 || size == 0 {
		blocks, size = usualBlocks, usualSize
	}
	from, n := 0, min(blocks, (firstRead+size-1)/size)
	memory, err := ch.ReadBlocks(ctx, uid, from, n, size)
	if len(memory) == 0 && isRefusal(err) {
		from = 1 // some count their blocks from one
		memory, err = ch.ReadBlocks(ctx, uid, from, n, size)
	}
	if err != nil && !(isRefusal(err) && len(memory) > 0) {
		return Label{}, nil, err
	}
	label, wrong = r.config.Decode(memory)
	if wrong == nil && label.Sealed || err != nil || n == blocks {
		return label, wrong, nil
	}
	rest, err := ch.ReadBlocks(ctx, uid, from+n, blocks-n, size)
	if err != nil && !isRefusal(err) {
		return Label{}, nil, err
	}
	label, wrong = r.config.Decode(append(memory, rest...))
	return label, wrong, nil
}

// state tells whether a tag is secured, if that can be known.
func (r *Reader) state(ctx context.Context, ch tagChip, uid pn5180.UID, info pn5180.Info) (on, known bool, err error) {
	c := r.config
	var says []bool
	if c.usesAFI() {
		if !info.HasAFI || info.AFI != c.AFIIn && info.AFI != c.AFIOut {
			return false, false, nil
		}
		says = append(says, info.AFI == c.AFIIn)
	}
	if c.usesEAS() {
		if uid[1] != makerNXP {
			return false, false, nil
		}
		eas, err := ch.EAS(ctx, uid)
		if isRefusal(err) {
			return false, false, nil
		}
		if err != nil {
			return false, false, err
		}
		says = append(says, eas)
	}
	if len(says) == 0 || slices.Contains(says, !says[0]) {
		return false, false, nil
	}
	return says[0], true, nil
}
