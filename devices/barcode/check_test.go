package barcode

import "testing"

func TestCheckDigits(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(string) (byte, bool)
		data  string
		want  string // empty: refused
	}{
		// Follett's manual, then numbers of libraries.
		{"Luhn", Luhn, "3123400001006", "4"},
		{"Luhn", Luhn, "2097890123456", "0"},
		{"Luhn", Luhn, "3012300001234", "8"},
		{"Luhn", Luhn, "3555500001234", "6"},
		{"Luhn", Luhn, "7992739871", "3"}, // ISO/IEC 7812-1's usual example, an even length
		{"Luhn", Luhn, "", ""},
		{"Luhn", Luhn, "312340000100X", ""},

		{"Mod43", Mod43, "CODE39", "W"},
		{"Mod43", Mod43, "T123456", "7"},
		{"Mod43", Mod43, "3012300001234", "J"},
		{"Mod43", Mod43, "HELLO WORLD", "."},
		{"Mod43", Mod43, "", ""},
		{"Mod43", Mod43, "hello", ""},
		{"Mod43", Mod43, "A*B", ""},

		{"EAN", EAN, "978030640615", "7"},
		{"EAN", EAN, "978014032872", "1"},
		{"EAN", EAN, "979109080719", "8"},
		{"EAN", EAN, "400638133393", "1"},
		{"EAN-8", EAN, "9638507", "4"},
		{"UPC-A", EAN, "03600029145", "2"},
		{"ITF-14", EAN, "1540014128876", "3"},
		{"EAN", EAN, "", ""},
		{"EAN", EAN, "97803064061A", ""},

		{"ISBN-10", isbn10Check, "030640615", "2"},
		{"ISBN-10", isbn10Check, "014032872", "6"},
		{"ISBN-10", isbn10Check, "080442957", "X"},

		{"Mod16", Mod16, "A1234567B", "3"},
		{"Mod16", Mod16, "C12-34D", "7"},
		{"Mod16", Mod16, "a1234567N", "3"}, // the same letters in other forms
		{"Mod16", Mod16, "T1234567b", "3"},
		{"Mod16", Mod16, "*12-34E", "7"},
		{"Mod16", Mod16, "1234567", ""},
		{"Mod16", Mod16, "A12A4B", ""},
		{"Mod16", Mod16, "AB", ""},
		{"Mod16", Mod16, "", ""},
	} {
		check, ok := c.check(c.data)
		if ok != (c.want != "") || ok && string(rune(check)) != c.want {
			t.Errorf("%s(%q) = %q, %v, want %q", c.name, c.data, check, ok, c.want)
		}
	}
}

func TestAddOnsHaveAHiddenCheck(t *testing.T) {
	for digits, want := range map[string]int{"51299": 8, "90000": 7, "05": 1, "99": 3, "": -1, "123": -1, "1234X": -1} {
		check, ok := AddOn(digits)
		if ok != (want >= 0) || ok && check != want {
			t.Errorf("AddOn(%q) = %d, %v, want %d", digits, check, ok, want)
		}
	}
}

func TestISBN(t *testing.T) {
	for _, c := range []struct{ in, isbn13, isbn10 string }{
		{"0306406152", "9780306406157", "0306406152"},
		{"0-306-40615-2", "9780306406157", "0306406152"},
		{"978-0-306-40615-7", "9780306406157", "0306406152"},
		{"0140328726", "9780140328721", "0140328726"},
		{"080442957x", "9780804429573", "080442957X"},
		{"9791090807198", "9791090807198", ""},
		{"0306406153", "", ""},
		{"9780306406158", "", ""},
		{"4006381333931", "", ""},
		{"08044X957X", "", ""},
		{"", "", ""},
	} {
		isbn13, ok13 := ISBN13(c.in)
		isbn10, ok10 := ISBN10(c.in)
		if isbn13 != c.isbn13 || ok13 != (isbn13 != "") || isbn10 != c.isbn10 || ok10 != (isbn10 != "") {
			t.Errorf("%q: %q %v and %q %v, want %q and %q", c.in, isbn13, ok13, isbn10, ok10, c.isbn13, c.isbn10)
		}
	}
}

