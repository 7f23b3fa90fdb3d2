// Package printer prints slips on a receipt printer that understands ESC/POS. It knows the printer's
// bytes, its paper and its wires; what stands on a slip it is told, in finished words.
//
// Nothing here ever holds up a loan: a slip is queued or dropped, and forgotten when it is old.
package printer

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A Slip is one piece of paper.
type Slip struct {
	Title   string // large, at the top
	Rows    []Row
	Barcode string // printed below as Code 128, with its text; empty: none
	Foot    string // small, at the end
}

// A Row is one line: text at the left, and at the right what must not be cut.
type Row struct {
	Left, Right string
	Bold        bool
}

// The commands of ESC/POS that are used (facts: hardware 7).
const (
	initialise = "\x1b@"
	latin      = "\x1bt\x13" // code page 19: 858, Western European with the euro
	centre     = "\x1ba\x01"
	left       = "\x1ba\x00"
	bold       = "\x1bE\x01"
	light      = "\x1bE\x00"
	large      = "\x1d!\x11" // twice as wide and high
	plain      = "\x1d!\x00"
	textBelow  = "\x1dH\x02" // the barcode's text
	tall       = "\x1dh\x50"
	cut        = "\x1bd\x04\x1dVB\x00"
	askPaper   = "\x10\x04\x04"
)

// mostCode is the longest text that fits on the paper as Code 128.
const mostCode = 20

// Bytes is the slip as the printer takes it, for paper of so many characters a line. Whatever the
// texts hold, nothing in them is taken for a command.
func (s Slip) Bytes(columns int) []byte {
	var b bytes.Buffer
	b.WriteString(initialise + latin)
	if s.Title != "" {
		b.WriteString(centre + large)
		for _, l := range wrap(encode(s.Title), columns/2) {
			b.WriteString(l + "\n")
		}
		b.WriteString(plain + left + "\n")
	}
	for _, r := range s.Rows {
		if r.Bold {
			b.WriteString(bold)
		}
		b.WriteString(r.lay(columns))
		if r.Bold {
			b.WriteString(light)
		}
	}
	if code := encode(s.Barcode); code != "" && len(code) <= mostCode && isPlain(code) {
		b.WriteString("\n" + centre + textBelow + tall + "\x1dkI" + string(rune(len(code)+2)) + "{B" + code + "\n" + left)
	}
	if s.Foot != "" {
		b.WriteString("\n")
		for _, l := range wrap(encode(s.Foot), columns) {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString(cut)
	return b.Bytes()
}

// isPlain tells whether code set B can hold a text whose length is its number of signs.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '{' {
			return false
		}
	}
	return true
}

// lay puts a row on paper: the left text wrapped, the right one at the end of the last line.
func (r Row) lay(columns int) string {
	right := encode(r.Right)
	if len(right) > columns {
		right = right[:columns]
	}
	lines := wrap(encode(r.Left), columns)
	last := lines[len(lines)-1]
	if right != "" && len(last)+1+len(right) > columns {
		lines, last = append(lines, ""), ""
	}
	if right != "" {
		lines[len(lines)-1] = last + strings.Repeat(" ", columns-len(last)-len(right)) + right
	}
	return strings.Join(lines, "\n") + "\n"
}

// wrap breaks a text of single-byte characters into lines, between words where it can. It gives at
// least one line.
func wrap(s string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for len(word) > columns {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, word[:columns]), word[columns:]
		}
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// page858 are the characters from 0x80 on of code page 858.
const page858 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0"

// spelt are characters that the page lacks and how they are spelt instead.
func spelt(r rune) string {
	for _, pair := range []struct{ from, to string }{
		{"ĀĂĄ", "A"}, {"āăą", "a"}, {"ĆĈĊČ", "C"}, {"ćĉċč", "c"}, {"ĎĐ", "D"}, {"ďđ", "d"}, {"ĒĔĖĘĚ", "E"}, {"ēĕėęě", "e"},
		{"ĜĞĠĢ", "G"}, {"ĝğġģ", "g"}, {"ĤĦ", "H"}, {"ĥħ", "h"}, {"ĨĪĬĮİ", "I"}, {"ĩīĭįı", "i"}, {"Ĵ", "J"}, {"ĵ", "j"},
		{"Ķ", "K"}, {"ķ", "k"}, {"ĹĻĽŁ", "L"}, {"ĺļľł", "l"}, {"ŃŅŇ", "N"}, {"ńņň", "n"}, {"ŌŎŐ", "O"}, {"ōŏő", "o"},
		{"ŔŖŘ", "R"}, {"ŕŗř", "r"}, {"ŚŜŞŠȘ", "S"}, {"śŝşšș", "s"}, {"ŢŤŦȚ", "T"}, {"ţťŧț", "t"}, {"ŨŪŬŮŰŲ", "U"}, {"ũūŭůűų", "u"},
		{"Ŵ", "W"}, {"ŵ", "w"}, {"ŶŸ", "Y"}, {"ŷ", "y"}, {"ŹŻŽ", "Z"}, {"źżž", "z"}, {"Œ", "OE"}, {"œ", "oe"},
		{"‘’‚′", "'"}, {"“”„″", "\""}, {"–—−‐‑", "-"}, {"…", "..."}, {"™", "(TM)"}, {"•", "*"},
	} {
		if strings.ContainsRune(pair.from, r) {
			return pair.to
		}
	}
	return "?"
}

// encode puts a text into the printer's code page, one byte a character. Control characters and
// directions are left out, so that no text can be a command.
func encode(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "") {
		switch i := strings.IndexRune(page858, r); {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff:
		case r < 0x7f:
			b.WriteByte(byte(r))
		case i >= 0:
			b.WriteByte(byte(0x80 + utf8.RuneCountInString(page858[:i])))
		case r >= 0x300 && r < 0x370: // marks that stand over the letter before
		default:
			b.WriteString(spelt(r))
		}
	}
	return b.String()
}
