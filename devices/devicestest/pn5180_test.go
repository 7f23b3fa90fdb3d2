package devicestest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A pnHost speaks to a chip as a driver would that knows only the bus.
type pnHost struct {
	t    *testing.T
	chip *PN5180
}

// onBus tells a story in a bubble, with a chip that has started.
func onBus(t *testing.T, story func(t *testing.T, h *pnHost)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &pnHost{t, NewPN5180()}
		h.pass(3 * time.Millisecond)
		story(t, h)
	})
}

func (h *pnHost) pass(d time.Duration) { <-time.After(d) }

// tell sends a frame and waits until BUSY has come and gone.
func (h *pnHost) tell(frame string) {
	h.t.Helper()
	h.chip.Transfer(unhex(h.t, frame))
	h.pass(100 * time.Microsecond)
}

// ask sends a command and returns the n bytes of its reply.
func (h *pnHost) ask(n int, command string) string {
	h.t.Helper()
	h.tell(command)
	reply := h.chip.Transfer(slices.Repeat([]byte{0xFF}, n))
	h.pass(100 * time.Microsecond)
	return fmt.Sprintf("% X", reply)
}

func (h *pnHost) want(command, reply string) {
	h.t.Helper()
	if got := h.ask(len(unhex(h.t, reply)), command); got != fmt.Sprintf("% X", unhex(h.t, reply)) {
		h.t.Errorf("%s is answered %s, want %s", command, got, reply)
	}
}

// field sets the chip up for ISO 15693.
func (h *pnHost) field() {
	h.tell("11 0D 8D")
	h.tell("16 00")
	h.pass(5 * time.Millisecond)
}

// send sends what is to go into the air, and waits until an answer is over.
func (h *pnHost) send(frame string) {
	h.tell("00 03 FF FF 0F 00")
	h.tell("02 00 F8 FF FF FF")
	h.tell("01 00 03 00 00 00")
	h.tell("09 00 " + frame)
	h.pass(200 * time.Millisecond)
}

func TestAReplyIsASecondFrame(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.want("04 02", "04 00 00 00") // it has started
		h.tell("00 03 04 00 00 00")
		h.want("04 02", "00 00 00 00")
		h.want("07 10 06", "05 03 00 04 00 91")
		h.tell("00 0C 93 56 01 00")
		h.tell("01 0C 00 00 00 80")
		h.tell("02 0C FF FF FF F0")
		h.want("04 0C", "93 56 01 80")
		h.tell("06 40 01 02")
		h.want("07 40 02", "01 02")
	})
}

func TestWhoReadsTooEarlyReadsRubbish(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Transfer(unhex(t, "04 02"))
		if h.chip.Busy() {
			t.Error("BUSY is high at once")
		}
		if got := h.chip.Transfer(make([]byte, 4)); !bytes.Equal(got, unhex(t, "FF FF FF FF")) {
			t.Errorf("read % X before BUSY", got)
		}
		h.pass(30 * time.Microsecond)
		if !h.chip.Busy() {
			t.Error("BUSY does not rise")
		}
		h.pass(70 * time.Microsecond)
		if h.chip.Busy() {
			t.Error("BUSY does not fall")
		}
		h.want("04 02", "04 00 02 00") // and that was an error
		h.want("04 24", "80 00 00 00")
	})
}

func TestAnUnreadReplyWaitsForTheNextFrame(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.tell("07 10 02")
		if got := h.chip.Transfer(unhex(t, "00 0C 01 00 00 00")); !bytes.Equal(got, unhex(t, "05 03 FF FF FF FF")) {
			t.Errorf("the next frame reads % X", got)
		}
		h.pass(100 * time.Microsecond)
		h.want("04 0C", "00 00 00 00") // it was no command
	})
}

