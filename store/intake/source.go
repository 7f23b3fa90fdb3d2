package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	csvCap  = 64 << 10  // bytes of a row
	lookout = 128 << 10 // more than a row and than a MARC record, which has at most 99,999 bytes
)

// A source is a window on a file. At least ahead bytes from pos on are in it, or all there are.
type source struct {
	r        io.Reader
	buf      []byte
	pos, end int
	ahead    int
	base     int64 // offset of buf[0] in the file
	lf       int   // the first LF at or after pos, end if there is none; -1 not looked for
	err      error // io.EOF, or why reading failed
}

func newSource(r io.Reader) *source {
	return &source{r: r, ahead: lookout, buf: make([]byte, 2*lookout), lf: -1}
}

// widen lets longer records in.
func (s *source) widen(ahead int) {
	s.buf = append(make([]byte, 0, 2*ahead), s.buf...)[:2*ahead]
	s.ahead = ahead
}

// fill makes the window reach far enough.
func (s *source) fill() {
	if s.err != nil || s.end-s.pos >= s.ahead {
		return
	}
	s.base += int64(s.pos)
	copy(s.buf, s.buf[s.pos:s.end])
	s.pos, s.end, s.lf = 0, s.end-s.pos, -1
	n, err := io.ReadFull(s.r, s.buf[s.end:])
	s.end += n
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	s.err = err
}

// window is what can be seen from here.
func (s *source) window() []byte {
	s.fill()
	return s.buf[s.pos:s.end]
}

// offset is where in the file pos is.
func (s *source) offset() int64 { return s.base + int64(s.pos) }

// failed is why reading broke off before the end.
func (s *source) failed() error {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("reading the file failed: %w", s.err)
}

// line finds the end of the line at pos: the bytes of the line, and of the line with its ending.
func (s *source) line() (text, whole int, ended bool) {
	s.fill()
	if s.lf < s.pos {
		s.lf = s.end
		if i := bytes.IndexByte(s.buf[s.pos:s.end], '\n'); i >= 0 {
			s.lf = s.pos + i
		}
	}
	if i := bytes.IndexByte(s.buf[s.pos:s.lf], '\r'); i >= 0 {
		if s.pos+i+1 == s.lf && s.lf < s.end {
			return i, i + 2, true
		}
		return i, i + 1, true
	}
	n := s.lf - s.pos
	if s.lf == s.end {
		return n, n, false
	}
	return n, n + 1, true
}

// head is the beginning of the file without a byte order mark, if it can be text.
func (s *source) head() ([]byte, error) {
	head := s.window()
	if err := s.failed(); err != nil && len(head) == 0 {
		return nil, err
	}
	head = head[:min(len(head), 4096)]
	for _, f := range foreign() {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return nil, errors.New(f.what)
		}
	}
	if len(bytes.Trim(head, "\ufeff \t\r\n")) == 0 && s.err != nil {
		return nil, errors.New("the file is empty")
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return nil, fmt.Errorf("the file is not text: it has a zero byte at offset %d", i)
	}
	return bytes.TrimPrefix(head, []byte("\ufeff")), nil
}

// foreign are the files that people hand in by mistake, by their first bytes.
func foreign() []struct{ magic, what string } {
	const utf16 = "the file is UTF-16 (\"Unicode text\"); save it as CSV UTF-8"
	return []struct{ magic, what string }{
		{"\xff\xfe", utf16}, {"\xfe\xff", utf16},
		{"PK\x03\x04", "the file is a spreadsheet (.xlsx, .ods) or another zip archive, whatever its name; save the sheet as CSV UTF-8"},
		{"\xd0\xcf\x11\xe0", "the file is an old spreadsheet (.xls), whatever its name; save the sheet as CSV UTF-8"},
		{"%PDF", "the file is a PDF; export the report as CSV"},
		{"\x1f\x8b", "the file is compressed (gzip); unpack it first"},
		{"SQLite format 3", "the file is an SQLite database; export the table as CSV"},
	}
}
