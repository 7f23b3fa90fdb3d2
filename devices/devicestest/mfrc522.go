package devicestest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Registers of the MFRC522 that do something here.
const (
	mfCommand    = 0x01
	mfComIEn     = 0x02
	mfDivIEn     = 0x03
	mfComIrq     = 0x04
	mfDivIrq     = 0x05
	mfError      = 0x06
	mfStatus1    = 0x07
	mfStatus2    = 0x08
	mfFIFOData   = 0x09
	mfFIFOLevel  = 0x0A
	mfWaterLevel = 0x0B
	mfControl    = 0x0C
	mfBitFraming = 0x0D
	mfColl       = 0x0E
	mfMode       = 0x11
	mfTxMode     = 0x12
	mfRxMode     = 0x13
	mfTxControl  = 0x14
	mfTxASK      = 0x15
	mfCRCResultH = 0x21
	mfCRCResultL = 0x22
	mfModWidth   = 0x24
	mfRFCfg      = 0x26
	mfTMode      = 0x2A
	mfTPrescaler = 0x2B
	mfTReloadH   = 0x2C
	mfTReloadL   = 0x2D
	mfTCounterH  = 0x2E
	mfTCounterL  = 0x2F
	mfAutoTest   = 0x36
	mfVersion    = 0x37
	mfRegisters  = 0x40
)

// Commands of the MFRC522.
const (
	mfIdle       = 0x0
	mfMem        = 0x1
	mfRandomID   = 0x2
	mfCalcCRC    = 0x3
	mfTransmit   = 0x4
	mfNoChange   = 0x7
	mfReceive    = 0x8
	mfTransceive = 0xC
	mfMFAuthent  = 0xE
	mfSoftReset  = 0xF
)

// Bits of mfComIrq.
const (
	mfIrqTx    = 1 << 6
	mfIrqRx    = 1 << 5
	mfIrqIdle  = 1 << 4
	mfIrqHi    = 1 << 3
	mfIrqLo    = 1 << 2
	mfIrqErr   = 1 << 1
	mfIrqTimer = 1 << 0
)

// Bits of mfError.
const (
	mfErrWrite    = 1 << 7
	mfErrOverflow = 1 << 4
	mfErrColl     = 1 << 3
	mfErrCRC      = 1 << 2
	mfErrParity   = 1 << 1
	mfErrProtocol = 1 << 0
)

// How long things take at 106 kbit/s and inside the chip.
const (
	mfBit       = 9440 * time.Nanosecond
	mfAuthTime  = 2500 * time.Microsecond // three passes of Crypto1
	mfCrystal   = 40 * time.Millisecond   // to start after the reset line
	mfWake      = time.Millisecond        // after a soft reset
	mfFieldOff  = 5 * time.Millisecond    // empties a card
	mfPulse     = 100 * time.Nanosecond   // the shortest reset
	mfMaxSerial = 10_000_000              // bits per second
	mfLead      = 50 * time.Microsecond   // that a chip may be ahead of the clock
)

// An MFRC522 is a simulated reader chip with cards on it, down to its registers.
// A driver has it as an spi.PortCloser with a reset pin; a program that plays the
// chip for a real bus calls Transfer and SetReset. It follows time.Now, and what
// a byte on the bus takes, and starts no goroutine.
//
// It is no kinder than the chip: an answer comes in byte by byte and may be read
// too early, a bit in an interrupt register stays until it is cleared, the timer
// runs only if it was told to, cards hear nothing before the modulation is right
// and nothing in the clear while Crypto1 is on.
type MFRC522 struct {
	mu        sync.Mutex
	connected bool
	version   byte
	loAlert   bool
	faults    MFRC522Faults
	noise     *rand.Rand

	began  time.Time
	now    time.Duration // since began
	perBit time.Duration // on the bus

	lowSince time.Duration // when the reset line went low; negative: it is high
	ready    time.Duration // from when the chip answers
	awake    time.Duration // from when its registers take writes
	hung     bool
	since    int // frames since the last reset

	reg    [mfRegisters]byte
	fifo   []byte
	crc    uint16
	secret [25]byte // the internal buffer
	events []mfEvent
	timer  time.Duration // when it ends; negative: it stands
	crypto bool
	modem  byte
	gets   bool // a receiver is on

	cards    []*Card
	fieldOff time.Duration // when the field went off; negative: it is on
	counts   MFRC522Counts
}

// An mfEvent is something that the radio will do.
type mfEvent struct {
	at time.Duration
	do func()
}

// MFRC522Counts tell what a chip has been through.
type MFRC522Counts struct {
	Frames  int // sent into the air
	Flagged int // answers that ended with a bit in the error register
	Resets  int // hard and soft
}

