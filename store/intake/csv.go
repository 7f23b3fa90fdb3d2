package intake

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// A span is a field's place in the row.
type span struct{ from, to int }

// A csvFile reads rows of fields. It does not use encoding/csv, which takes a forgotten quote for a field
// of the length of the file, has no CR line ends and makes a string of every field.
type csvFile struct {
	s     *source
	delim byte
	line  int // lines before pos
	start int // the line, from 1, of the row that was read last
	utf8  bool
	old   bool // a row was Windows-1252
	most  int  // fields in a row with quotes, after which it is given up

	raw   []byte // the row's bytes: in the window, or in own when they had to be rewritten
	own   []byte
	spans []span
	text  string // raw as a string
}

// field is a field of the row that was read last.
func (c *csvFile) field(i int) string { return c.text[c.spans[i].from:c.spans[i].to] }

// encoding is what the rows were so far.
func (c *csvFile) encoding() string {
	if c.old {
		return "Windows-1252"
	}
	return "UTF-8"
}

// next reads the row at pos, or says what is wrong with it. It moves on in any case.
func (c *csvFile) next() (problem string) {
	c.start = c.line + 1
	text, whole, ended := c.s.line()
	c.raw = c.s.buf[c.s.pos : c.s.pos+text]
	c.spans = c.spans[:0]
	switch {
	case text > csvCap:
		c.skip(text, whole, ended)
		return fmt.Sprintf("is longer than %d bytes", csvCap)
	case bytes.IndexByte(c.raw, '"') < 0:
		c.split()
		c.s.pos += whole
		c.line++
	default:
		n, lines, problem := c.unquote(c.s.window())
		if problem != "" { // the next line may be sound
			n, lines = whole, 1
		}
		c.s.pos += n
		c.line += lines
		if problem != "" {
			return problem
		}
	}
	return c.decode()
}

// skip leaves out a line that may be longer than the window.
func (c *csvFile) skip(text, whole int, ended bool) {
	for !ended && text > 0 {
		c.s.pos += whole
		text, whole, ended = c.s.line()
	}
	c.s.pos += whole
	c.line++
}

// split finds the fields of a row without quotes.
func (c *csvFile) split() {
	from := 0
	for {
		i := bytes.IndexByte(c.raw[from:], c.delim)
		if i < 0 {
			break
		}
		c.spans = append(c.spans, span{from, from + i})
		from += i + 1
	}
	c.spans = append(c.spans, span{from, len(c.raw)})
}

// unquote finds the fields of a row with quotes, which may go over several lines, and writes them to own
// without the quotes. It says how many bytes and lines the row has.
func (c *csvFile) unquote(in []byte) (n, lines int, problem string) {
	c.own = c.own[:0]
	for i := 0; ; {
		from := len(c.own)
		if i < len(in) && in[i] == '"' {
			if i, problem = c.quoted(in, i+1, &lines); problem != "" {
				return 0, 0, problem
			}
		} else {
			to := i
			for to < len(in) && in[to] != c.delim && in[to] != '\n' && in[to] != '\r' {
				to++
			}
			c.own = append(c.own, in[i:to]...)
			i = to
		}
		c.spans = append(c.spans, span{from, len(c.own)})
		switch {
		case i > csvCap:
			return 0, 0, fmt.Sprintf("is longer than %d bytes", csvCap)
		case len(c.spans) > c.most: // quotes that open anew on each line would have us read each line over and over
			return 0, 0, "has far more fields than the header"
		}
		if i < len(in) && in[i] == c.delim {
			i++
			continue
		}
		c.raw = c.own
		return i + lineEnd(in, i), lines + 1, ""
	}
}

// quoted copies a field from behind its first quote on and says where it ends.
func (c *csvFile) quoted(in []byte, i int, lines *int) (int, string) {
	for {
		j := bytes.IndexByte(in[i:], '"')
		if j < 0 || i+j > csvCap {
			return 0, fmt.Sprintf("has a quote that is not closed within %d bytes", csvCap)
		}
		c.own = append(c.own, in[i:i+j]...)
		*lines += breaks(in[i : i+j])
		i += j + 1
		switch {
		case i == len(in) || in[i] == c.delim || in[i] == '\n' || in[i] == '\r':
			return i, ""
		case in[i] != '"':
			return 0, "has text behind a closing quote"
		}
		c.own = append(c.own, '"')
		i++
	}
}

// breaks counts the line ends in a field.
func breaks(b []byte) int {
	return bytes.Count(b, []byte("\n")) + bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\r\n"))
}

// lineEnd is the length of the line end at i.
func lineEnd(in []byte, i int) int {
	switch {
	case i >= len(in):
		return 0
	case in[i] == '\r' && i+1 < len(in) && in[i+1] == '\n':
		return 2
	}
	return 1
}

// decode makes text of the row.
func (c *csvFile) decode() (problem string) {
	for i := 0; i < len(c.raw); i++ {
		if c.raw[i] < utf8.RuneSelf {
			continue
		}
		if utf8.Valid(c.raw[i:]) {
			c.utf8 = true
			break
		}
		if c.utf8 {
			return wrongByte(c.raw, "row")
		}
		if problem := c.from1252(); problem != "" {
			return problem
		}
		break
	}
	c.text = string(c.raw)
	return ""
}

// wrongByte names the first byte that is not UTF-8.
func wrongByte(b []byte, of string) string {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return fmt.Sprintf("is not UTF-8: byte %d of the %s is 0x%02X", i+1, of, b[i])
		}
		i += n
	}
	return ""
}

// from1252 makes UTF-8 of the row's fields.
func (c *csvFile) from1252() (problem string) {
	out := make([]byte, 0, 2*len(c.raw))
	for i, f := range c.spans {
		from := len(out)
		for _, b := range c.raw[f.from:f.to] {
			r := rune(b)
			if b >= 0x80 && b < 0xa0 {
				r = windows1252[b-0x80]
			}
			if r == 0 && b != 0 {
				return fmt.Sprintf("is neither UTF-8 nor Windows-1252: it has the byte 0x%02X", b)
			}
			out = utf8.AppendRune(out, r)
		}
		c.spans[i] = span{from, len(out)}
	}
	c.raw, c.old = out, true
	return ""
}

// windows1252 is where Windows-1252 is not Latin-1: 0x80 to 0x9F, 0 for what it does not have.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}
