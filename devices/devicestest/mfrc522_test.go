package devicestest_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A host talks to the chip with plain bytes, as a program behind a real bus does.
type host struct {
	*testing.T
	chip *devicestest.MFRC522
}

// withChip runs a test with a chip, in a time of its own.
func withChip(t *testing.T, test func(h host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(host{t, devicestest.NewMFRC522()}) })
}

func (h host) set(reg byte, data ...byte) { h.chip.Transfer(append([]byte{reg << 1}, data...)) }

func (h host) get(reg byte) byte { return h.chip.Transfer([]byte{0x80 | reg<<1, 0})[1] }

func (h host) want(reg, want byte, when string) {
	h.Helper()
	if v := h.get(reg); v != want {
		h.Errorf("%s: register %02X reads %02X, want %02X", when, reg, v, want)
	}
}

func (h host) fifo() []byte {
	n := int(h.get(0x0A))
	return h.chip.Transfer(append(bytes.Repeat([]byte{0x92}, n), 0))[1:]
}

func (h host) pass(d time.Duration) { <-time.After(d) }

// setUp makes the chip ready for cards, with a timer of 25 ms.
func (h host) setUp() {
	for _, p := range [][2]byte{{0x2A, 0x80}, {0x2B, 0xA9}, {0x2C, 0x03}, {0x2D, 0xE8}, {0x15, 0x40}, {0x11, 0x3D}, {0x14, 0x83}} {
		h.set(p[0], p[1])
	}
}

// send sends a frame and waits for its end; framing is BitFraming without its
// highest bit.
func (h host) send(framing byte, data ...byte) []byte {
	h.set(0x01, 0x00)
	h.set(0x04, 0x7F)
	h.set(0x0A, 0x80)
	h.set(0x09, data...)
	h.set(0x0D, framing)
	h.set(0x01, 0x0C)
	h.set(0x0D, framing|0x80)
	h.pass(30 * time.Millisecond)
	return h.fifo()
}

func (h host) wantAnswer(want []byte, framing byte, data ...byte) {
	h.Helper()
	if got := h.send(framing, data...); !bytes.Equal(got, want) {
		h.Errorf("% X: answer % X, want % X", data, got, want)
	}
}

// wantSilence sends a frame that nobody shall answer.
func (h host) wantSilence(framing byte, data ...byte) {
	h.Helper()
	h.wantAnswer([]byte{}, framing, data...)
	if v := h.get(0x04); v&0x21 != 0x01 {
		h.Errorf("% X: ComIrq reads %02X, want the timer alone", data, v)
	}
}

func crc(data ...byte) []byte {
	sum := uint16(0x6363)
	for _, b := range data {
		b ^= byte(sum)
		b ^= b << 4
		sum = sum>>8 ^ uint16(b)<<8 ^ uint16(b)<<3 ^ uint16(b)>>4
	}
	return append(data, byte(sum), byte(sum>>8))
}

func TestRegistersAfterAReset(t *testing.T) {
	withChip(t, func(h host) {
		for reg, want := range map[byte]byte{
			0x01: 0x20, 0x02: 0x80, 0x03: 0x00, 0x04: 0x14, 0x05: 0x00, 0x06: 0x00, 0x07: 0x21, 0x08: 0x00,
			0x0A: 0x00, 0x0B: 0x08, 0x0C: 0x10, 0x0D: 0x00, 0x0E: 0xA0, 0x11: 0x3F, 0x12: 0x00, 0x13: 0x00,
			0x14: 0x80, 0x15: 0x00, 0x21: 0xFF, 0x22: 0xFF, 0x24: 0x26, 0x26: 0x48, 0x27: 0x88, 0x28: 0x20,
			0x29: 0x20, 0x2A: 0x00, 0x2B: 0x00, 0x2C: 0x00, 0x2D: 0x00, 0x36: 0x40, 0x37: 0x92,
		} {
			h.want(reg, want, "after power-up")
		}
	})
}

func TestTheAddressByteSaysWhereEveryByteGoes(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Transfer([]byte{0x12, 0xDE, 0xAD, 0xBE, 0xEF, 0x22})
		h.want(0x0A, 5, "five bytes to one register")
		rx := h.chip.Transfer([]byte{0x92, 0x94, 0x92, 0xEE, 0x92, 0x00})
		if want := []byte{0xDE, 4, 0xAD, 0x92, 0xBE}; !bytes.Equal(rx[1:], want) {
			t.Errorf("read % X, want % X", rx[1:], want)
		}
		if rx := h.chip.Transfer(nil); len(rx) != 0 {
			t.Errorf("nothing gives % X", rx)
		}
	})
}

