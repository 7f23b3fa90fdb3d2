package tag

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// raw returns the bytes of a dump.
func raw(t testing.TB, dump string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(dump, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The dumps of tags. The first is of a real one, with the 32 bytes it has.
const (
	foreign = "11 01 01 31313232333334340000000000000000 513E 4445 373035000000000000"
	single  = "11 01 01 33303132333030303031323334350000 230D 444B 3731303130300000000000"
	second  = "11 02 01 31303033303130383234313234303034 025C 4E4F 3032303330303030000000"
	card    = "18 01 01 32303132333030303030343536370000 CAE2 4742 554B5343484F4F4C303031"
	annexD  = "91 00 05 1CBE991A14  02 01 D0  14 02 04B3"
)

// padded returns b with zeros up to n bytes.
func padded(b []byte, n int) []byte { return append(bytes.Clone(b), make([]byte, n-len(b))...) }

func TestTheBlocksOfTheField(t *testing.T) {
	for dump, want := range map[string]Tag{
		foreign: {Item: "11223344", Part: 1, Parts: 1, Usage: Circulating, Country: "DE", Library: "705"},
		single:  {Item: "30123000012345", Part: 1, Parts: 1, Usage: Circulating, Country: "DK", Library: "710100"},
		second:  {Item: "1003010824124004", Part: 1, Parts: 2, Usage: Circulating, Country: "NO", Library: "02030000"},
		card:    {Item: "20123000004567", Part: 1, Parts: 1, Usage: PatronCard, Country: "GB", Library: "UKSCHOOL001"},
	} {
		want.Format = Block
		memory := raw(t, dump)
		if got, err := Decode(memory); err != nil || got != want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", dump, got, err, want)
		}
		for _, behind := range []string{
			"07 0400 63 616263 00", // an extension block that is well
			"07 0400 00 616263 00", // one that is not
			"FF FFFF FF",           // one that is longer than the memory
		} {
			whole := padded(memory, 112)
			copy(whole[blockSize:], raw(t, behind))
			if got, err := Decode(whole); err != nil || got != want {
				t.Errorf("%s in 112 bytes:\ngot  %+v, %v\nwant %+v", dump, got, err, want)
			}
			turned := want
			turned.Reversed = true
			if got, err := Decode(reverse(whole)); err != nil || got != turned {
				t.Errorf("%s reversed:\ngot  %+v, %v\nwant %+v", dump, got, err, turned)
			}
		}
	}
}

func TestATagOf32BytesHoldsAShortOwner(t *testing.T) {
	if _, err := Decode(raw(t, single)[:32]); err != nil {
		t.Error(err)
	}
	if _, err := Decode(reverse(raw(t, single)[:32])); err != nil {
		t.Errorf("reversed: %v", err)
	}
	if _, err := Decode(raw(t, card)[:32]); !errors.Is(err, ErrUnverified) {
		t.Errorf("an owner that was cut off gives %v", err)
	}
}

func TestTheChecksumOfTheModel(t *testing.T) {
	if sum := crc(0xFFFF, []byte("RFID tag data model")); sum != 0x1AEE {
		t.Errorf("%#04x", sum)
	}
	if low := stored(raw(t, second)); low != 0x5C02 {
		t.Errorf("part 1 of 2: %#04x", low)
	}
}

func TestTheNibblesOfTheFirstByte(t *testing.T) {
	for first, want := range map[byte]Tag{
		0x11: {Usage: Circulating},
		0x18: {Usage: PatronCard},
		0x81: {Usage: PatronCard, UsageFirst: true},
		0x10: {Usage: Acquisition},
		0x01: {Usage: Acquisition, UsageFirst: true},
		0x21: {Usage: NotForLoan, UsageFirst: true},
		0x17: {Usage: Discarded},
	} {
		memory := sealed(raw(t, single), func(b []byte) { b[0] = first })
		got, err := Decode(memory)
		if err != nil || got.Usage != want.Usage || got.UsageFirst != want.UsageFirst {
			t.Errorf("%#02x: %+v, %v", first, got, err)
		}
	}
}

// sealed returns memory changed, with a right checksum.
func sealed(memory []byte, change func([]byte)) []byte {
	b := padded(memory, max(len(memory), blockSize))
	change(b)
	sum := checksum(b)
	b[atCRC], b[atCRC+1] = byte(sum), byte(sum>>8)
	return b
}

func TestTheObjectsOfTheStandard(t *testing.T) {
	id := Tag{Usage: Unstated, Item: "ABC"}
	for dump, want := range map[string]Tag{
		annexD: {Usage: Unstated, Item: "123456789012", Part: 3, Parts: 12},
		// each way to write a text
		"21 04 0123456F":         {Usage: Unstated, Item: "0123456"},
		"21 04 01234567":         {Usage: Unstated, Item: "01234567"},
		"31 02 0886":             {Usage: Unstated, Item: "ABC"},
		"31 05 08864298E8":       {Usage: Unstated, Item: "ABCDEFGH"},
		"31 06 08864298E848":     {Usage: Unstated, Item: "ABCDEFGHI"},
		"31 02 0880":             {Usage: Unstated, Item: "AB"},
		"41 05 531CB3D358":       {Usage: Unstated, Item: "T12345"},
		"41 03 0420E0":           {Usage: Unstated, Item: "ABC"},
		"41 03 0420C4":           {Usage: Unstated, Item: "ABCD"},
		"41 06 520C72CF4D60":     {Usage: Unstated, Item: "T 12345"},
		"41 03 0717E0":           {Usage: Unstated, Item: "A1_"},
		"51 03 C38B1F":           {Usage: Unstated, Item: "abc"},
		"51 07 A8C593368D5B7F":   {Usage: Unstated, Item: "T123456"},
		"51 07 C38B1E4CB9B3E8":   {Usage: Unstated, Item: "abcdefgh"},
		"51 08 C38B1E4CB9B3E8D3": {Usage: Unstated, Item: "abcdefghi"},
		"71 03 414243":           id,
		"61 04 24422F31":         {Usage: Unstated, Item: "$B/1"},
		// what stands beside the id
		"71 03 414243  14 01 CA":                  {Usage: Unstated, Item: "ABC", Part: 2, Parts: 2},
		"71 03 414243  8F 20 02 01 AA0000":        id, // number 32 and two bytes of padding
		"71 03 414243  8F 20 02 01 AA0000 050120": {Usage: NotForLoan, Item: "ABC"},
		"71 03 414243  03 06 22C1E710100F":        {Usage: Unstated, Item: "ABC", Country: "DK", Library: "710100"},
		"71 03 414243  03 07 ACC0CE245BF963":      {Usage: Unstated, Item: "ABC", Country: "US", Library: "Lib/2x"},
		"71 03 414243  03 08 083C3A2E1F8AF09F":    {Usage: Unstated, Item: "ABC", Library: "A-1Bc2:D"},
		"71 03 414243  73 06 4F434C432D58":        {Usage: Unstated, Item: "ABC", Library: "OCLC-X"},
	} {
		want.Format = Objects
		memory := raw(t, dump)
		if got, err := Decode(padded(memory, 112)); err != nil || got != want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", dump, got, err, want)
		}
	}
}

