package intake

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// xmlCap is what a record may have: a class set of 1,000 copies has half of it.
const xmlCap = 1 << 20

// openXML reads MARCXML, also within other elements (OAI-PMH). Each record is cut out of the file and read
// by itself, so a broken one does not end the reading and a document type cannot do anything.
func openXML(s *source, o Options) (*File, error) {
	head := s.window()
	head = bytes.ToLower(head[:min(len(head), 4096)])
	switch {
	case bytes.Contains(head, []byte("<html")) || bytes.Contains(head, []byte("<!doctype html")):
		return nil, errors.New("the file is a web page; export the report as a file")
	case !bytes.Contains(head, []byte("record")) && !bytes.Contains(head, []byte("collection")):
		return nil, errors.New("the file is XML, but not MARCXML")
	}
	if e := declared(head); e != "" && e != "utf-8" && e != "utf8" && e != "us-ascii" {
		return nil, fmt.Errorf("the file's encoding is %q; export it as UTF-8", short(e))
	}
	s.widen(xmlCap + 128)
	m := &marcFile{s: s, o: o}
	return &File{format: formatXML, utf8: m.encoding, rows: m.rowsXML}, nil
}

// declared is the encoding that an XML declaration gives.
func declared(head []byte) string {
	text, _, _ := strings.Cut(string(head), ">")
	_, rest, ok := strings.Cut(text, "encoding")
	if rest = strings.TrimLeft(rest, "= \t\r\n"); !ok || rest == "" {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value
}

func (m *marcFile) rowsXML(yield func(Row, *Bad) bool) {
	for name, ok := m.nextXML(); ok; name, ok = m.nextXML() {
		raw, reason := m.cutXML(name)
		if m.s.failed() != nil && m.s.pos == m.s.end {
			break // the record may be cut off
		}
		if reason == "" {
			reason = m.readXML(raw)
		}
		if reason != "" && !yield(nil, m.bad("", reason)) || reason == "" && !m.emit(yield) {
			return
		}
	}
	m.finish(yield)
}

// nextXML goes to where the next record begins and gives the element's name with its prefix.
func (m *marcFile) nextXML() (name string, ok bool) {
	for {
		w := m.s.window()
		i := bytes.IndexByte(w, '<')
		if i < 0 {
			if m.s.pos = m.s.end; len(m.s.window()) == 0 {
				return "", false
			}
			continue
		}
		m.s.pos += i
		w = m.s.window()
		name := string(w[1:max(1, endOfName(w))])
		if name == "record" || strings.HasSuffix(name, ":record") {
			m.number++
			m.at = m.s.offset()
			return name, true
		}
		m.s.pos++
	}
}

// endOfName is where the name of the tag at the beginning of w ends.
func endOfName(w []byte) int {
	i := 1
	for i < len(w) && i < 64 && strings.IndexByte(" \t\r\n/><", w[i]) < 0 {
		i++
	}
	return i
}

// cutXML is the record at pos, and moves behind it. One that does not end within the cap is left out up to
// the last place where another one begins.
func (m *marcFile) cutXML(name string) (raw []byte, reason string) {
	w := m.s.window()
	w = w[:min(len(w), xmlCap)]
	if i := bytes.Index(w, []byte("</"+name)); i >= 0 {
		if end := bytes.IndexByte(w[i:], '>'); end >= 0 {
			m.s.pos += i + end + 1
			return w[:i+end+1], ""
		}
	}
	next := bytes.LastIndex(w, []byte("<"+name))
	if next <= 0 {
		next = len(w)
	}
	m.s.pos += next
	if len(w) < xmlCap {
		return nil, "is cut off: the file ends within it"
	}
	return nil, fmt.Sprintf("is longer than %d bytes or does not end", xmlCap)
}

// readXML reads a record.
func (m *marcFile) readXML(raw []byte) (reason string) {
	m.rec.clear()
	d := xml.NewDecoder(bytes.NewReader(raw))
	p := xmlRecord{rec: &m.rec}
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				return fmt.Sprintf("is not well-formed XML at byte %d of it: %q", d.InputOffset(), short(syntax.Msg))
			}
			return fmt.Sprintf("is not well-formed XML at byte %d of it", d.InputOffset())
		}
		p.token(token)
	}
}

// An xmlRecord puts a record's tokens together.
type xmlRecord struct {
	rec  *record
	tag  string // of the field that is open and wanted
	code byte   // of the subfield that is open
	text strings.Builder
	subs []subfield
}

func (p *xmlRecord) token(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		p.text.Reset()
		switch t.Name.Local {
		case "controlfield", "datafield":
			p.tag, p.subs = attribute(t, "tag"), p.subs[:0]
		case "subfield":
			p.code = (attribute(t, "code") + "\x00")[0]
		}
	case xml.CharData:
		if wants(p.tag) {
			p.text.Write(t)
		}
	case xml.EndElement:
		switch t.Name.Local {
		case "controlfield":
			p.rec.control(p.tag, compose(p.text.String()))
			p.tag = ""
		case "subfield":
			p.subs = append(p.subs, subfield{p.code, compose(p.text.String())})
		case "datafield":
			if wants(p.tag) {
				p.rec.data(p.tag, p.subs)
			}
			p.tag = ""
		}
	}
}

// attribute is the value of an attribute without a prefix.
func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