func TestInterruptBitsAreSetAndClearedByTheHighestBit(t *testing.T) {
	withChip(t, func(h host) {
		h.set(0x04, 0x7F)
		h.want(0x04, 0x00, "all cleared")
		h.set(0x04, 0x80|0x21)
		h.want(0x04, 0x21, "two set")
		h.set(0x04, 0x01)
		h.want(0x04, 0x20, "one cleared")
		h.set(0x05, 0x84)
		h.want(0x05, 0x04, "CRC set")
		h.set(0x05, 0x04)
		h.want(0x05, 0x00, "CRC cleared")
		h.set(0x02, 0x20)
		h.want(0x07, 0x31, "Status1 shows an enabled interrupt")
	})
}

func TestTheFIFOOverflowsAndIsFlushed(t *testing.T) {
	withChip(t, func(h host) {
		h.set(0x09, make([]byte, 64)...)
		h.want(0x06, 0x00, "64 bytes")
		h.set(0x09, 1)
		h.want(0x06, 0x10, "65 bytes")
		h.want(0x0A, 64, "65 bytes")
		h.set(0x0A, 0x80)
		h.want(0x06, 0x00, "flushed")
		h.want(0x0A, 0, "flushed")
		h.want(0x09, 0, "an empty FIFO")
	})
}

func TestTheTimerRunsAsItIsTold(t *testing.T) {
	withChip(t, func(h host) {
		h.setUp()
		h.set(0x04, 0x7F)
		h.set(0x0C, 0x40)
		h.want(0x07, 0x29, "running")
		h.pass(24 * time.Millisecond)
		h.want(0x04, 0x00, "after 24 ms")
		h.pass(1100 * time.Microsecond)
		h.want(0x04, 0x01, "after 25.1 ms")
		h.want(0x07, 0x21, "ended")
		h.set(0x04, 0x7F)
		h.set(0x0C, 0x40)
		h.set(0x0C, 0x80)
		h.pass(time.Second)
		h.want(0x04, 0x00, "stopped")
		h.set(0x2A, 0x90)
		h.set(0x0C, 0x40)
		h.pass(30 * time.Millisecond)
		h.want(0x07, 0x29, "restarted by itself")
	})
}

func TestTheCRCCoprocessor(t *testing.T) {
	withChip(t, func(h host) {
		h.set(0x11, 0x3D)
		h.set(0x05, 0x04)
		h.set(0x09, 0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22)
		h.set(0x01, 0x03)
		h.want(0x05, 0x04, "done")
		h.want(0x22, 0xB9, "low")
		h.want(0x21, 0x9C, "high")
	})
}

func TestMemMovesTwentyFiveBytes(t *testing.T) {
	withChip(t, func(h host) {
		data := []byte("twenty-five bytes go here")
		h.set(0x09, data...)
		h.set(0x01, 0x01)
		h.want(0x0A, 0, "moved in")
		h.set(0x01, 0x01)
		if got := h.fifo(); !bytes.Equal(got, data) {
			t.Errorf("got %q", got)
		}
		h.set(0x01, 0x02)
		h.set(0x01, 0x01)
		if got := h.fifo(); bytes.Equal(got[:10], data[:10]) || !bytes.Equal(got[10:], data[10:]) {
			t.Errorf("after RandomID %q", got)
		}
	})
}

func TestNobodyHearsAChipThatIsNotSetUp(t *testing.T) {
	for name, spoil := range map[string][2]byte{"no antenna": {0x14, 0x80}, "weak modulation": {0x15, 0x00}} {
		t.Run(name, func(t *testing.T) {
			withChip(t, func(h host) {
				h.chip.Put(devicestest.NewCard([]byte{1, 2, 3, 4}, 4, 8))
				h.setUp()
				h.wantAnswer([]byte{4, 0}, 7, 0x26)
				h.set(spoil[0], spoil[1])
				h.wantSilence(7, 0x52)
			})
		})
	}
	withChip(t, func(h host) {
		h.setUp()
		h.set(0x2A, 0x00)
		h.send(7, 0x26)
		h.want(0x04, 0x40, "without TAuto the timer never runs")
	})
}

