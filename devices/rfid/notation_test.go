package rfid

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

func TestTheNotationsOfTheField(t *testing.T) {
	four, seven := "1C78F2BF", "04A3C6CAE26180"
	for _, c := range []struct {
		n       Notation
		uid     string
		written []string
	}{
		{Hex, four, []string{"1C78F2BF", "1c:78:f2:bf", "1C 78 F2 BF ", "1C-78-F2-BF"}},
		{HexReversed, four, []string{"BFF2781C"}},
		{Decimal, four, []string{"477688511", "0477688511", "00477688511"}},
		{DecimalReversed, four, []string{"3220338716", "03220338716"}},
		{Wiegand, four, []string{"120,62143", " 120 , 62143"}},
		{WiegandReversed, four, []string{"242,30748"}},
		{Cascade, four, []string{"3220338716"}},
		{Hex, seven, []string{"04a3c6cae26180", "0x04A3C6CAE26180"}},
		{HexReversed, seven, []string{"8061E2CAC6A304"}},
		{Decimal, seven, []string{"1305974109528448"}},
		{DecimalReversed, seven, []string{"36136423711482628"}},
		{Wiegand, seven, []string{"226,24960"}},
		{WiegandReversed, seven, []string{"198,41732"}},
		{Cascade, seven, []string{"3332572296"}},
	} {
		uid, err := hex.DecodeString(c.uid)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.written {
			got, err := ParseCard(s, c.n)
			if err != nil || !bytes.Equal(got, c.n.Of(uid)) {
				t.Errorf("%s %q: % X, %v; want % X", c.n, s, got, err, c.n.Of(uid))
			}
		}
	}
}

func TestWhatIsNoCardNumber(t *testing.T) {
	for n, all := range map[Notation][]string{
		Hex:         {"", "1C78F2", "1C78F2BG", "08123456", "88123456", "00000000", "1C78F2BF00"},
		HexReversed: {"56341208"},
		Decimal: {"", "-1", "+1", "1.5", "0x10", "134217728", "1208925819614629174706176", "99999999999999999999999999",
			"4294967296", "20123000200010", "99999999999999999"},
		DecimalReversed: {"8"},
		Wiegand:         {"120", "0,0", "256,1", "1,65536", "1,-1", "1,2,3", ","},
		Cascade:         {"4294967296"},
		"roman":         {"MMXXVI"},
	} {
		for _, s := range all {
			got, err := ParseCard(s, n)
			if err == nil {
				t.Errorf("%s %q: % X", n, s, got)
			} else if len(s) > 4 && strings.Contains(err.Error(), s) {
				t.Errorf("%s %q: the error shows the number: %v", n, s, err)
			}
		}
	}
}

// The first notation in which a text can be a card's number counts.
func TestNotationsAreTriedInOrder(t *testing.T) {
	usual := []Notation{Hex, DecimalReversed}
	for _, c := range []struct {
		s     string
		order []Notation
		want  string // in upper case the UID, else a part of the error
	}{
		{"1C78F2BF", usual, "1C78F2BF"}, {"3220338716", usual, "1C78F2BF"}, {"0477688511", usual, "BFF2781C"}, {"477688511", usual, "BFF2781C"},
		{"12345678", usual, "12345678"}, {"12345678", []Notation{DecimalReversed, Hex}, "4E61BC00"}, {"12345678", []Notation{Decimal, Hex}, "00BC614E"},
		{"1C78F2BF", []Notation{Decimal, Hex}, "1C78F2BF"}, {"BFF2781C", []Notation{HexReversed, Hex}, "1C78F2BF"},
		{"69444634445652740", usual, "04A3B0EF86B7F6"}, {"04A1B2C3D4E5F6A7B8C9", usual, "04A1B2C3D4E5F6A7B8C9"}, {"08112233445566", usual, "08112233445566"},
		{"80112233", usual, "80112233"}, // a plain Classic may be called so; a random one is known when it is tapped
		{"120,62143", usual, "is no card's number in the notation [hex decimal_reversed]"}, {"120,62143", []Notation{Hex, Wiegand}, "78F2BF"},
		{"3332572296", usual, "first part"}, {"3332572296", []Notation{DecimalReversed, Cascade}, "8804A3C6"}, {"3220338716", []Notation{DecimalReversed, Cascade}, "1C78F2BF"},
		{"08112233", usual, "random"}, {"88041122", usual, "first part"}, {"0", usual, "zero"}, {"123456789012", usual, "has 12 characters"}, {"", usual, "has 0 characters"},
	} {
		got, err := ParseCard(c.s, c.order...)
		if is := strings.ToUpper(hex.EncodeToString(got)); err == nil && is != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q as %v: %s, %v, want %s", c.s, c.order, is, err, c.want)
		}
	}
}

func TestTheDigestIsKeyed(t *testing.T) {
	key, uid := []byte("0123456789abcdef"), []byte{0x1C, 0x78, 0xF2, 0xBF}
	mac := hmac.New(sha256.New, key)
	mac.Write(uid)
	want := hex.EncodeToString(mac.Sum(nil))[:32]
	if got, err := Digest(key, uid); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, c := range []struct{ key, uid []byte }{
		{nil, uid}, {key[:15], uid}, {key, nil}, {key, make([]byte, 11)}, {key, []byte{8, 1, 2, 3}},
	} {
		if got, err := Digest(c.key, c.uid); err == nil || got != "" {
			t.Errorf("% x under % x: %q", c.uid, c.key, got)
		}
	}
	if _, err := Digest(key, []byte{8, 1, 2, 3, 4, 5, 6}); err != nil {
		t.Errorf("a long number that starts with 08: %v", err)
	}
}

func FuzzNotation(f *testing.F) {
	for _, s := range []string{"1C78F2BF", "BFF2781C", "0477688511", "3220338716", "120,62143", "04A3C6CAE26180", "36136423711482628"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range Notations() {
			got, err := ParseCard(s, n)
			if err != nil {
				continue
			}
			if short := n == Wiegand || n == WiegandReversed; short != (len(got) == 3) {
				t.Errorf("%s %q: % X", n, s, got)
			} else if !short && !bytes.Equal(n.Of(got), got) && n != Cascade {
				t.Errorf("%s %q: % X is not what is kept of it", n, s, got)
			}
		}
	})
}