func TestWrongCommandsAreErrors(t *testing.T) {
	for frame, status := range map[string]string{
		"04":                "00 01 00 00",
		"04 02 00":          "00 01 00 00",
		"00 03 00":          "00 01 00 00",
		"99 00":             "80 00 00 00",
		"07 F0 20":          "00 01 00 00",
		"06 10 00":          "00 01 00 00", // where no command may write
		"09 08 26":          "00 01 00 00",
		"09 00":             "00 01 00 00", // nothing to send
		"09 00 26 01 00":    "40 00 00 00", // at the wrong moment
		"00 50 00 00 00 00": "00 01 00 00",
		"00 13 FF FF FF FF": "00 00 00 00", // only read
		"00 02 00 00 02 00": "00 00 00 00",
	} {
		onBus(t, func(t *testing.T, h *pnHost) {
			h.tell(frame)
			irq := h.ask(4, "04 02")
			if failed := irq == "04 00 02 00"; failed != (status != "00 00 00 00") {
				t.Errorf("%s: IRQ %s", frame, irq)
			}
			if got := h.ask(4, "04 24"); got != status {
				t.Errorf("%s: status %s, want %s", frame, got, status)
			}
		})
	}
}

func TestAChipThatHangsDoesSoUntilItIsReset(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Freeze(2)
		h.tell("00 0C 01 00 00 00")
		h.tell("00 0C 02 00 00 00")
		for range 3 {
			h.pass(time.Second)
			if !h.chip.Busy() || h.ask(4, "04 0C") != "FF FF FF FF" {
				t.Error("it does not hang")
			}
		}
		h.chip.SetReset(false)
		h.pass(5 * time.Microsecond)
		h.chip.SetReset(true)
		if !h.chip.Busy() {
			t.Error("5 µs are a reset")
		}
		h.chip.SetReset(false)
		h.pass(time.Millisecond)
		h.chip.SetReset(true)
		if h.chip.Busy() || h.ask(4, "04 0C") != "FF FF FF FF" {
			t.Error("it answers while it starts")
		}
		h.pass(3 * time.Millisecond)
		h.want("04 0C", "00 00 00 00")
		h.want("04 02", "04 00 00 00")
	})
}

func TestADeadBus(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		for _, answer := range []byte{0x00, 0xFF} {
			h.chip.Kill(answer)
			if got := h.ask(2, "07 10 02"); got != fmt.Sprintf("% X", []byte{answer, answer}) || h.chip.Busy() {
				t.Errorf("a dead bus says %s", got)
			}
			h.chip.Revive()
			h.pass(3 * time.Millisecond)
			h.want("07 10 02", "05 03")
		}
	})
}

func TestOneExchangeWithATag(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		h.want("04 02", "04 02 00 00")
		h.want("04 1D", "B0 01 02 00")
		h.send("26 01 00")
		h.want("04 02", "07 40 00 00")
		h.want("04 13", "0A 00 00 00")
		h.want("0A 00", "00 00 uid")
		h.send("26 01 08 C5")
		h.want("04 02", "06 00 00 00")
		h.want("04 13", "00 00 00 00")
	})
}

func TestTheStatesOfTheTransceiver(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		state := func(want string) {
			t.Helper()
			h.want("04 1D", "B0 01 02 "+want)
		}
		state("00")
		h.tell("01 00 03 00 00 00")
		state("01")
		h.tell("09 00 26 01 00")
		state("02")
		h.pass(1550 * time.Microsecond)
		state("03")
		h.pass(time.Millisecond)
		state("05")
		h.pass(10 * time.Millisecond)
		state("01")
		h.tell("02 00 F8 FF FF FF")
		state("00")
	})
}

func TestTheFieldIsInItsRegister(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.want("04 1D", "00 00 00 00")
		h.tell("11 0D 8D")
		h.tell("16 00")
		h.want("04 1D", "00 00 00 00") // it takes a while to come on
		h.want("04 02", "04 00 00 00")
		h.pass(time.Millisecond)
		h.want("04 02", "04 02 00 00")
		h.want("04 1D", "C0 01 02 00")
		h.tell("17 00")
		h.want("04 1D", "00 00 00 00")
		h.field()
		h.want("04 1D", "C0 01 02 00")
		h.chip.Revive()
		h.pass(3 * time.Millisecond)
		h.want("04 1D", "00 00 00 00")
	})
}