func TestAnAnswerComesByteByByte(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{1, 2, 3, 4}, 4, 8))
		h.setUp()
		h.send(7, 0x26)
		h.set(0x01, 0x00)
		h.set(0x04, 0x7F)
		h.set(0x09, 0x93, 0x20)
		h.set(0x0D, 0x00)
		h.set(0x01, 0x0C)
		h.set(0x0D, 0x80)
		seen := map[byte]bool{}
		for range 100 {
			n := h.get(0x0A)
			if h.get(0x04)&0x20 == 0 {
				seen[n] = true
			}
			h.pass(20 * time.Microsecond)
		}
		if !seen[1] || !seen[2] || !seen[4] {
			t.Errorf("levels seen before RxIRq: %v", seen)
		}
		h.want(0x04, 0x60, "at the end")
		h.want(0x0C, 0x10, "at the end")
		h.want(0x08, 0x01, "at the end")
	})
}

func TestALowFIFOIsToldIfTheChipIsOfThatKind(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.SetLoAlert(true)
		h.chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8))
		h.setUp()
		h.send(7, 0x26)
		h.want(0x04, 0x60, "one byte never was above the water level")
		h.send(0, 0x93, 0x20)
		h.send(0, crc(0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22)...)
		h.want(0x04, 0x64, "nine bytes were")
	})
}

func TestACollisionIsToldByItsPosition(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8))
		h.setUp()
		h.send(7, 0x26)
		h.send(0, 0x93, 0x20)
		h.want(0x0E, 0xA0, "one card")
		h.chip.Put(devicestest.NewCard([]byte{0xDE, 0x2D, 0xBE, 0xEF}, 4, 8))
		h.wantSilence(0, 0x50, 0x00) // sends the first one back to sleep
		h.wantAnswer([]byte{4, 0}, 7, 0x52)
		h.wantAnswer([]byte{0xDE, 0xAD, 0xBE, 0xEF, 0xA2 | 0x22}, 0, 0x93, 0x20)
		h.want(0x06, 0x08, "two cards")
		h.want(0x0E, 0x90, "two cards")
		h.set(0x0E, 0x00)
		h.wantAnswer([]byte{0xDE, 0xAD, 0, 0, 0}, 0, 0x93, 0x20)
		h.want(0x0E, 0x10, "bits behind it cleared")
		// The host takes the branch of the second card: 15 bits are known and a 0.
		h.wantAnswer([]byte{0xBE, 0xEF, 0xA2}, 0, 0x93, 0x40, 0xDE, 0x2D)
		h.want(0x06, 0x00, "one branch")
	})
}

func TestAKnownPartOfAByteIsAligned(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8))
		h.setUp()
		h.send(7, 0x26)
		h.wantAnswer([]byte{0xA8, 0xBE, 0xEF, 0x22}, 0x33, 0x93, 0x33, 0xDE, 0x05)
		h.want(0x06, 0x00, "aligned")
		h.want(0x0C, 0x10, "whole bytes")
	})
}

func TestTheGoldenActivationAndTheCardLeftOnTheReader(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8))
		h.setUp()
		h.wantAnswer([]byte{0x04, 0x00}, 7, 0x26)
		h.wantAnswer([]byte{0xDE, 0xAD, 0xBE, 0xEF, 0x22}, 0, 0x93, 0x20)
		h.wantAnswer([]byte{0x08, 0xB6, 0xDD}, 0, 0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22, 0xB9, 0x9C)
		h.wantSilence(7, 0x26) // it was active: goes to sleep
		h.wantAnswer([]byte{0x04, 0x00}, 7, 0x26)
		h.send(0, 0x93, 0x20)
		h.send(0, 0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22, 0xB9, 0x9C)
		h.wantSilence(0, 0x50, 0x00, 0x57, 0xCD)
		h.wantSilence(7, 0x26)
		h.wantAnswer([]byte{0x04, 0x00}, 7, 0x52)
	})
}

