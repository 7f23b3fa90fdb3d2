package pn5180

import (
	"errors"
	"slices"
	"testing"
)

// asKnown checks that an error is one that callers can tell apart.
func asKnown(t *testing.T, err error) {
	t.Helper()
	_, said := errors.AsType[TagError](err)
	if err != nil && !said && !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrCollision) && !errors.Is(err, ErrCRC) {
		t.Errorf("error of no kind: %v", err)
	}
}

func FuzzAnswersOfTags(f *testing.F) {
	f.Add([]byte{0x00, 0x00, 0xC4, 0x14, 0x94, 0xB5, 0x50, 0x01, 0x04, 0xE0}, 1, 4)
	f.Add([]byte{0x00, 0x0F, 0xC4, 0x14, 0x94, 0xB5, 0x50, 0x01, 0x04, 0xE0, 0x3E, 0x07, 0x1B, 0x03, 0x01}, 9, 4)
	f.Add([]byte{0x00, 0x04, 0xC4, 0x14, 0x94, 0xB5, 0x50, 0x01, 0x04, 0xE0, 0x1B, 0x03}, 0, 0)
	f.Add([]byte{0x01, 0x0F}, 1, 4)
	f.Add([]byte{0x00, 1, 2, 3, 4, 5, 6, 7, 8}, 3, 4)
	f.Add([]byte{}, 1, 1)
	f.Fuzz(func(t *testing.T, reply []byte, n, size int) {
		before := slices.Clone(reply)
		uid, dsfid, err := parseInventory(reply)
		asKnown(t, err)
		if err == nil && !slices.Equal(reply, append([]byte{0, dsfid}, uid.wire()...)) {
			t.Errorf("%X is not what %v sends", reply, uid)
		}
		info, err := parseInfo(sample, reply)
		asKnown(t, err)
		if err == nil && (!slices.Equal(reply[2:10], sample.wire()) || info.Blocks > 256 || info.BlockSize > 32) {
			t.Errorf("%+v from %X", info, reply)
		}
		n, size = 1+int(uint(n)%256), 1+int(uint(size)%32)
		data, err := parseBlocks(reply, n, size)
		asKnown(t, err)
		if err == nil && (len(data) == 0 || len(data)%size != 0 || len(data) > n*size || reply[0] != 0) {
			t.Errorf("%X are %d blocks of %d", data, n, size)
		}
		if !slices.Equal(before, reply) {
			t.Error("the answer was changed")
		}
	})
}

func FuzzAnswersOfTheChip(f *testing.F) {
	f.Add(uint32(0x0000000A), 10)
	f.Add(uint32(0x0004000A|5<<19), 10)
	f.Add(uint32(0x0001000A), 10)
	f.Add(uint32(0xFFFFFFFF), 250)
	f.Fuzz(func(t *testing.T, status uint32, expect int) {
		expect = 1 + int(uint(expect)%longest)
		n, err := received(status, expect)
		asKnown(t, err)
		if err == nil && (n < 1 || n > expect || status&(7<<16|7<<13) != 0) {
			t.Errorf("%08X gives %d bytes", status, n)
		}
		if err != nil && n != 0 {
			t.Errorf("%08X gives %d bytes and %v", status, n, err)
		}
	})
}

func FuzzAnswersOfCards(f *testing.F) {
	f.Add(0, []byte{0xDE, 0xAD, 0xBE, 0xEF}, byte(0x08))
	f.Add(0, []byte{0x88, 0x04, 0xA3, 0xC6}, byte(0x04))
	f.Add(1, []byte{0, 0, 0, 0}, byte(0))
	f.Fuzz(func(t *testing.T, level int, bits []byte, sak byte) {
		if len(bits) != 4 {
			return
		}
		part, err := parseLevel(int(uint(level)%3), [4]byte(bits), sak)
		asKnown(t, err)
		if want := 4 - int(sak>>2&1); err == nil && len(part) != want {
			t.Errorf("%X, SAK %02X gives %X", bits, sak, part)
		}
	})
}

func FuzzMasks(f *testing.F) {
	f.Add(uint64(0xE004015000000001), uint8(3))
	f.Fuzz(func(t *testing.T, number uint64, nibbles uint8) {
		var uid UID
		for i := range uid {
			uid[i] = byte(number >> (8 * (7 - i)))
		}
		m := mask{}
		for i := range int(nibbles % 16) {
			m = m.add(int(number >> (4 * i) & 0xF))
		}
		if !m.has(uid) {
			t.Errorf("%v does not end with %X", uid, m.wire())
		}
		w := m.wire()
		if int(w[0]) != m.n || len(w) != 1+(m.n+7)/8 {
			t.Errorf("mask of %d bits: %X", m.n, w)
		}
		for i := range m.n / 4 {
			if other := (mask{m.bits ^ 1<<(4*i), m.n}); other.has(uid) {
				t.Errorf("%v ends with %X too", uid, other.wire())
			}
		}
	})
}