func TestWithoutAFieldItSendsToNobody(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.tell("11 0D 8D")
		h.send("26 01 00")
		h.want("04 02", "06 00 00 00")
		h.want("04 24", "00 00 00 00")
	})
}

func TestTheFirmwareHasItsOwnUseForTheTimer(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		for _, command := range []string{"11 0D 8D", "16 00"} {
			h.tell("00 0C 93 56 01 00")
			h.tell(command)
			h.want("04 0C", "50 A8 01 00")
		}
	})
}

func TestTwoTagsCollideAtABit(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		other := traceUID
		other[7] ^= 0x10 // bit 4 of the first byte of the number, after 16 bits
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.chip.Put(NewTag(TagSpec{UID: other}))
		h.field()
		h.send("26 01 00")
		status, _ := binary.Append(nil, binary.LittleEndian, uint32(10|1<<18|20<<19))
		h.want("04 13", fmt.Sprintf("%X", status))
		h.send("26 01 08 D4")
		h.want("0A 00", "00 00 D4 14 94 B5 50 01 04 E0")
	})
}

func TestSixteenSlotsAreSteppedByEOF(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID})) // slot 4
		h.field()
		h.send("06 01 00")
		h.tell("02 18 3F FB FF FF")
		for slot := 1; slot < 16; slot++ {
			h.send("")
			want := "06 00 00 00"
			if slot == 4 {
				want = "07 40 00 00"
			}
			h.want("04 02", want)
		}
		h.send("26 01 00") // nobody takes that for a frame without its start
		h.want("04 02", "06 00 00 00")
		h.tell("11 0D 8D")
		h.send("26 01 00")
		h.want("04 02", "07 40 00 00")
	})
}

func TestAnEOFWithAStartIsNone(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		h.send("06 01 00")
		h.tell("02 18 FF FB FF FF") // no data, but a start symbol
		for range 15 {
			h.send("")
			h.want("04 02", "06 00 00 00")
		}
	})
}

func TestWrongSettingsAreNotHeard(t *testing.T) {
	for name, settings := range map[string]string{
		"for cards": "11 00 80", "half for cards": "11 0D 80", "none": "", "no CRC": "02 19 FE FF FF FF",
	} {
		onBus(t, func(t *testing.T, h *pnHost) {
			h.chip.Put(NewTag(TagSpec{UID: traceUID}))
			if settings[:min(2, len(settings))] == "02" {
				h.tell("11 0D 8D")
			}
			if settings != "" {
				h.tell(settings)
			}
			h.tell("16 00")
			h.pass(5 * time.Millisecond)
			h.send("26 01 00")
			if got := h.ask(4, "04 02"); got != "06 00 00 00" {
				t.Errorf("%s: IRQ %s", name, got)
			}
		})
	}
}

func TestTheCRCIsLeftOnIfNobodyChecksIt(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		h.tell("02 12 FE FF FF FF")
		h.send("22 20 uid 00")
		h.want("04 13", "07 00 00 00")
		crc := crc15693(make([]byte, 5))
		h.want("0A 00", fmt.Sprintf("00 00 00 00 00 %02X %02X", byte(crc), byte(crc>>8)))
	})
}

func TestLongAnswersAreNotWhatTheySeem(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID, Blocks: 128}))
		h.field()
		h.chip.SpoilAnswers(2)
		h.send("22 23 uid 00 3E") // 253 bytes
		h.want("04 13", "FD 00 01 00")
		h.send("22 23 uid 00 3F") // 257
		h.want("04 13", "01 01 00 00")
		h.send("22 23 uid 00 7F") // 513
		h.want("04 13", "1C 01 00 00")
	})
}

