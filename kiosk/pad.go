package kiosk

import (
	"cmp"
	"slices"
	"time"
)

// A TagOn is a tag that lies on a reader: one book, or one part of a book of several parts.
type TagOn struct {
	UID         string
	Item        ItemID
	Part, Parts int   // 2 of 3; Parts 0 or 1: the only one
	Secured     bool  // the gate would alarm
	Knows       bool  // Secured could be read
	Problem     Fault // why it has no Item: unreadable, not_ours
}

// A Pad is what lies on one reader.
type Pad struct {
	Source  string
	Role    Role
	Tags    []TagOn
	Books   []OnPad
	Trouble Fault // with what lies there as a whole; "" none
	Told    Fault // of that, in the bin
}

// An OnPad is a book on a pad.
type OnPad struct {
	Item  ItemID
	Since time.Time // when its first part was laid there
	Taken bool      // it has been taken for a scan
	Told  bool      // that parts are missing
}

// A Securing is a book whose tags are to be changed: the journal has its loan or return, the gate is
// still to learn of it.
type Securing struct {
	Item    ItemID
	On      bool
	Session uint64
	Role    Role
	Mending bool      // what an earlier act has left undone: nobody is told
	Call    uint64    // under way; 0: not
	Again   bool      // On has changed while it was under way
	Since   time.Time // of the first try
	Next    time.Time // of the next one, if the tags lie there; zero: when they are laid again
	Failed  bool      // once at least
}

// The limits of pads.
const (
	maxPads     = 4
	maxTags     = 12
	maxSecuring = 12
	maxBadTags  = 20
	waitParts   = 2 * time.Second // for the other parts of a book
	waitTag     = 2 * time.Second // between tries
	waitHelper  = 8 * time.Second // from the first try until a person must look
)

// laid is what lies on a reader now.
func (k *step) laid(ev Laid) {
	i := slices.IndexFunc(k.Pads, func(p Pad) bool { return p.Source == ev.Source })
	if i < 0 {
		if len(k.Pads) == maxPads {
			return
		}
		i = len(k.Pads)
		k.Pads = append(slices.Clip(k.Pads), Pad{Source: ev.Source})
	}
	old := k.Pads[i]
	pad := Pad{Source: ev.Source, Role: ev.Role, Tags: slices.Clone(ev.Tags[:min(len(ev.Tags), maxTags)]), Trouble: ev.trouble(), Told: old.Told}
	for _, t := range pad.Tags {
		if t.Item != "" && t.Problem == "" && pad.book(t.Item) < 0 {
			pad.Books = append(pad.Books, old.still(pad, t.Item, k.At))
		}
	}
	k.Pads = slices.Clone(k.Pads)
	k.Pads[i] = pad
	k.hear(old, pad)
	for j, s := range k.Securing {
		if !old.complete(s.Item) && pad.complete(s.Item) {
			k.changeSecuring(j, func(s *Securing) { s.Next = k.At })
		}
	}
}

func (p Pad) book(item ItemID) int {
	return slices.IndexFunc(p.Books, func(b OnPad) bool { return b.Item == item })
}

// still is a book as it lay there before, or as it has just been laid; a book of which a part has been
// taken away is laid anew.
func (p Pad) still(now Pad, item ItemID, at time.Time) OnPad {
	if i := p.book(item); i >= 0 && (!p.complete(item) || now.complete(item)) {
		return p.Books[i]
	}
	return OnPad{Item: item, Since: at}
}

// complete tells whether all parts of a book lie on the pad.
func (p Pad) complete(item ItemID) bool {
	parts, seen := 1, map[int]bool{}
	for _, t := range p.Tags {
		if t.Item == item && t.Problem == "" {
			parts = max(parts, t.Parts)
			seen[max(1, t.Part)] = true
		}
	}
	for n := range min(parts, maxTags+1) {
		if !seen[n+1] {
			return false
		}
	}
	return true
}

// trouble is what is wrong with what lies there as a whole.
func (ev Laid) trouble() Fault {
	switch {
	case len(ev.Tags) > maxTags:
		return FaultPadFull
	case ev.Unclear:
		return FaultLayFlat
	}
	return ""
}

