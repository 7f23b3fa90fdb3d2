package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"circdesk/kiosk"
)

// parsed are the files of package kiosk. Its own lists could forget a word; its source cannot.
func parsed(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("../kiosk/*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no source of kiosk: %v", err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are the values of all string constants of a type of kiosk, which has some.
func constants(t *testing.T, typ string) []string {
	t.Helper()
	values := declared(t, typ)
	if len(values) == 0 {
		t.Fatalf("kiosk has no %s", typ)
	}
	return values
}

func declared(t *testing.T, typ string) []string {
	t.Helper()
	var values []string
	for _, f := range parsed(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				for _, e := range v.Values {
					values = append(values, literal(t, e))
				}
			}
			return true
		})
	}
	return values
}

func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%T is no literal", e)
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// actionKinds are the actions that the core acts on, without their arguments, and those of the contract.
func actionKinds(t *testing.T) []string {
	t.Helper()
	kinds := []string{"return", "account", "finish", "renew_all", "renew", "more_time", "help", "ok", "back", "undo", "print", "no_print"}
	for _, f := range parsed(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			fn, ok := n.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "act" {
				return true
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if c, ok := n.(*ast.CaseClause); ok {
					for _, e := range c.List {
						kinds = append(kinds, literal(t, e))
					}
				}
				return true
			})
			return false
		})
	}
	kinds = append(kinds, "before", "more") // which "page" becomes
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "page" || k == "language" })
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// needed are the ids of all sentences that the core's words ask for.
func needed(t *testing.T) []string {
	t.Helper()
	ids := []string{"offline", "saved", "cover.heading", "cover.text"}
	for _, x := range constants(t, "SlipKind") {
		ids = append(ids, "slip."+x)
	}
	for _, f := range constants(t, "Fault") {
		ids = append(ids, "fault."+f)
	}
	for _, a := range constants(t, "Alarm") {
		ids = append(ids, "alarm."+a)
	}
	for _, o := range constants(t, "Outcome") {
		ids = append(ids, "outcome."+o, "bin."+o)
	}
	for _, k := range actionKinds(t) {
		ids = append(ids, "action."+k)
	}
	return ids
}

func TestEveryWordOfTheCoreIsInEveryLanguage(t *testing.T) {
	for _, c := range catalogues(t) {
		for _, id := range needed(t) {
			if c.show(sentence{id: id}) == "" {
				t.Errorf("%q has no %q", c.code, id)
			}
		}
	}
}

func TestTheCoresListsForgetNothing(t *testing.T) {
	for _, f := range constants(t, "Fault") {
		if code := kiosk.Fault(f).Code(); code == "" || len(code) > 5 {
			t.Errorf("fault %q has the code %q", f, code)
		}
	}
	for _, m := range constants(t, "Mode") {
		if !slices.Contains(kiosk.Modes(), kiosk.Mode(m)) {
			t.Errorf("mode %q is not on the list", m)
		}
	}
	for _, a := range constants(t, "Alarm") {
		if !slices.Contains(kiosk.Alarms(), kiosk.Alarm(a)) || len(a) > 5 {
			t.Errorf("alarm %q is not on the list, or longer than five characters", a)
		}
	}
	for _, o := range constants(t, "Outcome") {
		if !slices.Contains(outcomes(), kiosk.Outcome(o)) {
			t.Errorf("outcome %q has no scene", o)
		}
	}
}

func TestEveryScreenIsWordedDrawnAndLookedAt(t *testing.T) {
	source := readPage(t, "screens.js")
	_, table, _ := strings.Cut(source, "const screens = {")
	for _, m := range kiosk.Modes() {
		if !slices.ContainsFunc(scenes(), func(c scene) bool { return c.screen.Mode == m }) {
			t.Errorf("%q has no scene", m)
		}
		if !regexp.MustCompile(`\b` + string(m) + `[:,]`).MatchString(table) {
			t.Errorf("screens.js draws no %q", m)
		}
		for _, c := range catalogues(t) {
			if d := drawn(c, kiosk.Screen{Mode: m}); d.Model.Heading == "" {
				t.Errorf("%q has no heading in %q", m, c.code)
			}
		}
	}
}

func TestEveryActionOfEverySceneHasItsWords(t *testing.T) {
	for _, lang := range catalogues(t) {
		for _, c := range scenes() {
			s := c.in(lang.code)
			for _, id := range s.Actions {
				if id == "language:"+lang.code {
					continue
				}
				if !slices.ContainsFunc(drawn(lang, s).Model.Actions, func(a Action) bool { return a.ID == id && a.Text != "" }) {
					t.Errorf("scene %q in %q: no words for %q", c.name, lang.code, id)
				}
			}
		}
	}
}