func TestWhatIsNoTagNamesItsByte(t *testing.T) {
	change := func(f func(b []byte)) []byte { return sealed(raw(t, single), f) }
	objects := func(dump string) []byte { return padded(raw(t, "71 03 414243"+dump), 28) }
	for _, c := range []struct {
		memory []byte
		want   string
	}{
		{nil, "0 bytes are no tag's memory: less than 21"},
		{raw(t, single)[:20], "20 bytes are no tag's memory: less than 21"},
		{change(func(b []byte) { b[0] = 0x22 }), "byte 0: 0x22 has no version 1"},
		{change(func(b []byte) { b[2] = 2 }), "byte 2: there is no part 2 of 1"},
		{change(func(b []byte) { b[1], b[2] = 3, 0 }), "byte 2: there is no part 0 of 3"},
		{change(func(b []byte) { b[3] = 0 }), `byte 4: 0x30 after the end of ""`},
		{change(func(b []byte) { clear(b[3:19]) }), "byte 3: 0x00: no item's id"},
		{change(func(b []byte) { b[3] = 1 }), "byte 3: 0x01: the item's id is too long for the block"},
		{change(func(b []byte) { b[5] = 7 }), `byte 5: "\a23000012345" is no text`},
		{change(func(b []byte) { b[18] = 0xC3 }), `byte 18: 0xc3 after the end of "30123000012345"`},
		{change(func(b []byte) { b[22] = 0x80 }), `byte 22: "\x80" is no text`},
		{change(func(b []byte) { b[33] = 'x' }), `byte 33: 0x78 after the end of "710100"`},
		{reverse(padded(change(func(b []byte) { b[2] = 2 }), 36)), "in reversed blocks: byte 2: there is no part 2 of 1"},
		{objects(" 71 01 31"), "byte 7: object 1 comes twice"},
		{objects(" 14 01 C9 76 00"), "byte 9: a length of 0x00 with 18 bytes left"},
		{objects(" 14 01 69"), "byte 7: object 4: byte 7: there is no part 5 of 1"},
		{objects(" 14 04 FFFFFFFF"), `byte 7: object 4: "4294967295" is no set information`},
		{objects(" 76 20"), "byte 6: a length of 0x20 with 21 bytes left"},
		{objects(" F6 FF 02"), "byte 7: a length of 0x02 with -235 bytes left"},
		{objects(" 05 02 1020"), "byte 7: object 5: 10 20 is no usage"},
		{objects(" 73 04 55532D20"), `byte 7: object 3: "US- " is no library's ISIL`},
		{append(objects("")[:5:5], bytes.Repeat([]byte{0x1F}, 23)...), "byte 7: a length of 0x1f with 20 bytes left"},
		{padded(raw(t, "21 02 12FA"), 28), `byte 2: object 1: 12 fa in way 2: "12FA" are no digits`},
		{padded(raw(t, "71 02 1B5B"), 28), `byte 2: object 1: 1b 5b in way 7: byte 0: "\x1b[" is no text`},
		{padded(raw(t, "71 02 3C3E"), 28), `byte 2: object 1: "<>" is no item's id`},
		{padded(raw(t, "01 02 1B5B"), 28), "byte 2: object 1: 1b 5b in an unknown way"},
		{padded(raw(t, "11 09 AA0000000000000000"), 28), "byte 2: object 1: aa 00 00 00 00 00 00 00 00 in way 1: more than 8 bytes"},
		{padded(raw(t, "11 02 00AA"), 28), "byte 2: object 1: 00 aa in way 1: a zero before a number"},
		{padded(raw(t, "61 02 C533"), 28), `byte 2: object 1: "Å3" is no item's id`},
		{objects(" 30 01 20"), "byte 7: object 0: it has no place here"},
		{objects(" 32 01 20"), "byte 7: object 2: way 3 is not the application's"},
		{bytes.Repeat([]byte{0xFF}, 32), "byte 0: the first object is no item's id"},
	} {
		got, err := Decode(c.memory)
		if err == nil || got != (Tag{}) || err.Error() != c.want && !strings.HasSuffix(err.Error(), "; nor 28560-2: "+c.want) {
			t.Errorf("% x:\ngot  %+v, %v\nwant %s", c.memory, got, err, c.want)
		}
	}
}