// hear says of what is new on a pad that nothing can be done with it. To lay something there takes a notice
// down as a scan does; that its books are taken then, does not.
func (k *step) hear(old, pad Pad) {
	fresh := slices.DeleteFunc(slices.Clone(pad.Tags), func(t TagOn) bool {
		return slices.ContainsFunc(old.Tags, func(o TagOn) bool { return o.UID == t.UID && o.Item == t.Item })
	})
	if len(fresh) > 0 && pad.Role != RoleBin {
		k.clearNotice()
	}
	if pad.Role == RoleBin || pad.Trouble == "" || pad.Trouble == old.Trouble {
		k.unreadable(pad, fresh)
		return
	}
	k.scanned(Scanned{Source: pad.Source, Role: pad.Role, Problem: pad.Trouble})
}

// tellBin says once what is wrong on a pad of the bin: after its books, whose lines would push it out.
func (k *step) tellBin() {
	for i, p := range k.Pads {
		waits := slices.ContainsFunc(p.Books, func(b OnPad) bool { return !b.Taken && p.complete(b.Item) })
		if p.Role != RoleBin || p.Trouble == p.Told || waits {
			continue
		}
		k.Pads = slices.Clone(k.Pads)
		if k.Pads[i].Told = p.Trouble; p.Trouble != "" {
			k.openBin()
			k.binRefuse(Line{}, p.Trouble)
		}
	}
}

// unreadable says once of new tags that nothing can be done with them.
func (k *step) unreadable(pad Pad, fresh []TagOn) {
	for _, t := range fresh {
		if t.Item != "" && t.Problem == "" {
			continue
		}
		ev := Scanned{Source: pad.Source, Role: pad.Role, Problem: cmp.Or(t.Problem, FaultUnreadable)}
		if pad.Role == RoleBin {
			ev.Code = t.UID
		}
		k.scanned(ev)
		return
	}
}

// takeBooks takes what lies on the pads for scans: each book once, when all its parts are there, and no
// more at a time than leave room for a scanner.
func (k *step) takeBooks() {
	for i := range k.Pads {
		for j := range k.Pads[i].Books {
			p := k.Pads[i]
			b := p.Books[j]
			ev := Scanned{Source: p.Source, Role: p.Role, Code: string(b.Item), Item: b.Item}
			switch whole := p.complete(b.Item); {
			case b.Taken || whole && len(k.Open) >= maxOpen/2:
				continue
			case whole:
				b.Taken = true
			case !b.Told && !k.At.Before(b.Since.Add(waitParts)):
				b.Told = true
				ev.Item, ev.Problem = "", FaultIncomplete
			default:
				continue
			}
			k.Pads = slices.Clone(k.Pads)
			k.Pads[i].Books = slices.Clone(p.Books)
			k.Pads[i].Books[j] = b
			switch {
			case !k.handled(p.Role, b.Item):
				k.take(ev, "")
			case slices.Contains(k.BadTags, b.Item):
				k.ask(Question{Role: p.Role, Item: b.Item, Quiet: true})
			}
		}
	}
}

// handled tells whether a book on a pad needs no word more in this visit or run.
func (k *step) handled(role Role, item ItemID) bool {
	if role == RoleBin {
		return k.recording(item) || slices.ContainsFunc(k.Bin.Lines, func(l Line) bool { return l.Item == item && l.Outcome.in() })
	}
	return k.find(item) >= 0 || k.recording(item)
}

// lying is where a book's tags lie, by what was told last, and which they are. A book of which a part is
// missing does not count: all its tags change, or none.
func (s State) lying(item ItemID) (source string, tags []TagOn) {
	var since time.Time
	for _, p := range s.Pads {
		i := p.book(item)
		if !p.complete(item) || p.Books[i].Since.Before(since) {
			continue
		}
		source, tags, since = p.Source, nil, p.Books[i].Since
		for _, t := range p.Tags {
			if t.Item == item && t.Problem == "" {
				tags = append(tags, t)
			}
		}
	}
	return source, tags
}

