package devicestest

import (
	"slices"
	"time"
)

// Put lays a tag into the field.
func (c *PN5180) Put(t *Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	if c.place(t) == nil {
		t.powerOff()
		c.tags = append(c.tags, &pnPlace{tag: t})
	}
}

// Take takes a tag away, also in the middle of a write.
func (c *PN5180) Take(t *Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	if p := c.place(t); p != nil {
		p.leave()
		c.tags = slices.DeleteFunc(c.tags, func(other *pnPlace) bool { return other == p })
	}
}

// place returns where a tag lies, nil if it does not.
func (c *PN5180) place(t *Tag) *pnPlace {
	i := slices.IndexFunc(c.tags, func(p *pnPlace) bool { return p.tag == t })
	if i < 0 {
		return nil
	}
	return c.tags[i]
}

// leave takes the tag's field away.
func (p *pnPlace) leave() {
	p.gone = true
	p.tag.do(p.torn)
	p.torn = nil
	p.tag.powerOff()
}

// Tags returns what lies in the field.
func (c *PN5180) Tags() []*Tag {
	c.mu.Lock()
	defer c.mu.Unlock()
	var tags []*Tag
	for _, p := range c.tags {
		tags = append(tags, p.tag)
	}
	return tags
}

// PutCard lays an ISO 14443A card into the field.
func (c *PN5180) PutCard(card *Card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	card.powerOff()
	c.cards = append(c.cards, card)
}

// TakeCard takes a card away.
func (c *PN5180) TakeCard(card *Card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	card.powerOff()
	c.cards = slices.DeleteFunc(c.cards, func(other *Card) bool { return other == card })
}

// set changes the chip under its lock.
func (c *PN5180) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	change()
}

// Freeze lets the chip hang with BUSY high after n more commands, at once for 0,
// until it is reset.
func (c *PN5180) Freeze(n int) {
	c.set(func() { c.frozen, c.freezeIn = n == 0, n })
}

// Kill cuts the bus: every byte that is read is answer, and BUSY is low.
func (c *PN5180) Kill(answer byte) { c.set(func() { c.dead, c.deadByte = true, answer }) }

// Revive mends the bus. The chip has lost its power in the meantime.
func (c *PN5180) Revive() {
	c.set(func() {
		c.dead = false
		c.start(time.Now())
	})
}

// Garble falsifies the next n replies on the bus.
func (c *PN5180) Garble(n int) { c.set(func() { c.garble = n }) }

// GarbleData falsifies what READ_DATA gives the next n times.
func (c *PN5180) GarbleData(n int) { c.set(func() { c.mangle = n }) }

// LoseAnswers keeps the chip from hearing the next n answers; the tags have done
// what they were asked to.
func (c *PN5180) LoseAnswers(n int) { c.set(func() { c.lose = n }) }

// SpoilAnswers gives the next n answers a wrong CRC.
func (c *PN5180) SpoilAnswers(n int) { c.set(func() { c.spoil = n }) }

// FaultAnswers has the next n answers damaged and GENERAL_ERROR raised, although no
// command was wrong. RX_STATUS may have nothing against such an answer, and its
// beginning or its end may never be noticed.
func (c *PN5180) FaultAnswers(n int) { c.set(func() { c.fault = n }) }

// SetComplaining has GENERAL_ERROR raised with every collision and every damaged
// answer, or not.
func (c *PN5180) SetComplaining(on bool) { c.set(func() { c.complains = on }) }

// LoseRequests keeps all tags from hearing the next n requests.
func (c *PN5180) LoseRequests(n int) { c.set(func() { c.deafen = n }) }

// Calm ends all faults that are still to come.
func (c *PN5180) Calm() {
	c.set(func() { c.garble, c.mangle, c.lose, c.spoil, c.fault, c.deafen, c.freezeIn = 0, 0, 0, 0, 0, 0, 0 })
}

// SetTiming sets how long after a frame BUSY rises and how long it stays high.
func (c *PN5180) SetTiming(rise, work time.Duration) {
	c.set(func() { c.rise, c.work = rise, work })
}

// SetEEPROM writes to the EEPROM where no command may.
func (c *PN5180) SetEEPROM(at int, data ...byte) {
	c.set(func() { copy(c.eeprom[at:], data) })
}

// OnFrame has do called before every frame on the bus, from the goroutine that
// sends it. do may call anything of the chip but Transfer.
func (c *PN5180) OnFrame(do func()) { c.set(func() { c.onFrame = do }) }

// Trace has seen called with every frame on the bus and what came back. seen may
// not call the chip.
func (c *PN5180) Trace(seen func(tx, rx []byte)) { c.set(func() { c.trace = seen }) }

// Frames returns how many frames there were.
func (c *PN5180) Frames() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames
}

// Field tells whether the field is on.
func (c *PN5180) Field() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return c.field
}
