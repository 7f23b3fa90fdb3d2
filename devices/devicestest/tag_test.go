package devicestest

import (
	"fmt"
	"strings"
	"testing"
)

// traceUID is the tag of a trace that was recorded on a real chip.
var traceUID = [8]byte{0xE0, 0x04, 0x01, 0x50, 0xB5, 0x94, 0x14, 0xC4}

// unhex returns bytes written as "22 2B", with uid for the traced tag's number.
func unhex(t *testing.T, text string) []byte {
	t.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "uid", "C4 14 94 B5 50 01 04 E0"), " ", "")
	var data []byte
	if _, err := fmt.Sscanf(text, "%X", &data); err != nil && text != "" {
		t.Fatalf("%q: %v", text, err)
	}
	return data
}

// tell gives a tag a request, or only the end of one for "", and returns what it
// says; everything that it does is done.
func tell(t *testing.T, tag *Tag, request string) string {
	t.Helper()
	a := tag.eof
	if request != "" {
		a = func() *tagAnswer { return tag.hear(unhex(t, request)) }
	}
	answer := a()
	if answer == nil {
		return ""
	}
	tag.do(answer.commit)
	return fmt.Sprintf("% X", answer.data)
}

// A talk is a request and its answer, or "" for silence.
type talk struct{ request, answer string }

// wantTalk checks what a tag says to each request.
func wantTalk(t *testing.T, tag *Tag, talks []talk) {
	t.Helper()
	for i, c := range talks {
		want := ""
		if c.answer != "" {
			want = fmt.Sprintf("% X", unhex(t, c.answer))
		}
		if got := tell(t, tag, c.request); got != want {
			t.Errorf("line %d: %s is answered %q, want %q", i+1, c.request, got, want)
		}
	}
}

// slix returns a usual tag with a change.
func slix(change func(*TagSpec)) TagSpec {
	is := TagSpec{UID: traceUID, AFI: 0x07, DSFID: 0x3E, IC: 1, Memory: []byte("abcdefgh")}
	if change != nil {
		change(&is)
	}
	return is
}