// secure begins to change the tags of a book of which the journal has just promised a loan or a return.
// Where they do not lie on a pad, an older wish is void and the new one waits in the cache.
func (k *step) secure(q Question, a Act) {
	if k.Setup.NoGate {
		return // nobody would write, so the journal must not say that somebody did
	}
	i := slices.IndexFunc(k.Securing, func(s Securing) bool { return s.Item == a.Item })
	_, tags := k.lying(a.Item)
	job := Securing{Item: a.Item, On: a.Kind == KindReturn, Session: q.Session, Role: q.Role, Since: k.At, Next: k.At}
	switch {
	case i >= 0 && k.Securing[i].Call != 0:
		job.Call, job.Again = k.Securing[i].Call, true
		k.changeSecuring(i, func(s *Securing) { *s = job })
	case i >= 0 && tags == nil:
		k.dropSecuring(i)
	case i >= 0:
		k.changeSecuring(i, func(s *Securing) { *s = job })
	case tags != nil && len(k.Securing) < maxSecuring:
		k.Securing = append(slices.Clip(k.Securing), job)
	}
}

// mend does for a book that is laid again what an earlier act wanted of its tags, unless that is done or
// no longer right.
func (k *step) mend(q Question, c Copy) {
	_, tags := k.lying(c.Item.ID)
	busy := slices.ContainsFunc(k.Securing, func(s Securing) bool { return s.Item == c.Item.ID })
	on := c.Pending == WishSet
	if k.Setup.NoGate || c.Pending == "" || on == c.Out || tags == nil || busy || k.recording(c.Item.ID) || len(k.Securing) == maxSecuring {
		return
	}
	job := Securing{Item: c.Item.ID, On: on, Session: q.Session, Role: q.Role, Since: k.At, Next: k.At, Mending: true}
	if !slices.ContainsFunc(tags, func(t TagOn) bool { return !t.Knows || t.Secured != on }) {
		k.recordTag(job, tagKind(on))
		return
	}
	k.Securing = append(slices.Clip(k.Securing), job)
}

func tagKind(on bool) Kind {
	if on {
		return KindTagSet
	}
	return KindTagCleared
}

// recordTag writes down what became of a book's tags. Where the journal has no room for that, the wish
// stays and is looked after when the book is laid again.
func (k *step) recordTag(s Securing, kind Kind) {
	k.record(Question{Session: s.Session, Role: s.Role, Acts: []Act{{Kind: kind, Item: s.Item}}})
}

// tryTags asks for the tags whose turn it is, and calls a person where it has taken too long.
func (k *step) tryTags() {
	for i := len(k.Securing) - 1; i >= 0; i-- {
		s := k.Securing[i]
		source, tags := k.lying(s.Item)
		switch {
		case s.Call != 0 || k.recording(s.Item):
		case !k.At.Before(s.Since.Add(waitHelper)):
			k.giveUpTags(i)
		case past(s.Next, k.At) && tags == nil:
			k.changeSecuring(i, func(s *Securing) { s.Next = time.Time{} })
		case past(s.Next, k.At):
			k.Calls++
			k.changeSecuring(i, func(s *Securing) { s.Call, s.Next = k.Calls, time.Time{} })
			e := Secure{Call: k.Calls, Source: source, On: s.On}
			for _, t := range tags {
				e.Tags = append(e.Tags, t.UID)
			}
			k.out = append(k.out, e)
		}
	}
}

// secured is the answer of the reader.
func (k *step) secured(ev Secured) {
	i := slices.IndexFunc(k.Securing, func(s Securing) bool { return s.Call == ev.Call && s.Call != 0 })
	if i < 0 {
		return
	}
	switch s := k.Securing[i]; {
	case k.recording(s.Item):
		k.dropSecuring(i) // the next act is in the journal already, so this one's tags must not come after it
	case s.Again:
		k.changeSecuring(i, func(s *Securing) { s.Call, s.Again, s.Next = 0, false, k.At })
	case len(ev.Failed) > 0:
		k.changeSecuring(i, func(s *Securing) { s.Call, s.Failed, s.Next = 0, true, k.At.Add(waitTag) })
	default:
		k.dropSecuring(i)
		k.Lines, k.Bin.Lines = tagFault(k.Lines, s.Item, ""), tagFault(k.Bin.Lines, s.Item, "")
		k.Bin.Aside = slices.DeleteFunc(slices.Clone(k.Bin.Aside), func(l Line) bool { return l.Item == s.Item && l.Fault == FaultNeedsHelper })
		k.BadTags = slices.DeleteFunc(slices.Clone(k.BadTags), func(item ItemID) bool { return item == s.Item })
		k.recordTag(s, tagKind(s.On))
	}
}