func TestATagNeedsAFieldForAWhile(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		h.send("22 02 uid")
		heard := func() bool {
			h.send("26 01 00")
			return h.ask(4, "04 02") == "07 40 00 00"
		}
		if heard() {
			t.Error("a quiet tag answers")
		}
		h.tell("17 00")
		h.pass(4 * time.Millisecond)
		h.field()
		if heard() {
			t.Error("4 ms without a field and it has forgotten to be quiet")
		}
		h.tell("17 00")
		h.pass(6 * time.Millisecond)
		h.tell("16 00")
		if heard() {
			t.Error("it hears before it has started")
		}
		if !heard() {
			t.Error("it does not answer after 6 ms without a field")
		}
	})
}

func TestATagTakenAwayInAWrite(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		7 * time.Millisecond: "12\x00\x00", 30 * time.Millisecond: "1234",
	} {
		onBus(t, func(t *testing.T, h *pnHost) {
			tag := NewTag(TagSpec{UID: traceUID})
			h.chip.Put(tag)
			h.field()
			h.tell("01 00 03 00 00 00")
			h.tell("09 00 22 21 uid 03 31 32 33 34")
			h.pass(wait)
			h.chip.Take(tag)
			if got := string(tag.Look().Memory[12:16]); got != want {
				t.Errorf("taken away after %v: %q, want %q", wait, got, want)
			}
		})
	}
}

func TestAnAnswerThatBreaksOff(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		tag := NewTag(TagSpec{UID: traceUID})
		h.chip.Put(tag)
		h.field()
		h.tell("01 00 03 00 00 00")
		h.tell("09 00 26 01 00")
		h.pass(3 * time.Millisecond)
		h.chip.Take(tag)
		h.pass(5 * time.Millisecond)
		h.want("04 13", "0A 00 01 00")
	})
}

func TestFaultsOfTheAir(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		tag := NewTag(TagSpec{UID: traceUID})
		h.chip.Put(tag)
		h.field()
		h.chip.LoseRequests(1)
		h.send("22 27 uid C2")
		if tag.Look().AFI != 0 {
			t.Error("a lost request was heard")
		}
		h.chip.LoseAnswers(1)
		h.send("22 27 uid C2")
		h.want("04 02", "06 00 00 00")
		if tag.Look().AFI != 0xC2 {
			t.Error("the answer was lost, and with it the request")
		}
		h.chip.SpoilAnswers(1)
		h.send("26 01 00")
		h.want("04 13", "0A 00 01 00")
		h.chip.GarbleData(1)
		h.send("26 01 00")
		h.want("04 13", "0A 00 00 00")
		if h.ask(10, "0A 00") == "00 00 C4 14 94 B5 50 01 04 E0" {
			t.Error("nothing was falsified")
		}
		h.want("0A 00", "00 00 uid")
	})
}

func TestAReceptionThatIsAnErrorOfTheChip(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.field()
		seen := map[string]int{}
		for range 100 {
			h.chip.FaultAnswers(1)
			h.send("26 01 00")
			h.want("04 24", "00 00 00 00") // no command was wrong
			seen[h.ask(4, "04 02")+", "+h.ask(4, "04 13")]++
		}
		for _, kind := range []string{
			"06 40 02 00, 00 00 00 00", "07 40 02 00, 0A 00 01 00", "07 40 02 00, 0A 00 00 00",
			"06 00 02 00, 00 00 00 00", "07 00 02 00, 0A 00 01 00", "07 00 02 00, 0A 00 00 00",
		} {
			if seen[kind] == 0 {
				t.Errorf("never %s", kind)
			}
		}
		if len(seen) != 6 {
			t.Errorf("saw %v", seen)
		}
		h.send("26 01 00")
		h.want("04 02", "07 40 00 00")
	})
}

