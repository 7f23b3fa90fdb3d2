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
		{Hex, seven, []string{"04a3c6cae26180"}},
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
			got, err := c.n.Parse(s)
			if err != nil || !bytes.Equal(got, c.n.Of(uid)) {
				t.Errorf("%s %q: % X, %v; want % X", c.n, s, got, err, c.n.Of(uid))
			}
		}
	}
}

func TestWhatIsNoCardNumber(t *testing.T) {
	for n, all := range map[Notation][]string{
		Hex:             {"", "1C78F2", "1C78F2BG", "08123456", "1C78F2BF00"},
		HexReversed:     {"56341208"},
		Decimal:         {"", "-1", "+1", "1.5", "0x10", "134217728", "1208925819614629174706176", "99999999999999999999999999"},
		DecimalReversed: {"8"},
		Wiegand:         {"120", "256,1", "1,65536", "1,-1", "1,2,3", ","},
		Cascade:         {"4294967296"},
		"roman":         {"MMXXVI"},
	} {
		for _, s := range all {
			got, err := n.Parse(s)
			if err == nil {
				t.Errorf("%s %q: % X", n, s, got)
			} else if len(s) > 4 && strings.Contains(err.Error(), s) {
				t.Errorf("%s %q: the error shows the number: %v", n, s, err)
			}
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
			got, err := n.Parse(s)
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