// giveUpTags calls for a person: the book is lent or back, but the gate does not know.
func (k *step) giveUpTags(i int) {
	s := k.Securing[i]
	k.dropSecuring(i)
	k.recordTag(s, KindTagFailed)
	if !slices.Contains(k.BadTags, s.Item) {
		bad := append(slices.Clip(k.BadTags), s.Item)
		k.BadTags = bad[max(0, len(bad)-maxBadTags):]
	}
	switch {
	case s.Mending:
	case s.Role == RoleBin && s.Session == k.Bin.Session:
		k.Bin.Lines = tagFault(k.Bin.Lines, s.Item, FaultNeedsHelper)
		k.putAside(s.Item)
		k.sound(SoundRefused)
	case s.Session == k.Session && k.Session != 0:
		k.Lines = tagFault(k.Lines, s.Item, FaultNeedsHelper)
		k.refuse(FaultNeedsHelper, Line{})
	}
}

// tagFault says f of a book's tags on its line, or, with "", takes that back. What was lent or given back
// stays so.
func tagFault(lines []Line, item ItemID, f Fault) []Line {
	lines = slices.Clone(lines)
	for i, l := range lines {
		if l.Item == item && l.Outcome != OutcomeRefused && (l.Fault == "" || l.Fault == FaultNeedsHelper) {
			lines[i].Fault = f
		}
	}
	return lines
}

// putAside puts a book that is on the bin's strip into the aside tray.
func (k *step) putAside(item ItemID) {
	same := func(l Line) bool { return l.Item == item }
	if i := slices.IndexFunc(k.Bin.Lines, same); i >= 0 && !slices.ContainsFunc(k.Bin.Aside, same) {
		aside := append(slices.Clip(k.Bin.Aside), k.Bin.Lines[i])
		k.Bin.Aside = aside[max(0, len(aside)-maxAside):]
	}
}

func (k *step) changeSecuring(i int, change func(*Securing)) {
	k.Securing = slices.Clone(k.Securing)
	change(&k.Securing[i])
}

func (k *step) dropSecuring(i int) {
	k.Securing = slices.Delete(slices.Clone(k.Securing), i, i+1)
}

// padWake is when the next thing on the pads is due.
func (s State) padWake() time.Time {
	var next time.Time
	first := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, p := range s.Pads {
		for _, b := range p.Books {
			if !b.Taken && !b.Told && !p.complete(b.Item) {
				first(b.Since.Add(waitParts))
			}
		}
	}
	for _, q := range s.Securing {
		if q.Call == 0 && !s.recording(q.Item) {
			first(q.Next)
			first(q.Since.Add(waitHelper))
		}
	}
	return next
}

// flat marks the lines of books that must still lie on the pad.
func (s State) flat(lines []Line) []Line {
	for _, q := range s.Securing {
		i := slices.IndexFunc(lines, func(l Line) bool { return l.Item == q.Item && l.Fault == "" && l.Outcome != "" })
		if i >= 0 && !q.Mending {
			lines = slices.Clone(lines)
			lines[i].Fault = FaultLayFlat
		}
	}
	return lines
}

// mustLie tells whether a book of this visit has to be laid flat, since its tags could not be changed.
func (s State) mustLie() bool {
	return slices.ContainsFunc(s.Securing, func(q Securing) bool {
		return q.Failed && !q.Mending && q.Session == s.Session && s.Session != 0
	})
}

// padTrouble is what is wrong on a pad while somebody lays books there; "" nothing.
func (s State) padTrouble() Fault {
	switch s.Mode {
	case ModeItemFirst, ModeBorrow, ModeReturn:
		for _, p := range s.Pads {
			if p.Role != RoleBin && p.Trouble != "" {
				return p.Trouble
			}
		}
	}
	return ""
}

// wishTags begins to change the tags of what has been recorded. Of a book of which nobody knows whether
// its act is recorded, nobody knows what its tags should be.
func (k *step) wishTags(q Question, ok bool) {
	for _, a := range q.Acts {
		i := slices.IndexFunc(k.Securing, func(s Securing) bool { return s.Item == a.Item })
		switch {
		case !a.Kind.lends():
		case ok:
			k.secure(q, a)
		case i >= 0:
			k.dropSecuring(i)
		}
	}
}
