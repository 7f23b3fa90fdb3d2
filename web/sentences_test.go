package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"circdesk/kiosk"
)

// A measure is how hard a text is to read.
type measure struct{ words, sentences, syllables int }

// measured counts a text with a language's way to count syllables.
func measured(text string, syllables func(string) int) measure {
	var m measure
	for _, w := range wordsOf(text) {
		m.words++
		m.syllables += syllables(w)
	}
	m.sentences = len(sentencesOf(text))
	return m
}

func sentencesOf(text string) []string {
	var list []string
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".!?", r) }) {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' })
}

// grade is the American school year by Flesch and Kincaid.
func (m measure) grade() float64 {
	return 0.39*float64(m.words)/float64(m.sentences) + 11.8*float64(m.syllables)/float64(m.words) - 15.59
}

// inflesz is Szigriszt's ease of reading for Spanish; above 80 is "very easy".
func (m measure) inflesz() float64 {
	return 206.835 - 62.3*float64(m.syllables)/float64(m.words) - float64(m.words)/float64(m.sentences)
}

// englishSyllables counts groups of vowels, without the silent e at the end.
func englishSyllables(word string) int {
	const vowels = "aeiouy"
	n, before := 0, false
	for _, r := range word {
		is := strings.ContainsRune(vowels, r)
		if is && !before {
			n++
		}
		before = is
	}
	switch {
	case strings.HasSuffix(word, "le") && len(word) > 2 && !strings.ContainsRune(vowels, rune(word[len(word)-3])):
	case strings.HasSuffix(word, "ee") || strings.HasSuffix(word, "ye"):
	case strings.HasSuffix(word, "e"), strings.HasSuffix(word, "ed") && !strings.HasSuffix(word, "ted") && !strings.HasSuffix(word, "ded"):
		n--
	}
	return max(n, 1)
}

// spanishSyllables counts nuclei: every strong or accented vowel is one, and weak ones on their own.
func spanishSyllables(word string) int {
	word = strings.NewReplacer("qu", "q", "gue", "ge", "gui", "gi").Replace(word)
	n, before := 0, 'x'
	for i, r := range word {
		if r == 'y' && i == len(word)-1 {
			r = 'i'
		}
		strong := strings.ContainsRune("aeoáéó", r)
		hiatus := strings.ContainsRune("íú", r)
		weak := strings.ContainsRune("iuü", r)
		wasStrong, wasHiatus, wasWeak := strings.ContainsRune("aeoáéó", before), strings.ContainsRune("íú", before), strings.ContainsRune("iuü", before)
		switch {
		case strong && !wasWeak, hiatus, weak && !wasStrong && !wasWeak && !wasHiatus, weak && wasHiatus:
			n++
		}
		before = r
	}
	return max(n, 1)
}

func TestTheSyllableCountersAreRight(t *testing.T) {
	for word, want := range map[string]int{
		"scan": 1, "card": 1, "not": 1, "known": 1, "try": 1, "again": 2, "please": 1, "helper": 2, "desk": 1, "here": 1, "school": 1,
		"other": 2, "one": 1, "read": 1, "saved": 1, "someone": 2, "book": 1, "stays": 1, "have": 1, "enough": 2, "give": 1, "time": 1,
		"waits": 1, "borrowing": 3, "closed": 1, "broken": 2, "missing": 2, "are": 1, "table": 2, "library": 3, "computer": 3,
		"the": 1, "see": 1, "wanted": 2, "unavailable": 5, "circulation": 4, "bye": 1, "code": 1,
	} {
		if got := englishSyllables(word); got != want {
			t.Errorf("%q has %d syllables, counted %d", word, want, got)
		}
	}
	for word, want := range map[string]int{
		"pasa": 2, "tarjeta": 3, "mesa": 2, "ponlo": 2, "libro": 2, "código": 3, "aquí": 2, "quién": 1, "sé": 1, "eres": 2, "día": 2,
		"días": 2, "otra": 2, "vez": 1, "escuela": 3, "alguien": 2, "más": 1, "ya": 1, "ve": 1, "leer": 2, "espera": 3, "préstamos": 3,
		"ahora": 3, "cerró": 2, "sirve": 2, "hay": 1, "muchos": 2, "tienes": 2, "su": 1, "lugar": 2, "faltan": 2, "piezas": 2, "tuya": 2,
		"biblioteca": 4, "devolución": 4, "pude": 2, "país": 2, "ruido": 2, "muy": 1,
	} {
		if got := spanishSyllables(word); got != want {
			t.Errorf("%q has %d syllables, counted %d", word, want, got)
		}
	}
}