func TestSevenAndTenBytesClimbTheLevels(t *testing.T) {
	withChip(t, func(h host) {
		h.setUp()
		card := devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80})
		h.chip.Put(card)
		h.wantAnswer([]byte{0x44, 0x00}, 7, 0x26)
		h.wantAnswer([]byte{0x88, 0x04, 0xA3, 0xC6, 0xE9}, 0, 0x93, 0x20)
		h.wantAnswer([]byte{0x04, 0xDA, 0x17}, 0, crc(0x93, 0x70, 0x88, 0x04, 0xA3, 0xC6, 0xE9)...)
		h.wantAnswer([]byte{0xCA, 0xE2, 0x61, 0x80, 0xC9}, 0, 0x95, 0x20)
		h.wantAnswer(crc(0x00), 0, crc(0x95, 0x70, 0xCA, 0xE2, 0x61, 0x80, 0xC9)...)
		h.chip.Take(card)
		ten := devicestest.NewCard([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0x84, 0x20)
		h.chip.Put(ten)
		h.send(7, 0x26)
		h.wantAnswer(crc(0x04), 0, crc(0x93, 0x70, 0x88, 1, 2, 3, 0x88)...)
		h.wantAnswer(crc(0x04), 0, crc(0x95, 0x70, 0x88, 4, 5, 6, 0x88^4^5^6)...)
		h.wantAnswer([]byte{7, 8, 9, 10, 7 ^ 8 ^ 9 ^ 10}, 0, 0x97, 0x20)
		h.wantAnswer(crc(0x20), 0, crc(0x97, 0x70, 7, 8, 9, 10, 7^8^9^10)...)
	})
}

// ntag selects an NTAG213.
func (h host) ntag() {
	h.setUp()
	h.chip.Put(devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}))
	h.activateNTAG()
}

func (h host) activateNTAG() {
	h.send(7, 0x52)
	h.send(0, crc(0x93, 0x70, 0x88, 0x04, 0xA3, 0xC6, 0xE9)...)
	h.send(0, crc(0x95, 0x70, 0xCA, 0xE2, 0x61, 0x80, 0xC9)...)
}

func TestAnNTAGReadsWritesAndRefuses(t *testing.T) {
	withChip(t, func(h host) {
		h.ntag()
		h.wantAnswer([]byte{4, 1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3, 7, 1, 2, 3, 0x8F, 0x1A}, 0, 0x30, 0x04, 0x26, 0xEE)
		h.wantAnswer(crc(44, 1, 2, 3, 0x04, 0xA3, 0xC6, 0xE9, 0xCA, 0xE2, 0x61, 0x80, 0, 0, 0, 0), 0, crc(0x30, 44)...)
		h.wantAnswer(crc(0, 4, 4, 2, 1, 0, 0x0F, 3), 0, crc(0x60)...)
		h.wantAnswer(crc(8, 1, 2, 3, 9, 1, 2, 3), 0, crc(0x3A, 8, 9)...)
		h.wantAnswer([]byte{0x0A}, 0, crc(0xA2, 9, 0xAA, 0xBB, 0xCC, 0xDD)...)
		h.want(0x0C, 0x14, "four bits")
		h.wantAnswer(crc(8, 1, 2, 3, 0xAA, 0xBB, 0xCC, 0xDD), 0, crc(0x3A, 8, 9)...)
		h.wantAnswer([]byte{0x00}, 0, crc(0x30, 45)...)
		h.want(0x0C, 0x14, "four bits")
		h.wantSilence(0, crc(0x30, 4)...) // it went to sleep
	})
}

func TestTheChipsOwnCRCDoesNotKnowShortAnswers(t *testing.T) {
	withChip(t, func(h host) {
		h.ntag()
		h.set(0x12, 0x80)
		h.set(0x13, 0x80)
		h.wantAnswer([]byte{4, 1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3, 7, 1, 2, 3}, 0, 0x30, 0x04)
		h.want(0x06, 0x00, "a CRC that fits")
		h.send(0, 0xA2, 9, 1, 2, 3, 4)
		h.want(0x06, 0x04, "an answer of four bits")
	})
}

// classic selects a Classic 1K.
func (h host) classic() {
	h.setUp()
	card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
	card.SetKeyA(4, [6]byte{1, 2, 3, 4, 5, 6})
	h.chip.Put(card)
	h.activateClassic()
}

func (h host) activateClassic() {
	h.send(7, 0x52)
	h.send(0, 0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22, 0xB9, 0x9C)
}

// auth runs MFAuthent with the first key.
func (h host) auth(block byte, key ...byte) {
	h.set(0x01, 0x00)
	h.set(0x04, 0x7F)
	h.set(0x0A, 0x80)
	h.set(0x09, append(append([]byte{0x60, block}, key...), 0xDE, 0xAD, 0xBE, 0xEF)...)
	h.set(0x01, 0x0E)
	h.pass(40 * time.Millisecond)
}