func TestABlankTagIsToldFromABrokenOne(t *testing.T) {
	for _, size := range []int{28, 32, 112} {
		memory := make([]byte, size)
		if _, err := Decode(memory); err != ErrBlank {
			t.Errorf("%d zeros: %v", size, err)
		}
		memory[0] = 0x11
		if _, err := Decode(memory); err != ErrBlank {
			t.Errorf("%d zeros but the first: %v", size, err)
		}
	}
}

// A damaged block may show what it was, but never as a tag to lend on, and never
// as the objects that its bytes could also be.
func TestNoDamageGoesUnnoticed(t *testing.T) {
	for _, dump := range []string{foreign, single, second, card} {
		for _, turn := range []bool{false, true} {
			memory := padded(raw(t, dump), 112)
			if turn {
				memory = reverse(memory)
			}
			whole, err := Decode(memory)
			if err != nil {
				t.Fatal(err)
			}
			damages(memory[:36], func(what string) {
				if got, err := Decode(memory); err == nil && got != whole {
					t.Errorf("%s, reversed %v, %s: %+v", dump, turn, what, got)
				}
			})
		}
	}
}

// damages does to b what a broken cell and a half-written block can do, one at a
// time, and undoes it.
func damages(b []byte, check func(what string)) {
	keep := bytes.Clone(b)
	for i := range b {
		for _, v := range []byte{0x00, 0xFF, 0x11, '0', 'A', ' ', keep[i] ^ 0x01, keep[i] ^ 0x10, keep[i] ^ 0x80, keep[i] + 1} {
			b[i] = v
			check("one byte")
		}
		copy(b, keep)
	}
	for from := range b {
		clear(b[from:])
		check("zeros behind")
		copy(b, keep)
		clear(b[:from])
		check("zeros before")
		copy(b, keep)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		// Noise in the first block would now and then make real objects of it.
		at := 4 + 4*rng.IntN(len(b)/4-1)
		for i := range 4 {
			b[at+i] = byte(rng.Uint32())
		}
		check("a block of noise")
		copy(b, keep)
	}
}

