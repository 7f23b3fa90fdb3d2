package main

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"circdesk/cmd/kioskd/sample"
	"circdesk/devices/devicestest"
	"circdesk/devices/rfid"
	"circdesk/devices/tag"
)

// A radio is the demo's two RFID readers, chips down to their registers, with the cards and tags of the
// sample school.
type radio struct {
	pad   *devicestest.PN5180
	hand  *devicestest.MFRC522
	cards map[string]*devicestest.Card // by the patrons' codes
	tags  map[string]*devicestest.Tag  // by the books' codes

	mu  sync.Mutex
	lie map[string]bool // on the pad
	up  string          // the card that is held up; "": none
}

// newRadio gives every card and book of the cast its chip.
func newRadio(school sample.Files) (*radio, error) {
	r := &radio{pad: devicestest.NewPN5180(), hand: devicestest.NewMFRC522(), cards: map[string]*devicestest.Card{},
		tags: map[string]*devicestest.Tag{}, lie: map[string]bool{}}
	rows, err := csv.NewReader(bytes.NewReader(school.Patrons)).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, row := range rows[1:] {
		uid, err := hex.DecodeString(row[len(row)-1]) // the column card_uid
		if err != nil {
			return nil, err
		}
		r.cards[row[0]] = devicestest.NewCard(uid, 0x0044, 0x00)
	}
	r.cards[school.Cast.UnknownCard.Code] = devicestest.NewCard([]byte{0x04, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44}, 0x0044, 0x00)
	for i, b := range school.Cast.Books() {
		if len(b.Code) != 14 {
			continue // the shop's code: no library tag has that
		}
		out := b.Code == school.Cast.OnLoan.Code || b.Code == school.Cast.Renewable.Code || b.Code == school.Cast.Wanted.Code
		if r.tags[b.Code], err = newTag(b.Code, byte(i), out); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newTag is a library tag with a book's number on it.
func newTag(code string, n byte, out bool) (*devicestest.Tag, error) {
	memory, err := tag.Encode(tag.Tag{Format: tag.Block, Item: code, Part: 1, Parts: 1, Usage: tag.Circulating, Country: "US", Library: sample.Site})
	spec := devicestest.TagSpec{UID: [8]byte{0xE0, 0x04, 0x01, 0x50, 0x00, 0x00, 0x10, n}, AFI: 0x07, EAS: true, Memory: memory}
	if out {
		spec.AFI, spec.EAS = 0xC2, false
	}
	return devicestest.NewTag(spec), err
}

// buses are the readers' connections, by their names in the config.
func (r *radio) buses() map[string]func() (rfid.Bus, error) {
	return map[string]func() (rfid.Bus, error){
		"pad": func() (rfid.Bus, error) {
			return rfid.Bus{Port: r.pad, Reset: r.pad.ResetPin(), Busy: r.pad.BusyPin()}, nil
		},
		"cards": func() (rfid.Bus, error) { return rfid.Bus{Port: r.hand, Reset: r.hand.ResetPin()}, nil },
	}
}

// heldUp is how long a card is held to the reader.
const heldUp = 1500 * time.Millisecond

// holdUp holds a card to the reader for a moment.
func (r *radio) holdUp(req *http.Request) error {
	code := req.PostFormValue("code")
	card := r.cards[code]
	if card == nil {
		return fmt.Errorf("nobody has the card %q", code)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.up != "" {
		return errors.New("a card is at the reader already")
	}
	r.up = code
	r.hand.Put(card)
	time.AfterFunc(heldUp, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.hand.Take(card)
		r.up = ""
	})
	return nil
}

// lay lays a book on the pad, or takes it off.
func (r *radio) lay(req *http.Request) error {
	code := req.PostFormValue("code")
	on, err := strconv.ParseBool(req.PostFormValue("on"))
	t := r.tags[code]
	if t == nil {
		err = errors.Join(err, fmt.Errorf("%q has no tag", code))
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if on == r.lie[code] {
		return nil
	}
	r.lie[code] = on
	if on {
		r.pad.Put(t)
	} else {
		r.pad.Take(t)
	}
	return nil
}

// A tagState is what the simulator shows of a tag.
type tagState struct {
	Lies   bool // on the pad
	Alarms bool // at the gate
}

func (r *radio) tagStates() map[string]tagState {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]tagState{}
	for code, t := range r.tags {
		all[code] = tagState{r.lie[code], t.Look().EAS}
	}
	return all
}