func TestAClassicOpensToItsKeyOnly(t *testing.T) {
	withChip(t, func(h host) {
		h.classic()
		h.wantAnswer([]byte{0x04}, 0, crc(0x30, 0)...) // not without a key
		h.activateClassic()
		h.auth(4, 6, 5, 4, 3, 2, 1)
		h.want(0x08, 0x00, "a wrong key")
		h.want(0x04, 0x41, "a wrong key: the timer")
		h.wantSilence(0, crc(0x30, 4)...)
		h.activateClassic()
		h.auth(4, 1, 2, 3, 4, 5, 6)
		h.want(0x08, 0x08, "the key")
		h.want(0x04, 0x50, "the key")
		h.want(0x01, 0x00, "the command has ended")
		h.wantAnswer(crc(make([]byte, 16)...), 0, crc(0x30, 4)...)
		h.wantSilence(7, 0x52) // encrypted, nobody understands it
		h.set(0x08, 0x00)
		h.wantAnswer([]byte{4, 0}, 7, 0x52)
		h.set(0x08, 0x08)
		h.want(0x08, 0x01, "the host cannot switch it on")
	})
}

func TestMFAuthentTakesNoFurtherBytes(t *testing.T) {
	withChip(t, func(h host) {
		h.classic()
		h.set(0x01, 0x00)
		h.set(0x0A, 0x80)
		h.set(0x09, 0x60, 0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4)
		h.set(0x01, 0x0E)
		h.set(0x09, 1)
		h.want(0x06, 0x80, "a byte during MFAuthent")
	})
}

func TestResetsOfBothKinds(t *testing.T) {
	withChip(t, func(h host) {
		h.setUp()
		h.set(0x01, 0x0F)
		h.want(0x01, 0x30, "not yet awake")
		h.set(0x11, 0x3D)
		h.want(0x11, 0x3F, "deaf until it is")
		h.pass(2 * time.Millisecond)
		h.want(0x01, 0x20, "awake")
		h.want(0x14, 0x80, "antenna")
		pin := h.chip.ResetPin()
		h.set(0x11, 0x3D)
		pin.Out(gpio.Low)
		pin.Out(gpio.High)
		h.want(0x11, 0x3D, "no pulse, no reset")
		pin.Out(gpio.Low)
		h.want(0x37, 0x00, "held in reset")
		h.pass(time.Microsecond)
		pin.Out(gpio.High)
		h.pass(10 * time.Millisecond)
		h.want(0x37, 0x00, "the crystal starts")
		h.pass(40 * time.Millisecond)
		h.want(0x37, 0x92, "started")
		h.want(0x11, 0x3F, "started")
		if pin.Read() != gpio.High {
			t.Error("the line reads low")
		}
	})
}

func TestPowerDownEndsWithTheNextCommand(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{1, 2, 3, 4}, 4, 8))
		h.setUp()
		h.set(0x01, 0x10)
		h.want(0x01, 0x10, "down")
		h.pass(10 * time.Millisecond)
		h.set(0x01, 0x00)
		h.want(0x01, 0x10, "waking")
		h.pass(10 * time.Millisecond)
		h.wantAnswer([]byte{4, 0}, 7, 0x26)
	})
}

func TestAShortDarknessDoesNotEmptyACard(t *testing.T) {
	withChip(t, func(h host) {
		h.classic()
		h.wantSilence(0, 0x50, 0x00, 0x57, 0xCD)
		h.set(0x14, 0x80)
		h.pass(time.Millisecond)
		h.set(0x14, 0x83)
		h.wantSilence(7, 0x26)
		h.set(0x14, 0x80)
		h.pass(6 * time.Millisecond)
		h.set(0x14, 0x83)
		h.wantAnswer([]byte{4, 0}, 7, 0x26)
	})
}

func TestACardTakenAwayInItsAnswer(t *testing.T) {
	withChip(t, func(h host) {
		h.ntag()
		h.chip.TakeAfter(h.chip.Cards()[0], 1, 20)
		h.wantAnswer([]byte{4, 1, 2}, 0, crc(0x30, 4)...)
		h.want(0x0C, 0x14, "torn inside a byte")
		h.wantSilence(7, 0x52)
		if n := len(h.chip.Cards()); n != 0 {
			t.Errorf("%d cards left", n)
		}
	})
	withChip(t, func(h host) {
		h.ntag()
		card := h.chip.Cards()[0]
		time.AfterFunc(2*time.Millisecond, func() { h.chip.Take(card) }) // the answer takes 1.6 ms from 1.0 ms on
		got := h.send(0, crc(0x30, 4)...)
		if len(got) == 0 || len(got) >= 18 {
			t.Errorf("got %d bytes, want some", len(got))
		}
		h.want(0x06, 0x01, "broken off")
	})
}

