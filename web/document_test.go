package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

var update = flag.Bool("update", false, "rewrite the golden documents")

// drawnAt is when all documents of these tests are drawn: the day of the loans of hours.
var drawnAt = time.Date(2026, 9, 30, 9, 5, 0, 0, time.UTC)

// catalogues are the languages of the tests: all there are and the pseudo-language.
func catalogues(t testing.TB) []*catalogue {
	t.Helper()
	var list []*catalogue
	for _, code := range Languages() {
		c, err := loadCatalogue(code)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	c, err := pseudo()
	if err != nil {
		t.Fatal(err)
	}
	return append(list, c)
}

func catalogueOf(t testing.TB, code string) *catalogue {
	t.Helper()
	all := catalogues(t)
	i := slices.IndexFunc(all, func(c *catalogue) bool { return c.code == code })
	if i < 0 {
		t.Fatalf("no catalogue of %q", code)
	}
	return all[i]
}

// drawn is a screen's document in a language, with the parts that the Server adds.
func drawn(c *catalogue, s kiosk.Screen) Document {
	s.Lang = c.code
	d := c.document(s, drawnAt, map[string]string{"en": "English", "es": "Español"})
	d.Boot, d.Page = "boot-1", "0123456789ab"
	return d
}

func encoded(t testing.TB, d Document) []byte {
	t.Helper()
	b, err := d.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sceneOf(t testing.TB, name string) scene {
	t.Helper()
	all := scenes()
	i := slices.IndexFunc(all, func(c scene) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("no scene %q", name)
	}
	return all[i]
}

func TestDocumentsStayAsTheyWere(t *testing.T) {
	for _, name := range []string{"attract.en", "attract-trouble.en", "borrow-three.en", "borrow-three.es", "borrow-hours.en",
		"borrow-provisional.en", "borrow-refused-on_hold.en", "borrow-refused-on_hold.es", "account-first.en", "renewed.es",
		"return-desk.en", "finish.en", "still-there.en", "pin.en", "pin.es", "pin-wrong.en", "closed.en", "closed.es", "borrowing-off.en", "bin-hold.en", "aside.es"} {
		t.Run(name, func(t *testing.T) {
			scene, lang, _ := strings.Cut(name, ".")
			var got bytes.Buffer
			if err := json.Indent(&got, encoded(t, drawn(catalogueOf(t, lang), sceneOf(t, scene).screen)), "", " "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", "documents", name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("the document of %q changed; go test -update rewrites it. It is now:\n%s", name, got.Bytes())
			}
		})
	}
}

// contract are the fields that other programs rely on (design section 6).
func contract() map[string][]string {
	return map[string][]string{
		"":               {"v", "boot", "seq", "t", "screen", "lang", "dir", "offline", "session", "model", "speech", "events"},
		"events.":        {"id", "kind"},
		"model":          {"greeting", "items", "counts", "notice", "seconds", "actions"},
		"model.items.":   {"key", "outcome", "title", "tail", "due", "text", "fault"},
		"model.counts":   {"new", "all"},
		"model.notice":   {"fault", "text"},
		"model.actions.": {"id", "text"},
	}
}

func TestEveryDocumentHasTheFieldsOfTheContract(t *testing.T) {
	for _, c := range scenes() {
		var d any
		if err := json.Unmarshal(encoded(t, drawn(catalogueOf(t, "en"), c.screen)), &d); err != nil {
			t.Fatal(err)
		}
		for path, names := range contract() {
			for _, o := range objectsAt(d, path) {
				for _, name := range names {
					if _, ok := o[name]; !ok {
						t.Errorf("scene %q: %q has no %q", c.name, path, name)
					}
				}
			}
		}
	}
}

// objectsAt are the objects at a path of names; a dot at the end stands for all of a list.
func objectsAt(v any, path string) []map[string]any {
	name, rest, more := strings.Cut(path, ".")
	switch v := v.(type) {
	case map[string]any:
		if path == "" {
			return []map[string]any{v}
		}
		if list, ok := v[name].([]any); ok && more {
			var all []map[string]any
			for _, e := range list {
				all = append(all, objectsAt(e, rest)...)
			}
			return all
		}
		if v[name] != nil {
			return objectsAt(v[name], rest)
		}
	}
	return nil
}

func TestADocumentSaysItsBasics(t *testing.T) {
	d := drawn(catalogueOf(t, "es"), sceneOf(t, "borrow-three").screen)
	if d.V != 1 || d.Seq != 42 || d.Session != 7 || d.Screen != "borrow" || d.Lang != "es" || d.Dir != "ltr" {
		t.Errorf("got %+v", d)
	}
	if d.T != "2026-09-30T09:05:00.000Z" {
		t.Errorf("drawn at %q", d.T)
	}
	if d.Model.Counts["new"] != 3 || d.Model.Counts["all"] != 5 {
		t.Errorf("counts %v", d.Model.Counts)
	}
	if i := d.Model.Items[0]; i.Due != "2026-12-07" || i.Tail != "4561" || i.Key != "LIB-1-7f3a-101" || i.Text != "Hasta el lun 7 dic" {
		t.Errorf("item %+v", i)
	}
}

func TestAnItemsBarcodeNeverLeaves(t *testing.T) {
	for _, c := range scenes() {
		if b := encoded(t, drawn(catalogueOf(t, "en"), c.screen)); bytes.Contains(b, []byte("3000000000")) {
			t.Errorf("scene %q shows a whole barcode:\n%s", c.name, b)
		}
	}
}

func TestSnapshotsAreSmall(t *testing.T) {
	for _, lang := range catalogues(t) {
		for _, c := range scenes() {
			if n := len(encoded(t, drawn(lang, c.screen))); n > 4<<10 {
				t.Errorf("scene %q in %q: %d bytes, more than 4 KB", c.name, lang.code, n)
			}
		}
	}
}

// longest is a Screen as hostile as the cache can make one: a hundred lines of titles that weigh much and measure little.
func longest() kiosk.Screen {
	marks := strings.Repeat("i\u0323\u0307\U0001E94A", 200)
	s := kiosk.Screen{Mode: kiosk.ModeAside, Seq: 1 << 60, Session: 1 << 60, Greeting: marks, Offline: true, Notice: kiosk.FaultOnHold, First: 50, Ready: 1 << 40}
	for range 100 {
		key := strings.Repeat("K", maxID-len("clear:"))
		s.Lines = append(s.Lines, kiosk.Line{Key: key, Outcome: kiosk.OutcomeAlreadyIn, Title: marks, Tail: marks, CallNumber: marks,
			Due: at215, Fault: kiosk.FaultOnHold, Late: true})
		s.Actions = append(s.Actions, "clear:"+key, "page:99999999")
		s.Sounds = append(s.Sounds, kiosk.Heard{ID: 1 << 60, Kind: kiosk.SoundDuplicate})
	}
	s.Alarms = standing(kiosk.Alarms()...)
	return s
}

func TestTheLongestSnapshotStaysBelowTheCap(t *testing.T) {
	for _, c := range catalogues(t) {
		for _, mode := range kiosk.Modes() {
			s := longest()
			s.Mode = mode
			if n := len(encoded(t, drawn(c, s))); n > maxDocument {
				t.Errorf("%s in %q: %d bytes, more than %d", mode, c.code, n, maxDocument)
			}
		}
	}
}

func TestHostileTextsAreInert(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"markup stays text", "<b>&x", "<b>&x"},
		{"terminal escapes", "a\x1b[31mb\x07", "a[31mb"},
		{"bidirectional overrides", "ab\u202ecd\u2066e", "abcde"},
		{"lines and tabs", "a\r\n\tb\u2028c", "a b c"},
		{"broken UTF-8", "a\xff\xfeb", "ab"},
		{"invisible tags", "a\U000E0041b\ufeffc\u200b", "abc"},
		{"piled-up marks", "e" + strings.Repeat("\u0301", 40), "e" + strings.Repeat("\u0301", maxMarks)},
		{"a family of emoji keeps its joiners", "\U0001F469\u200d\U0001F467", "\U0001F469\u200d\U0001F467"},
	} {
		if got := clean(c.in, 100); got != c.want {
			t.Errorf("%s: clean(%q) = %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

func TestALongTitleIsCutBetweenWords(t *testing.T) {
	if got := clean(longTitle, cardEms); got != "Alexander and the Terrible…" {
		t.Errorf("got %q", got)
	}
	if got := clean(strings.Repeat("W", 50), 5); got != "WWW…" {
		t.Errorf("got %q", got)
	}
	if got := clean("Wonder", 5); got != "Wonder" {
		t.Errorf("a title that fits is cut: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add(longTitle)
	f.Add("e\u0301\u0301\u0301\u0301\u0301")
	f.Add("\xff\u202e\u200d \u2028")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s, cardEms)
		if again := clean(got, cardEms); again != got && !strings.HasSuffix(got, "…") {
			t.Errorf("clean(%q) = %q, but once more %q", s, got, again)
		}
		width := 0.0
		for _, r := range got {
			width += ems(r)
		}
		if width > cardEms+0.11 { // an ellipsis counts as a letter of an unknown script here
			t.Errorf("clean(%q) is %.2f ems wide", s, width)
		}
	})
}

func TestAListShowsTheLinesAroundItsPage(t *testing.T) {
	s := kiosk.Screen{Mode: kiosk.ModeAside, First: 30, Aside: 40}
	for i := range 40 {
		s.Lines = append(s.Lines, kiosk.Line{Tail: string(rune('a'+i%26)) + "000", Title: "x", Key: "k"})
	}
	d := drawn(catalogueOf(t, "en"), s)
	if len(d.Model.Items) != maxItems {
		t.Fatalf("%d items", len(d.Model.Items))
	}
	if got, want := d.Model.Items[d.Model.First].Tail, s.Lines[30].Tail; got != want {
		t.Errorf("the page begins with %q, want %q", got, want)
	}
}

func TestTheBinShowsEveryCountOfTheTally(t *testing.T) {
	var tally kiosk.Tally
	v := reflect.ValueOf(&tally).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(i + 1))
	}
	d := drawn(catalogueOf(t, "en"), kiosk.Screen{Mode: kiosk.ModeBin, Tally: tally})
	if len(d.Model.Bins) != v.NumField() {
		t.Errorf("%d counts of %d are shown: %v", len(d.Model.Bins), v.NumField(), d.Model.Bins)
	}
}

func TestAPatronIsNamedOnlyByGreeting(t *testing.T) {
	for _, c := range scenes() {
		b := string(encoded(t, drawn(catalogueOf(t, "en"), c.screen)))
		if named := strings.Contains(b, "Maya"); named && c.screen.Mode != kiosk.ModeBorrow {
			t.Errorf("scene %q names the patron", c.name)
		}
	}
}

func TestSpeechSaysWhatTheScreenSays(t *testing.T) {
	for _, lang := range catalogues(t)[:2] {
		for _, c := range scenes() {
			d := drawn(lang, c.screen)
			if len(d.Speech) == 0 {
				t.Errorf("scene %q in %q is silent", c.name, lang.code)
			}
			if n := d.Model.Notice.Text; n != "" && c.screen.Mode != kiosk.ModeBin && !slices.Contains(d.Speech, n) {
				t.Errorf("scene %q in %q does not say %q: %q", c.name, lang.code, n, d.Speech)
			}
			for _, said := range d.Speech {
				if strings.ContainsAny(said, "{}") || said == "" {
					t.Errorf("scene %q in %q says %q", c.name, lang.code, said)
				}
			}
		}
	}
}

func TestDatesAreSpokenInFull(t *testing.T) {
	en, es := catalogueOf(t, "en"), catalogueOf(t, "es")
	x := sentence{id: "line.due", day: kiosk.Date{Year: 2026, Month: time.December, Day: 7}}
	for _, c := range []struct{ got, want string }{
		{en.show(x), "Due Mon, Dec 7"},
		{en.speak(x), "Bring it back by Monday, December 7."},
		{es.show(x), "Hasta el lun 7 dic"},
		{es.speak(x), "Lo tienes hasta el lunes 7 de diciembre."},
		{en.time(at215.At), "2:15 PM"},
		{es.time(at215.At), "2:15 p. m."},
		{en.time(time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)), "12:05 AM"},
		{en.time(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)), "12:00 PM"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLoansOfHoursSayTheTime(t *testing.T) {
	line := func(mode kiosk.Mode, due kiosk.Due, late bool) string {
		s := kiosk.Screen{Mode: mode, Lines: []kiosk.Line{{Outcome: kiosk.OutcomeLoan, Due: due, Late: late}}}
		return drawn(catalogueOf(t, "en"), s).Model.Items[0].Text
	}
	tomorrow := kiosk.DueAt(at215.At.Add(24 * time.Hour))
	for _, c := range []struct{ got, want string }{
		{line(kiosk.ModeBorrow, at215, false), "Due today, 2:15 PM"},
		{line(kiosk.ModeBorrow, tomorrow, false), "Due Thu, Oct 1, 2:15 PM"},
		{line(kiosk.ModeAccount, at215, true), "Late: today, 2:15 PM"},
		{line(kiosk.ModeAccount, tomorrow, false), "Due Thu, Oct 1"},
		{line(kiosk.ModeBorrow, kiosk.Due{}, false), "Ask for the day."},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestANameIsNeverTakenForATemplate(t *testing.T) {
	d := drawn(catalogueOf(t, "en"), kiosk.Screen{Mode: kiosk.ModeBorrow, Greeting: "{day}", All: 3})
	if d.Model.Heading != "Hi, {day}!" {
		t.Errorf("got %q", d.Model.Heading)
	}
}