func TestEveryActionAndOutcomeHasItsPicture(t *testing.T) {
	source := readPage(t, "art.js")
	_, glyphs, _ := strings.Cut(source, "const glyphs = {")
	for _, k := range append(actionKinds(t), "language") {
		if k == "digit" {
			continue // is its own picture
		}
		if !strings.Contains(glyphs, "\n  "+k+": ") && !strings.Contains(glyphs, "glyphs."+k+" = ") {
			t.Errorf("art.js has no icon for %q", k)
		}
	}
}

var arguments = regexp.MustCompile(`\{\w+\}`)

func argumentsOf(s string) []string {
	found := arguments.FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestCataloguesAreComplete(t *testing.T) {
	en := catalogueOf(t, "en")
	for _, c := range catalogues(t) {
		for id, m := range en.Strings {
			own, ok := c.Strings[id]
			if !ok || own.Other == "" {
				t.Errorf("%q has no %q", c.code, id)
				continue
			}
			if (m.One != "") != (own.One != "") {
				t.Errorf("%q: %q has plural forms in one language only", c.code, id)
			}
			if got, want := argumentsOf(own.Other), argumentsOf(m.Other); !slices.Equal(got, want) {
				t.Errorf("%q: %q takes %q, in English %q", c.code, id, got, want)
			}
			if own.Speak.One != "" && own.Speak.Other == "" {
				t.Errorf("%q: %q is spoken in one form only", c.code, id)
			}
		}
		for id := range c.Strings {
			if _, ok := en.Strings[id]; !ok {
				t.Errorf("%q has %q, which English has not", c.code, id)
			}
		}
		if len(c.Days) != 7 || len(c.LongDays) != 7 || len(c.Months) != 12 || len(c.LongMonths) != 12 || len(c.Halves) != 2 {
			t.Errorf("%q: days, months or halves are missing", c.code)
		}
		if c.Name == "" || c.Dir != "ltr" && c.Dir != "rtl" || c.Status == "" || c.Date == "" || c.LongDate == "" || c.Clock == "" {
			t.Errorf("%q: its head is not complete", c.code)
		}
	}
}

func TestSentencesThatCountHavePlurals(t *testing.T) {
	for _, c := range catalogues(t) {
		for id, m := range c.Strings {
			counts := strings.Contains(m.Other, "{n}") || strings.Contains(m.Speak.Other, "{n}")
			if counts && m.One == "" && m.Speak.One == "" {
				t.Errorf("%q: %q counts but has no form for one", c.code, id)
			}
		}
	}
	en := catalogueOf(t, "en")
	for n, want := range map[int]string{0: "You have 0 books.", 1: "You have 1 book.", 2: "You have 2 books."} {
		if got := en.show(sentence{id: "borrow.all", n: n}); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := en.speak(sentence{id: "still_there.text", n: 1}); got != "1 second left." {
		t.Errorf("got %q", got)
	}
}

// TestNoSentenceIsLeftOver finds ids that nothing in this package asks for.
func TestNoSentenceIsLeftOver(t *testing.T) {
	asked := needed(t)
	for _, m := range kiosk.Modes() {
		asked = append(asked, string(m)+".heading")
	}
	ids := regexp.MustCompile(`"(\w+\.\w+)"`)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range ids.FindAllStringSubmatch(readFile(t, name), -1) {
			asked = append(asked, m[1])
			if strings.Contains(m[1], "line.") || strings.Contains(m[1], ".due") {
				asked = append(asked, m[1]+"_at", m[1]+"_today")
			}
		}
	}
	asked = append(asked, "line.no_renewal", "line.renewal_hold") // "line." + fault
	for _, id := range slices.Sorted(maps.Keys(catalogueOf(t, "en").Strings)) {
		if !slices.Contains(asked, id) {
			t.Errorf("nothing asks for %q", id)
		}
	}
}

func TestCataloguesHaveNoUnknownOrDoubleKeys(t *testing.T) {
	for _, code := range Languages() {
		text, err := i18n.ReadFile("i18n/" + code + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&catalogue{}); err != nil {
			t.Errorf("%q: %v", code, err)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^    "([\w.]+)":`).FindAllStringSubmatch(string(text), -1) {
			if seen[m[1]] {
				t.Errorf("%q: %q comes twice", code, m[1])
			}
			seen[m[1]] = true
		}
	}
}

func TestAnUnknownLanguageIsRefused(t *testing.T) {
	for _, code := range []string{"", "xx", "../en", "EN"} {
		if _, err := loadCatalogue(code); err == nil {
			t.Errorf("language %q was loaded", code)
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(pageFS, "page/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnAlarmHasASentenceForTerminals(t *testing.T) {
	for _, a := range kiosk.Alarms() {
		if got := Sentence(a); len(got) < 10 || strings.HasSuffix(got, ".") {
			t.Errorf("%s: %q", a, got)
		}
	}
}