// MFRC522Faults are what is wrong with a chip or around it. The zero value is a
// chip in good health.
type MFRC522Faults struct {
	Dead      bool  // nobody on the bus; it reads DeadByte
	DeadByte  byte  // 00 or FF
	StuckIRQ  byte  // bits of ComIrq that always read 1
	NoIRQ     bool  // no bit of ComIrq ever reads 1
	Garbage   bool  // the FIFO reads anything
	Errors    byte  // bits of the error register set by every answer
	Phantom   bool  // interference answers everything, in zeros, with valid CRCs
	Noise     int   // of a thousand bits in the air, so many flip
	Bus       int   // of a thousand bytes on the bus, either way, so many flip a bit
	Copy      bool  // fails its self-test
	Hung      bool  // runs no command until the reset line has been low
	SoftHung  bool  // runs no command until a reset of either kind
	HangAfter int   // frames after which it hangs, time and again; 0: never
	NoAntenna bool  // TxControl forgets what is written to it
	Fail      error // what the bus driver says instead of anything
}

// NewMFRC522 returns a chip of version 2.0 that has been under power for a while.
func NewMFRC522() *MFRC522 {
	m := &MFRC522{
		version: 0x92, began: time.Now(), perBit: 250 * time.Nanosecond,
		noise: rand.New(rand.NewPCG(522, 14443)), lowSince: -1,
	}
	m.restart(0)
	return m
}

// SetVersion changes what the chip says it is.
func (m *MFRC522) SetVersion(v byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version = v
}

// SetSeed starts the noise, and whatever else is left to chance, anew.
func (m *MFRC522) SetSeed(seed uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noise = rand.New(rand.NewPCG(seed, 14443))
}

// SetLoAlert makes the chip raise LoAlert when its FIFO runs low, as some do.
func (m *MFRC522) SetLoAlert(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loAlert = on
}

// SetFaults breaks the chip or mends it.
func (m *MFRC522) SetFaults(f MFRC522Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.faults = f
	m.hung = f.Hung || f.SoftHung
}

// BrownOut is a dip of the supply: the registers are what they are after a reset
// and nobody is told.
func (m *MFRC522) BrownOut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.restart(m.now)
}

// Counts tells what the chip has been through.
func (m *MFRC522) Counts() MFRC522Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts
}

// Put lays a card on the reader.
func (m *MFRC522) Put(c *Card) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	c.leave, c.torn = -1, 0
	if !slices.Contains(m.cards, c) {
		c.powerOff()
		m.cards = append(m.cards, c)
	}
}

// Take takes a card away, also in the middle of its answer.
func (m *MFRC522) Take(c *Card) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.lose(c)
}

// lose removes a card, and what it was about to say with it.
func (m *MFRC522) lose(c *Card) {
	if i := slices.Index(m.cards, c); i >= 0 {
		m.cards = slices.Delete(m.cards, i, i+1)
		m.breakOff()
	}
	c.powerOff()
}

// TakeAfter takes a card away when it has heard so many frames more. Of its
// answer to the last one only so many bits come through.
func (m *MFRC522) TakeAfter(c *Card, frames, bits int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.leave, c.torn = frames, bits
}

// Cards returns what lies on the reader.
func (m *MFRC522) Cards() []*Card {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.cards)
}

// SetReset moves the reset line.
func (m *MFRC522) SetReset(high bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	switch {
	case !high && m.lowSince < 0:
		m.lowSince = m.now
		m.switchField(false)
	case high && m.lowSince >= 0:
		if m.now-m.lowSince >= mfPulse {
			m.hung = false
			m.restart(m.now)
			m.ready = m.now + mfCrystal
			m.counts.Resets++
		}
		m.lowSince = -1
	}
}

// restart sets all registers to what they are after a reset.
func (m *MFRC522) restart(now time.Duration) {
	m.reg = [mfRegisters]byte{
		mfCommand: 0x20, mfComIEn: 0x80, mfComIrq: mfIrqIdle | mfIrqLo, mfWaterLevel: 0x08,
		mfControl: 0x10, mfColl: 0xA0, mfMode: 0x3F, mfTxControl: 0x80, mfModWidth: 0x26,
		mfRFCfg: 0x48, mfAutoTest: 0x40, 0x18: 0x84, 0x19: 0x4D, 0x27: 0x88, 0x28: 0x20, 0x29: 0x20,
	}
	m.fifo, m.crc, m.events, m.timer = nil, 0xFFFF, nil, -1
	m.crypto, m.modem, m.gets, m.since = false, 0, false, 0
	m.awake = now
	m.switchField(false)
}

// catchUp lets happen what has happened until now.
func (m *MFRC522) catchUp() { m.runTo(max(m.now, time.Since(m.began))) }

// runTo lets happen, in order, what happens until a time.
func (m *MFRC522) runTo(until time.Duration) {
	for {
		timer := m.timer >= 0 && m.timer <= until
		radio := len(m.events) > 0 && m.events[0].at <= until
		switch {
		case timer && (!radio || m.timer < m.events[0].at):
			m.now = max(m.now, m.timer)
			m.timerEnds()
		case radio:
			event := m.events[0]
			m.events = m.events[1:]
			m.now = max(m.now, event.at)
			event.do()
		default:
			m.now = max(m.now, until)
			return
		}
	}
}

// later has the radio do something. Its events are entered in order.
func (m *MFRC522) later(at time.Duration, do func()) {
	m.events = append(m.events, mfEvent{at, do})
}
