package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"circdesk/cmd/kioskd/config"
	"circdesk/cmd/kioskd/control"
	"circdesk/devices/rfid"
	"circdesk/kiosk"
	"circdesk/web"
)

// A cardDesk is a desk with lists of cards, whose daemon is open but does not run.
type cardDesk struct {
	t      *testing.T
	folder string
	d      *daemon
}

// openCardDesk opens a desk of which the config says how cards are written; "" nothing.
func openCardDesk(t *testing.T, cards string) *cardDesk {
	c := &cardDesk{t: t, folder: t.TempDir()}
	t.Cleanup(func() { c.close() })
	c.open(cards)
	return c
}

func (c *cardDesk) open(cards string) {
	c.t.Helper()
	text := fmt.Sprintf("[kiosk]\nid = \"LIB-1\"\ntimezone = \"America/Los_Angeles\"\nstate = %q\nruntime = %q\npolicy = %q\n[web]\nlisten = \"127.0.0.1:0\"\n",
		filepath.Join(c.folder, "state"), filepath.Join(c.folder, "run"), filepath.Join(c.folder, "policy.toml"))
	if cards != "" {
		text += "[cards]\nnotations = " + cards + "\n"
	}
	for name, text := range map[string]string{"kiosk.toml": text, "policy.toml": "version = \"1\"\n"} {
		if err := os.WriteFile(filepath.Join(c.folder, name), []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	conf, complaints := config.Load(filepath.Join(c.folder, "kiosk.toml"), web.Languages())
	if len(complaints) > 0 {
		c.t.Fatal(complaints)
	}
	c.d = &daemon{config: conf, log: slog.New(slog.DiscardHandler)}
	if err := c.d.open(nil); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cardDesk) close() {
	if err := c.d.close(); err != nil {
		c.t.Error(err)
	}
}

// again is the desk after its cache was lost, with what the config says then.
func (c *cardDesk) again(cards string) {
	c.t.Helper()
	c.close()
	lost, err := filepath.Glob(filepath.Join(c.folder, "state", "cache.db*"))
	if err != nil || len(lost) == 0 {
		c.t.Fatal("there is no cache", err)
	}
	for _, path := range lost {
		if err := os.Remove(path); err != nil {
			c.t.Fatal(err)
		}
	}
	c.open(cards)
}

// load imports a file.
func (c *cardDesk) load(kind string, lines ...string) control.ImportReport {
	c.t.Helper()
	got, err := (&answers{c.d}).Import(c.t.Context(), kind, strings.NewReader(strings.Join(lines, "\n")), control.ImportRequest{Name: kind, Taken: time.Now(), Force: true})
	if err != nil || got.Refused != "" {
		c.t.Fatalf("%+v, %v", got, err)
	}
	return got
}

// tap is whose account a card opens; "" nobody's.
func (c *cardDesk) tap(uid string) kiosk.PatronID {
	c.t.Helper()
	b, err := hex.DecodeString(uid)
	if err != nil {
		c.t.Fatal(err)
	}
	ev := c.d.carded(config.Reader{Name: "cards"}, rfid.Carded{UID: b})
	found := c.d.store.Find(kiosk.Find{Card: ev.Card, Also: ev.Also})
	switch {
	case found.Failed:
		c.t.Fatal("the cache cannot be read")
	case found.Account != nil:
		return found.Account.Patron.ID
	}
	return ""
}

// From the config over a file to the card that is tapped, in every notation of facts/hardware.md 3.4, in a list of
// cards and in the patrons' own column, before and after the cache is lost.
func TestACardIsKnownHoweverItIsWritten(t *testing.T) {
	const four, seven = "1C78F2BF", "04A3C6CAE26180"
	for _, test := range []struct{ cards, four, seven string }{
		{``, "1C78F2BF", "04:a3:c6:ca:e2:61:80"},
		{``, "3220338716", "36136423711482628"},
		{`["hex"]`, "1C-78-F2-BF", "04A3C6CAE26180"},
		{`["hex_reversed"]`, "BFF2781C", "8061E2CAC6A304"},
		{`["decimal"]`, "0477688511", "1305974109528448"},
		{`["decimal"]`, "477688511", "1305974109528448"},
		{`["decimal_reversed"]`, "3220338716", "36136423711482628"},
		{`["wiegand"]`, `"120,62143"`, `"226,24960"`},
		{`["wiegand_reversed"]`, `"242,30748"`, `"198,41732"`},
		{`["cascade"]`, "3220338716", "3332572296"},
		{`["hex", "decimal", "wiegand"]`, "0477688511", `"226,24960"`},
		{`["hex", "decimal_reversed", "cascade", "wiegand"]`, `"120,62143"`, "3332572296"},
	} {
		t.Run(test.cards+test.four, func(t *testing.T) {
			c := openCardDesk(t, test.cards)
			c.load("patrons", "barcode,nickname,card_uid", "21,Maya,", "22,Mateo,"+test.seven)
			c.load("cards", "card_uid,patron", test.four+",21")
			for range 2 {
				if maya, mateo, nobody := c.tap(four), c.tap(seven), c.tap("04A1B2C3D4E5F6"); maya != "21" || mateo != "22" || nobody != "" {
					t.Errorf("%q, %q and %q", maya, mateo, nobody)
				}
				c.again(test.cards)
			}
		})
	}
}

// What a file meant when it came, it means when the cache is built anew, whatever the config says by then.
func TestAFileIsReadAgainAsItWasWritten(t *testing.T) {
	c := openCardDesk(t, `["hex_reversed"]`)
	c.load("patrons", "barcode,nickname,card_uid", "21,Maya,BFF2781C")
	c.again("")
	if got := c.tap("1C78F2BF"); got != "21" {
		t.Errorf("her card opens %q", got)
	}
}

// Two cards may end in the same three bytes. Neither opens the account of the other.
func TestAPartOfANumberThatTwoCardsHaveIsNobodys(t *testing.T) {
	c := openCardDesk(t, `["wiegand"]`)
	c.load("patrons", "barcode,nickname,card_uid", `21,Maya,"120,62143"`, `22,Mateo,"120,62143"`, "23,Ida,")
	if got := c.tap("1C78F2BF"); got != "" {
		t.Errorf("the card of two patrons opens the account of %q", got)
	}
	got := c.load("cards", "card_uid,patron", `"120,62143",21`, `"120,62143",22`, `"226,24960",23`, `"226,24960",23`)
	if got.Bad != 2 || !strings.Contains(got.BadRows[0].Reason, "nobody's card") {
		t.Errorf("%+v", got)
	}
	if twins, ida := c.tap("1C78F2BF"), c.tap("04A3C6CAE26180"); twins != "" || ida != "23" {
		t.Errorf("%q and %q", twins, ida)
	}
}

func TestTheConfigHasEveryNotation(t *testing.T) {
	var names []string
	for _, n := range rfid.Notations() {
		names = append(names, `"`+string(n)+`"`)
	}
	openCardDesk(t, "["+strings.Join(names, ", ")+"]")
}

// What the config takes for a reader, its driver takes as well: else the desk would not start.
func TestAReaderThatTheConfigTakesCanBeMade(t *testing.T) {
	for _, more := range []string{
		"chip = \"mfrc522\"", "chip = \"mfrc522\"\nspeed = 10_000_000\ngain = 48\npoll = \"1s\"\nread = \"classic:255\"", "chip = \"mfrc522\"\nspeed = 100_000\ngain = 18\nread = \"ntag:0\"",
		"chip = \"pn5180\"\nbusy = \"GPIO24\"", "chip = \"pn5180\"\nbusy = \"gpiochip0:24\"\nspeed = 7_000_000\nshallow = true\nuse = \"both\"\npoll = \"10ms\"",
		"chip = \"pn5180\"\nbusy = \"GPIO24\"\nspeed = 7_000_001", "chip = \"pn5180\"\nbusy = \"GPIO24\"\nuse = \"cards\"\n[tag]\nsecurity = \"both\"\nafi_in = \"00\"",
	} {
		text := "[kiosk]\nid = \"A\"\ntimezone = \"UTC\"\n[[reader]]\nname = \"a\"\nspi = \"/dev/spidev0.0\"\nreset = \"GPIO25\"\n" + more + "\n"
		c, complaints := config.Parse(config.Source{Name: "kiosk.toml", Text: []byte(text)}, config.Source{Name: "policy.toml", Text: []byte("version = \"1\"\n")}, web.Languages())
		if _, err := rfid.New(readerOf(c.Readers[0], c.Tag, nil)); len(complaints) == 0 && err != nil {
			t.Errorf("%s\nthe driver: %v", more, err)
		}
	}
}