func TestAChipThatComplainsOfCollisions(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		other := traceUID
		other[7] ^= 0x10
		h.chip.Put(NewTag(TagSpec{UID: traceUID}))
		h.chip.Put(NewTag(TagSpec{UID: other}))
		h.chip.SetComplaining(true)
		h.field()
		h.send("26 01 00")
		h.want("04 02", "07 40 02 00")
		h.want("04 13", "0A 00 A4 00")
		h.want("04 24", "00 00 00 00")
		h.send("26 01 08 D4")
		h.want("04 02", "07 40 00 00")
		h.chip.SpoilAnswers(1)
		h.send("26 01 08 D4")
		h.want("04 02", "07 40 02 00")
	})
}

func TestACardOnThePN5180(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		card := NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		h.chip.PutCard(card)
		h.tell("11 00 80")
		h.tell("16 00")
		h.pass(5 * time.Millisecond)
		crc := func(on bool) {
			for _, reg := range []string{"12", "19"} {
				if on {
					h.tell("01 " + reg + " 01 00 00 00")
				} else {
					h.tell("02 " + reg + " FE FF FF FF")
				}
			}
		}
		crc(false)
		h.tell("01 00 03 00 00 00")
		h.tell("09 07 26")
		h.pass(5 * time.Millisecond)
		h.want("04 13", "02 00 00 00")
		h.want("0A 00", "04 00")
		h.send("93 20")
		h.want("0A 00", "DE AD BE EF 22")
		crc(true)
		h.send("93 70 DE AD BE EF 22")
		h.want("04 13", "01 00 00 00")
		h.want("0A 00", "08")
		h.send("50 00")
		h.want("04 02", "06 00 00 00")
		h.chip.TakeCard(card)
	})
}

func TestThePeriphSideIsAsStrictAsAPort(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		var port spi.PortCloser = h.chip
		for _, c := range []struct {
			f    physic.Frequency
			mode spi.Mode
			bits int
		}{{8 * physic.MegaHertz, spi.Mode0, 8}, {physic.MegaHertz, spi.Mode1, 8}, {physic.MegaHertz, spi.Mode0, 16}} {
			if _, err := port.Connect(c.f, c.mode, c.bits); err == nil {
				t.Errorf("connects with %+v", c)
			}
		}
		conn, err := port.Connect(physic.MegaHertz, spi.Mode0, 8)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := port.Connect(physic.MegaHertz, spi.Mode0, 8); err == nil {
			t.Error("connects twice")
		}
		if conn.Tx(make([]byte, 2), make([]byte, 3)) == nil || conn.Tx(nil, nil) == nil || conn.Tx(make([]byte, 5000), nil) == nil {
			t.Error("takes wrong lengths")
		}
		if conn.TxPackets([]spi.Packet{{W: []byte{4, 2}, KeepCS: true}}) == nil {
			t.Error("keeps NSS low")
		}
		if err := conn.TxPackets([]spi.Packet{{W: []byte{4, 2}}}); err != nil {
			t.Error(err)
		}
		h.pass(100 * time.Microsecond)
		reply := make([]byte, 4)
		if err := conn.Tx(nil, reply); err != nil || reply[0] != 0x04 {
			t.Errorf("read % X, %v", reply, err)
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		if _, err := port.Connect(physic.MegaHertz, spi.Mode0, 8); err != nil {
			t.Error(err)
		}
	})
}

func TestThePinsAreTheChipsLines(t *testing.T) {
	onBus(t, func(t *testing.T, h *pnHost) {
		busy, reset := h.chip.BusyPin(), h.chip.ResetPin()
		if busy.Out(gpio.High) == nil {
			t.Error("drives BUSY")
		}
		h.chip.Freeze(0)
		if busy.Read() != gpio.High {
			t.Error("BUSY is low on a chip that hangs")
		}
		reset.Out(gpio.Low)
		h.pass(time.Millisecond)
		reset.Out(gpio.High)
		if busy.Read() != gpio.Low {
			t.Error("BUSY is high after a reset")
		}
	})
}
