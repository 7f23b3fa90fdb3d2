package scanner

import (
	"slices"
	"unicode"
)

// A layout is what the keys of a keyboard type, by the kernel's key codes: plain,
// with Shift and with AltGr. It is a setting of the scanner, and of the host that
// the scanner believes to type into; so these are the layouts of Windows.
type layout map[uint16][3]rune

// Accents that wait for the letter they go on are written as modifier letters;
// alone is what they are with a space after them.
func alone(r rune) rune {
	switch r {
	case 'ˆ':
		return '^'
	case 'ˋ':
		return '`'
	case 'ˊ':
		return '´'
	case '˜':
		return '~'
	case '¨':
		return '¨'
	}
	return 0
}

// accented is the letter r with the accent on it, 0 if there is none.
func accented(accent, r rune) rune {
	letters := []rune("aeiounyAEIOUNY")
	rows := map[rune]string{
		'ˆ': "âêîôû  ÂÊÎÔÛ  ",
		'ˋ': "àèìòù  ÀÈÌÒÙ  ",
		'ˊ': "áéíóú ýÁÉÍÓÚ Ý",
		'˜': "ã  õ ñ Ã  Õ Ñ ",
		'¨': "äëïöü ÿÄËÏÖÜ Ÿ",
	}
	for i, l := range letters {
		if c := []rune(rows[accent])[i]; l == r && c != ' ' {
			return c
		}
	}
	return 0
}

// layouts are the names that newLayout knows.
func layouts() []string {
	return []string{"us", "uk", "de", "fr", "es", "nordic", "se", "fi", "dk", "no"}
}

// newLayout returns the layout of a name; "" is "us", "nordic" is the Swedish and
// Finnish one.
func newLayout(name string) layout {
	switch name {
	case "uk":
		return uk()
	case "de":
		return de()
	case "fr":
		return fr()
	case "es":
		return es()
	case "nordic", "se", "fi":
		return se()
	case "dk":
		return dk()
	case "no":
		return no()
	}
	return us()
}

// rows makes a layout of its four rows of keys as they stand in front of one, for
// each level: 13 keys from the one left of 1, 12 from Q, 12 from A (the last is
// left of Enter or above it), 11 from the one between Shift and Z.
func rows(plain, shift, altgr [4]string) layout {
	l := layout{}
	for level, four := range [][4]string{plain, shift, altgr} {
		for row, text := range four {
			for i, r := range []rune(text) {
				if code := keysOf(row)[i]; r != ' ' {
					key := l[code]
					key[level] = r
					l[code] = key
				}
			}
		}
	}
	for code, r := range map[uint16]rune{keySpace: ' ', keyEnter: cr, keyPadEnter: cr, keyTab: tab, keyEsc: 0x1B,
		keyBackspace: 0x08, 55: '*', 74: '-', 78: '+', 98: '/', 83: '.', 117: '=', 121: ','} {
		l[code] = [3]rune{r, r}
	}
	for i, code := range padKeys() {
		l[code] = [3]rune{'0' + rune(i), '0' + rune(i)}
	}
	return l
}