// The control of the test above: without the checksum the damages do show.
func TestTheDamagesWouldBeSeen(t *testing.T) {
	memory := padded(raw(t, single), 112)
	whole, _ := decodeBlock(memory)
	seen := 0
	damages(memory[:36], func(string) {
		if got, err := decodeBlock(memory); err == nil && got != whole {
			seen++
		}
	})
	if seen < 200 {
		t.Errorf("only %d damages make another tag", seen)
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	good := Tag{Format: Block, Item: "30123000012345", Part: 1, Parts: 1, Usage: Circulating, Country: "US", Library: "0123"}
	if _, err := Encode(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Tag){
		`format: "28560-2" is not "28560-3", the only one written`: func(t *Tag) { t.Format = Objects },
		`"30123000012345678" does not fit in bytes 3 to 18`:        func(t *Tag) { t.Item = "30123000012345678" },
		`"USA" does not fit in bytes 21 to 22`:                     func(t *Tag) { t.Country = "USA" },
		`"a\x00b" does not fit in bytes 23 to 33`:                  func(t *Tag) { t.Library = "a\x00b" },
		`byte 3: 0x00: no item's id`:                               func(t *Tag) { t.Item = "" },
		`byte 2: there is no part 3 of 2`:                          func(t *Tag) { t.Part, t.Parts = 3, 2 },
		`part 3 of 256: not in one byte`:                           func(t *Tag) { t.Part, t.Parts = 3, 256 },
		`usage: 16 is not in four bits`:                            func(t *Tag) { t.Usage = 16 },
	} {
		tag := good
		change(&tag)
		if _, err := Encode(tag); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	both := good
	both.UsageFirst = true // 11 reads the same either way
	if _, err := Encode(both); err == nil || !strings.Contains(err.Error(), "would read as") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, dump := range []string{foreign, single, second, card, annexD} {
		memory := raw(f, dump)
		f.Add(memory)
		f.Add(memory[:min(len(memory), 32)])
		f.Add(padded(memory, 112))
		f.Add(reverse(padded(memory, 112)))
	}
	f.Add(make([]byte, 32))
	f.Add(bytes.Repeat([]byte{0xFF}, 112))
	f.Fuzz(func(t *testing.T, memory []byte) {
		got, err := Decode(memory)
		if err != nil {
			if got != (Tag{}) && !errors.Is(err, ErrUnverified) {
				t.Errorf("%v comes with %+v", err, got)
			}
			return
		}
		if got.Item == "" || checkText(got.Item, 0) != nil {
			t.Errorf("an item %q", got.Item)
		}
		back, err := Encode(got)
		if err != nil {
			if got.Format == Block {
				t.Errorf("%+v: %v", got, err)
			}
			return
		}
		want := memory
		if got.Reversed {
			want, back = reverse(memory), reverse(back)
		}
		if have := fixed(want); !slices.Equal(back[:blockSize], have[:]) {
			t.Errorf("% x\ncomes back as\n% x", have, back)
		}
	})
}

// FuzzSealed gives the block a right checksum, which chance would not find.
func FuzzSealed(f *testing.F) {
	for _, dump := range []string{foreign, single, second, card} {
		f.Add(raw(f, dump), false)
		f.Add(raw(f, dump), true)
	}
	f.Fuzz(func(t *testing.T, memory []byte, turn bool) {
		if len(memory) > blockSize {
			memory = memory[:blockSize]
		}
		memory = padded(sealed(memory, func([]byte) {}), 36)
		if turn {
			memory = reverse(memory)
		}
		got, err := Decode(memory)
		if err != nil {
			return
		}
		back, err := Encode(got)
		if err != nil || !bytes.Equal(back, memory) {
			t.Errorf("% x\ncomes back as\n% x, %v", memory, back, err)
		}
	})
}