// talks are what kinds of tags say.
var talks = map[string]struct {
	is    TagSpec
	talks []talk
}{
	"inventory": {slix(nil), []talk{
		{"26 01 00", "00 3E uid"},
		{"26 01 40 uid", "00 3E uid"},
		{"26 01 08 C4", "00 3E uid"},
		{"26 01 08 C5", ""},
		{"26 01 0C C4 04", "00 3E uid"}, // bits above the mask do not count
		{"26 01 0C C4 F4", "00 3E uid"},
		{"26 01 0C C4", ""},     // too few
		{"26 01 41 uid 00", ""}, // too many
		{"24 01 00", ""},        // the low rate, which the reader cannot hear
		{"27 01 00", ""},        // two subcarriers
		{"26", ""}, {"26 01", ""}, {"26 03 00", ""},
	}},
	"inventory of an AFI": {slix(nil), []talk{
		{"36 01 07 00", "00 3E uid"}, {"36 01 00 00", "00 3E uid"}, {"36 01 C2 00", ""}, {"36 01 70 00", ""},
		{"36 01", ""}, {"36 01 07", ""},
		{"22 27 uid C2", "00"},
		{"36 01 C0 00", "00 3E uid"}, {"36 01 C2 00", "00 3E uid"}, {"36 01 07 00", ""},
	}},
	"sixteen slots": {slix(nil), []talk{
		{"06 01 00", ""}, {"", ""}, {"", ""}, {"", ""}, {"", "00 3E uid"}, {"", ""},
		{"06 01 04 04", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""},
		{"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", "00 3E uid"},
		{"06 01 00", ""}, {"26 01 08 C5", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, // a frame ends it
		{"06 01 10 C4 14", ""}, {"", ""}, {"", ""}, {"", ""}, {"", "00 3E uid"},
		{"06 01 3C uid", ""}, {"", ""},
	}},
	"quiet and selected": {slix(nil), []talk{
		{"02 02", ""}, {"26 01 00", "00 3E uid"}, // only by its number
		{"22 02 uid", ""}, {"26 01 00", ""}, {"02 20 00", ""}, {"22 20 uid 00", "00 61 62 63 64"},
		{"12 20 00", ""},
		{"22 25 uid", "00"}, {"26 01 00", ""}, {"12 20 00", "00 61 62 63 64"},
		{"22 25 00 00 00 00 00 01 04 E0", ""}, {"12 20 00", ""}, {"26 01 00", "00 3E uid"},
		{"22 02 uid", ""}, {"02 26", ""}, {"22 26 uid", "00"}, {"26 01 00", "00 3E uid"},
	}},
	"blocks": {slix(nil), []talk{
		{"22 20 uid 01", "00 65 66 67 68"}, {"62 20 uid 01", "00 00 65 66 67 68"},
		{"22 20 uid 1C", "01 0F"}, {"02 20 1C", ""}, {"22 20 uid", "01 0F"},
		{"22 23 uid 00 01", "00 61 62 63 64 65 66 67 68"},
		{"22 23 uid 1B 08", "00 00 00 00 00"}, // a shortened answer
		{"22 23 uid 1C 00", "01 0F"},
		{"22 21 uid 00 31 32 33 34", "00"}, {"22 20 uid 00", "00 31 32 33 34"}, {"22 21 uid 00 31", "01 0F"},
		{"22 22 uid 00", "00"}, {"22 21 uid 00 35 36 37 38", "01 0F"}, {"22 2C uid 00 01", "00 01 00"},
		{"22 20 00 00 00 00 00 01 04 E0 00", ""},
	}},
	"system information": {slix(nil), []talk{
		{"22 2B uid", "00 0F uid 3E 07 1B 03 01"}, {"02 2B", "00 0F uid 3E 07 1B 03 01"},
		{"22 29 uid 01", "00"}, {"22 2B uid", "00 0F uid 01 07 1B 03 01"},
	}},
	"EAS": {slix(nil), []talk{
		{"02 A5 04", ""}, {"22 A2 04 uid", "00"},
		{"02 A5 04", "00 2F B3 62 70 D5 A7 90 7F E8 B1 80 38 D2 81 49 76 82 DA 9A 86 6F AF 8B B0 F1 9C D1 12 A5 72 37 EF"},
		{"22 A3 04 uid", "00"}, {"22 A5 04 uid", ""}, {"22 A2 16 uid", ""}, {"22 A1 04 uid", "01 0F"},
	}},
	"password": {slix(func(is *TagSpec) {
		is.AFIProtected, is.EASProtected = true, true
		is.Passwords = map[byte]uint32{0x10: 0x04030201}
	}), []talk{
		{"22 27 uid C2", "01 0F"}, {"22 A2 04 uid", "01 0F"}, {"22 B3 04 uid 10 01 02 03 04", "01 0F"},
		{"22 B2 04 uid", "00 DD 36"}, {"22 B3 04 uid 10 DC 34 DE 32", "00"},
		{"22 27 uid C2", "00"}, {"22 A2 04 uid", "00"},
		{"22 B4 04 uid 10 00 00 00 00", "00"},
		{"22 B2 04 uid", "00 3E 08"}, {"22 B3 04 uid 10 DC 34 DE 32", ""}, // wrong
		{"22 2B uid", ""}, {"26 01 00", ""},
	}},
	"another maker's errors": {slix(func(is *TagSpec) {
		is.UID[1] = 0x16
		is.NoMultiple, is.NoInfo, is.AFILocked = true, true, true
		is.Locked = map[int]bool{0: true}
	}), []talk{
		{"22 20 C4 14 94 B5 50 01 16 E0 1C", "01 10"}, {"22 23 C4 14 94 B5 50 01 16 E0 00 00", "01 01"},
		{"22 2B C4 14 94 B5 50 01 16 E0", "01 01"}, {"22 27 C4 14 94 B5 50 01 16 E0 00", "01 12"},
		{"22 27 C4 14 94 B5 50 01 16 E0", "01 02"}, {"22 22 C4 14 94 B5 50 01 16 E0 00", "01 11"},
		{"22 A2 04 C4 14 94 B5 50 01 16 E0", ""}, {"22 2E C4 14 94 B5 50 01 16 E0", "01 01"},
	}},
	"writes at an EOF": {slix(func(is *TagSpec) { is.EOFWrites = true; is.UID[1] = 0x07; is.FirstBlock = 1 }), []talk{
		{"22 27 C4 14 94 B5 50 01 07 E0 C2", "01 03"}, {"62 27 C4 14 94 B5 50 01 07 E0 C2", ""}, {"", "00"}, {"", ""},
		{"36 01 C2 00", "00 3E C4 14 94 B5 50 01 07 E0"},
		{"22 20 C4 14 94 B5 50 01 07 E0 00", "01 10"}, {"22 20 C4 14 94 B5 50 01 07 E0 01", "00 61 62 63 64"},
		{"22 20 C4 14 94 B5 50 01 07 E0 1C", "00 00 00 00 00"},
	}},
	"back to front": {slix(func(is *TagSpec) { is.Reversed = true; is.MaxRead = 1 }), []talk{
		{"22 20 uid 00", "00 64 63 62 61"}, {"22 23 uid 00 08", "00 64 63 62 61"},
		{"22 21 uid 00 34 33 32 31", "00"}, {"22 20 uid 00", "00 34 33 32 31"},
	}},
}

func TestWhatATagAnswers(t *testing.T) {
	for name, c := range talks {
		t.Run(name, func(t *testing.T) { wantTalk(t, NewTag(c.is), c.talks) })
	}
}

func TestATagForgetsWithItsField(t *testing.T) {
	tag := NewTag(TagSpec{UID: traceUID, AFIProtected: true, Passwords: map[byte]uint32{0x10: 0}})
	opened := []talk{{"22 B2 04 uid", "00 DD 36"}, {"22 B3 04 uid 10 DD 36 DD 36", "00"}, {"22 27 uid C2", "00"}}
	wantTalk(t, tag, opened)
	wantTalk(t, tag, []talk{{"22 02 uid", ""}, {"26 01 00", ""}})
	tag.powerOff()
	wantTalk(t, tag, []talk{{"26 01 00", "00 00 uid"}, {"22 27 uid 07", "01 0F"}, {"22 25 uid", "00"}})
	tag.powerOff()
	wantTalk(t, tag, []talk{{"12 20 00", ""}, {"06 01 00", ""}})
	tag.powerOff()
	wantTalk(t, tag, []talk{{"", ""}, {"", ""}, {"", ""}, {"", ""}})
}

func TestATagThatLies(t *testing.T) {
	worn := NewTag(TagSpec{UID: traceUID, Worn: true})
	wantTalk(t, worn, []talk{{"22 27 uid C2", "00"}, {"22 A2 04 uid", "00"}, {"22 21 uid 00 01 02 03 04", "00"}})
	if is := worn.Look(); is.AFI != 0 || is.EAS || is.Memory[0] != 0 {
		t.Errorf("a worn tag holds %+v", is)
	}
	failing := NewTag(TagSpec{UID: traceUID, FailWrites: true})
	wantTalk(t, failing, []talk{{"22 27 uid C2", "01 0F"}, {"22 A2 04 uid", "01 0F"}})
}

func TestLookAndChangeAreCopies(t *testing.T) {
	tag := NewTag(TagSpec{UID: traceUID})
	is := tag.Look()
	is.Memory[0], is.Locked[0], is.Passwords[1] = 9, true, 9
	tag.Change(func(is *TagSpec) { is.AFI, is.UID, is.Blocks = 0xC2, [8]byte{}, 1; is.Memory[1] = 7 })
	got := tag.Look()
	if got.Memory[0] != 0 || got.Locked[0] || got.Passwords[1] != 0 {
		t.Error("Look lends out the tag itself")
	}
	if got.AFI != 0xC2 || got.UID != traceUID || tag.UID() != traceUID || got.Blocks != 28 || got.Memory[1] != 7 {
		t.Errorf("changed to %+v", got)
	}
}

func TestTheCRCsOfISO15693(t *testing.T) {
	for frame, want := range map[string]string{
		"26 01 00": "F6 0A", "02 2B": "26 A3", "22 23 uid 00 08": "1C 4C", "22 27 uid C2": "A3 F2", "22 A2 04 uid": "2C 6D",
	} {
		crc := crc15693(unhex(t, frame))
		if got := fmt.Sprintf("% X", []byte{byte(crc), byte(crc >> 8)}); got != want {
			t.Errorf("CRC of %s is %s, want %s", frame, got, want)
		}
	}
}