// keysOf are the codes of a row of keys (linux/input-event-codes.h).
func keysOf(row int) []uint16 {
	switch row {
	case 0:
		return []uint16{41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
	case 1:
		return []uint16{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}
	case 2:
		return []uint16{30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 43}
	}
	return []uint16{86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53}
}

// padKeys are the keypad's digits from 0 to 9.
func padKeys() []uint16 { return []uint16{82, 79, 80, 81, 75, 76, 77, 71, 72, 73} }

func usPlain() [4]string {
	return [4]string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", "\\zxcvbnm,./"}
}

// usChar is what a key types on a US keyboard, 0 for the keys around it.
func usChar(code uint16) rune {
	for row, text := range usPlain() {
		if i := slices.Index(keysOf(row), code); i >= 0 {
			return rune(text[i])
		}
	}
	return 0
}

func us() layout {
	return rows(usPlain(),
		[4]string{"~!@#$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:\"|", "|ZXCVBNM<>?"},
		[4]string{})
}

func uk() layout {
	return rows(
		[4]string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'#", "\\zxcvbnm,./"},
		[4]string{"¬!\"£$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:@~", "|ZXCVBNM<>?"},
		[4]string{"¦   €", "  é   úíó", "á"})
}

func de() layout {
	return rows(
		[4]string{"ˆ1234567890ßˊ", "qwertzuiopü+", "asdfghjklöä#", "<yxcvbnm,.-"},
		[4]string{"°!\"§$%&/()=?ˋ", "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", ">YXCVBNM;:_"},
		[4]string{"  ²³   {[]}\\", "@ €        ~", "", "|      µ"})
}

func fr() layout {
	return rows(
		[4]string{"²&é\"'(-è_çà)=", "azertyuiopˆ$", "qsdfghjklmù*", "<wxcvbn,;:!"},
		[4]string{" 1234567890°+", "AZERTYUIOP¨£", "QSDFGHJKLM%µ", ">WXCVBN?./§"},
		[4]string{"  ˜#{[|ˋ\\^@]}", "  €        ¤"})
}

func es() layout {
	return rows(
		[4]string{"º1234567890'¡", "qwertyuiopˋ+", "asdfghjklñˊç", "<zxcvbnm,.-"},
		[4]string{"ª!\"·$%&/()=?¿", "QWERTYUIOPˆ*", "ASDFGHJKLÑ¨Ç", ">ZXCVBNM;:_"},
		[4]string{"\\|@#˜€¬", "  €       []", "          {}"})
}

func se() layout {
	return rows(
		[4]string{"§1234567890+ˊ", "qwertyuiopå¨", "asdfghjklöä'", "<zxcvbnm,.-"},
		[4]string{"½!\"#¤%&/()=?ˋ", "QWERTYUIOPÅˆ", "ASDFGHJKLÖÄ*", ">ZXCVBNM;:_"},
		[4]string{"  @£$€ {[]}\\", "  €        ˜", "", "|      µ"})
}

func dk() layout {
	return rows(
		[4]string{"½1234567890+ˊ", "qwertyuiopå¨", "asdfghjklæø'", "<zxcvbnm,.-"},
		[4]string{"§!\"#¤%&/()=?ˋ", "QWERTYUIOPÅˆ", "ASDFGHJKLÆØ*", ">ZXCVBNM;:_"},
		[4]string{"  @£$€ {[]} |", "  €        ˜", "", "\\      µ"})
}

func no() layout {
	return rows(
		[4]string{"|1234567890+\\", "qwertyuiopå¨", "asdfghjkløæ'", "<zxcvbnm,.-"},
		[4]string{"§!\"#¤%&/()=?ˋ", "QWERTYUIOPÅˆ", "ASDFGHJKLØÆ*", ">ZXCVBNM;:_"},
		[4]string{"  @£$€ {[]} ˊ", "  €        ˜", "", "       µ"})
}

// char is what a key types with these modifiers, 0 for nothing. Caps Lock is
// about letters only, and Shift undoes it.
func (l layout) char(code uint16, shift, altgr, caps bool) rune {
	key := l[code]
	if altgr {
		return key[2]
	}
	if isLetter := key[0] != key[1] && unicode.ToUpper(key[0]) == key[1]; isLetter && caps {
		shift = !shift
	}
	if shift {
		return key[1]
	}
	return key[0]
}

// control is what a key types with Ctrl: letters by the layout, the others by
// where they are on the US keyboard. ok is false for keys without a control
// character.
func (l layout) control(code uint16) (b byte, ok bool) {
	c := l[code][0]
	if c < 'a' || c > 'z' {
		c = usChar(code)
	}
	switch {
	case c >= 'a' && c <= 'z', c >= '[' && c <= ']':
		return byte(c) & 0x1F, true
	case c == '2':
		return 0x00, true
	case c == '6':
		return 0x1E, true
	case c == '-' || c == '/':
		return 0x1F, true
	}
	return 0, false
}

// padChar is the character of a number that was typed on the keypad while Alt was
// held: with a leading 0 of Windows' code page 1252, else of the old 437. It is 0
// for a number that means none.
func padChar(digits []byte) rune {
	n := 0
	for _, d := range digits {
		if n = 10*n + int(d-'0'); n > 255 {
			return 0
		}
	}
	switch {
	case n < 0x80:
		return rune(n)
	case digits[0] != '0':
		return []rune(cp437)[n-0x80]
	case n < 0xA0:
		if r := []rune(cp1252)[n-0x80]; r != ' ' {
			return r
		}
		return 0
	}
	return rune(n)
}

// The code pages from 80 hex on; that of Windows is Latin-1 from A0 on.
const (
	cp437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
		"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"
	cp1252 = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ"
)