// imperatives are the verbs that a child is told to act by.
func imperatives() map[string][]string {
	return map[string][]string{
		"en": {"put", "scan", "show", "ask", "go", "give", "try", "see", "come", "use", "lay", "take"},
		"es": {"ponlo", "pon", "pasa", "lleva", "ve", "ven", "deja", "pide", "muestra", "espera", "toma", "marca"},
	}
}

// faultsOf says what is wrong with a sentence for a student: too long, too hard, or without a deed.
func faultsOf(lang, text string) []string {
	var wrong []string
	if n := len(wordsOf(text)); n > 8 {
		wrong = append(wrong, fmt.Sprintf("it has %d words", n))
	}
	switch lang {
	case "en":
		if g := measured(text, englishSyllables).grade(); g > 2 {
			wrong = append(wrong, fmt.Sprintf("it is for grade %.1f", g))
		}
	case "es":
		if f := measured(text, spanishSyllables).inflesz(); f <= 80 {
			wrong = append(wrong, fmt.Sprintf("its INFLESZ is %.1f", f))
		}
	}
	if !tellsWhatToDo(lang, text) {
		wrong = append(wrong, "it does not say what to do")
	}
	return wrong
}

// tellsWhatToDo wants a sentence that begins with the deed.
func tellsWhatToDo(lang, text string) bool {
	for _, s := range sentencesOf(strings.ToLower(text)) {
		for _, polite := range []string{"please ", "now ", "por favor, ", "ahora "} {
			s = strings.TrimPrefix(s, polite)
		}
		if first := wordsOf(s); len(first) > 0 && slices.Contains(imperatives()[lang], first[0]) {
			return true
		}
	}
	return false
}

func TestEveryFaultTellsAChildWhatToDo(t *testing.T) {
	for _, lang := range []string{"en", "es"} {
		c := catalogueOf(t, lang)
		for f := range kiosk.Faults() {
			text := c.show(sentence{id: "fault." + string(f)})
			for _, wrong := range faultsOf(lang, text) {
				t.Errorf("%q: %q (%s): %s", lang, text, f, wrong)
			}
		}
	}
}

func TestNoTwoFaultsSoundTheSame(t *testing.T) {
	for _, c := range catalogues(t) {
		seen := map[string]kiosk.Fault{}
		for f := range kiosk.Faults() {
			text := c.show(sentence{id: "fault." + string(f)})
			if other, ok := seen[text]; ok {
				t.Errorf("%q: %s and %s both say %q", c.code, f, other, text)
			}
			seen[text] = f
		}
	}
}

// TestTheMeasureFindsHardSentences is the negative control: sentences of other kiosks must fail.
func TestTheMeasureFindsHardSentences(t *testing.T) {
	for _, c := range []struct{ lang, text, want string }{
		{"en", "Circulation rules reject this item as non-circulatable.", "grade"},
		{"en", "The available item-to-hold ratio is too low.", "what to do"},
		{"en", "Put the book that you have here back on the desk.", "words"},
		{"en", "This book is not for you.", "what to do"},
		{"es", "El préstamo está temporalmente deshabilitado.", "INFLESZ"},
		{"es", "No es tu libro.", "what to do"},
		{"es", "Pon el libro que tienes aquí en la mesa de la sala.", "words"},
	} {
		if got := strings.Join(faultsOf(c.lang, c.text), "; "); !strings.Contains(got, c.want) {
			t.Errorf("%q passes but for %q; it should fail by %q", c.text, got, c.want)
		}
	}
}