func TestWiresThatAreDead(t *testing.T) {
	withChip(t, func(h host) {
		for _, b := range []byte{0x00, 0xFF} {
			h.chip.SetFaults(devicestest.MFRC522Faults{Dead: true, DeadByte: b})
			h.want(0x37, b, "dead")
		}
		h.chip.SetFaults(devicestest.MFRC522Faults{})
		h.want(0x37, 0x92, "mended")
	})
}

func TestAHungChipRunsNothingUntilItsReset(t *testing.T) {
	withChip(t, func(h host) {
		h.chip.Put(devicestest.NewCard([]byte{1, 2, 3, 4}, 4, 8))
		h.setUp()
		h.chip.SetFaults(devicestest.MFRC522Faults{Hung: true})
		h.send(7, 0x26)
		h.want(0x04, 0x00, "hung")
		h.set(0x01, 0x0F)
		h.pass(time.Second)
		h.want(0x01, 0x30, "a soft reset does not end")
		pin := h.chip.ResetPin()
		pin.Out(gpio.Low)
		h.pass(time.Millisecond)
		pin.Out(gpio.High)
		h.pass(50 * time.Millisecond)
		h.setUp()
		h.wantAnswer([]byte{4, 0}, 7, 0x26)
	})
}

func TestThePortIsLikeARealOne(t *testing.T) {
	chip := devicestest.NewMFRC522()
	var port spi.PortCloser = chip
	for _, wrong := range []struct {
		f    physic.Frequency
		mode spi.Mode
		bits int
	}{{11 * physic.MegaHertz, spi.Mode0, 8}, {physic.MegaHertz, spi.Mode1, 8}, {physic.MegaHertz, spi.Mode0, 9}, {0, spi.Mode0, 8}} {
		if _, err := port.Connect(wrong.f, wrong.mode, wrong.bits); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
	conn, err := port.Connect(4*physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := port.Connect(4*physic.MegaHertz, spi.Mode0, 8); err == nil {
		t.Error("connected twice")
	}
	r1, r2 := make([]byte, 2), make([]byte, 1)
	err = conn.TxPackets([]spi.Packet{
		{W: []byte{0x12, 0xAA}},
		{W: []byte{0x94}, KeepCS: true}, {W: []byte{0x92}, R: r2, KeepCS: true}, {R: r1},
	})
	if err != nil || r2[0] != 1 || r1[0] != 0xAA {
		t.Errorf("packets: % X % X, %v", r2, r1, err)
	}
	if err := conn.Tx([]byte{1, 2, 3}, make([]byte, 2)); err == nil {
		t.Error("uneven lengths are taken")
	}
	if err := conn.TxPackets([]spi.Packet{{W: []byte{0x94}, KeepCS: true}}); err == nil {
		t.Error("the chip is left selected")
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}

func TestTapesAreStrict(t *testing.T) {
	const text = "02 00\n88 00 > 00 60\n"
	tape, err := devicestest.ParseTape("# a comment\n\n" + text)
	if err != nil || tape.String() != text {
		t.Errorf("got %q, %v", tape, err)
	}
	for _, wrong := range []string{"0", "02 0G", "88 00 > 00", "> 00", "88 00 >"} {
		if _, err := devicestest.ParseTape(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	player := tape.Player()
	if err := player.Tx([]byte{0x02, 0x01}, nil); err == nil {
		t.Error("another frame is played")
	}
	if player.Close() == nil {
		t.Error("a tape is closed in the middle")
	}
}

func FuzzParseTape(f *testing.F) {
	f.Add("02 00\n88 00 > 00 60\n")
	f.Add("# nothing\n>")
	f.Fuzz(func(t *testing.T, text string) {
		tape, err := devicestest.ParseTape(text)
		if err != nil {
			return
		}
		again, err := devicestest.ParseTape(tape.String())
		if err != nil || again.String() != tape.String() {
			t.Errorf("%q becomes %q, %v", tape, again, err)
		}
	})
}