func TestCutAddOn(t *testing.T) {
	for _, c := range []struct{ in, ean, addOn string }{
		{"978030640615751299", "9780306406157", "51299"},
		{"977147396801205", "9771473968012", "05"},
		{"979109080719890000", "9791090807198", "90000"},
		{"978030640615851299", "", ""}, // wrong check digit: some other number
		{"400638133393151299", "", ""},
		{"9780306406157", "", ""},
		{"97803064061575", "", ""},
		{"97803064061575129X", "", ""},
	} {
		if ean, addOn, ok := CutAddOn(c.in); ean != c.ean || addOn != c.addOn || ok != (ean != "") {
			t.Errorf("%q: %q %q %v, want %q %q", c.in, ean, addOn, ok, c.ean, c.addOn)
		}
	}
}

func TestCutAIM(t *testing.T) {
	for in, want := range map[string]struct {
		aim  AIM
		rest string
	}{
		"]F03012300001238": {AIM{'F', '0'}, "3012300001238"},
		"]X09780306406157": {AIM{'X', '0'}, "9780306406157"},
		"]d2x":             {AIM{'d', '2'}, "x"},
		"]A0":              {AIM{'A', '0'}, ""},
		"]A":               {AIM{}, "]A"},
		"]B0x":             {AIM{}, "]B0x"},
		"]Axx":             {AIM{}, "]Axx"},
		"A]A0":             {AIM{}, "A]A0"},
		"":                 {AIM{}, ""},
	} {
		if aim, rest := CutAIM(in); aim != want.aim || rest != want.rest {
			t.Errorf("%q: %+v %q, want %+v", in, aim, rest, want)
		}
	}
}

// FuzzCheckDigits appends each check digit and finds it right, and one changed
// digit wrong.
func FuzzCheckDigits(f *testing.F) {
	for _, seed := range []string{"3012300001234", "978030640615", "A1234567B", "HELLO WORLD", "", "\xff", "0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		for _, check := range []func(string) (byte, bool){Luhn, EAN, Mod43} {
			c, ok := check(data)
			if !ok {
				continue
			}
			whole := data + string(rune(c))
			if !fits(whole, check) || c < ' ' || c > '~' {
				t.Fatalf("%q does not fit its own check digit", whole)
			}
			other := []byte(whole)
			if other[0]++; fits(string(other), check) {
				t.Fatalf("%q fits as well as %q", other, whole)
			}
		}
		if isbn, ok := ISBN13(data); ok {
			if again, ok := ISBN13(isbn); !ok || again != isbn {
				t.Fatalf("%q is no ISBN", isbn)
			}
			if old, ok := ISBN10(isbn); ok {
				if back, _ := ISBN13(old); back != isbn {
					t.Fatalf("%q becomes %q becomes %q", isbn, old, back)
				}
			}
		}
		if check, ok := Mod16(data); ok {
			at := len(data) - 1
			again, ok := Mod16(data[:at] + string(rune(check)) + data[at:])
			if !ok || again != '0' { // with its check character the sum is a multiple of 16
				t.Fatalf("%q: check character %q, then %q", data, check, again)
			}
		}
		if check, ok := AddOn(data); ok && (check < 0 || check > 9) {
			t.Fatalf("add-on %q: check %d", data, check)
		}
		if ean, addOn, ok := CutAddOn(data); ok && ean+addOn != data {
			t.Fatalf("%q cut into %q and %q", data, ean, addOn)
		}
		if aim, rest := CutAIM(data); aim != (AIM{}) && "]"+string([]byte{aim.Letter, aim.Modifier})+rest != data {
			t.Fatalf("%q cut into %+v and %q", data, aim, rest)
		}
	})
}
