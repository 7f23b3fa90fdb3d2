package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A Source is the text of a file and the name that complaints call it by.
type Source struct {
	Name string
	Text []byte
}

// A file is one TOML file while it is read, and what is said about it.
type file struct {
	name       string
	lines      map[string]int // by key, "scanner[0].baud"
	complaints []Complaint
	notes      []Complaint
}

// parse returns the file and its root table, or nil if the text is not TOML.
func parse(src Source) (*file, *table) {
	f := &file{name: src.Name}
	text := bytes.TrimPrefix(src.Text, []byte("\ufeff")) // some editors begin with a byte order mark
	var keys map[string]any
	if err := toml.Unmarshal(text, &keys); err != nil {
		f.complaints = append(f.complaints, syntax(src.Name, err))
		return f, nil
	}
	f.lines = survey(text)
	return f, &table{file: f, keys: keys}
}

// syntax is the complaint about a text that is not TOML. The parser stops there, so there is only one.
func syntax(name string, err error) Complaint {
	c := Complaint{File: name, Text: strings.TrimPrefix(err.Error(), "toml: ")}
	if where, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := where.Position()
		c.Line, c.Text = line, fmt.Sprintf("column %d: %s", column, c.Text)
	}
	return c
}

func (f *file) complain(key string, format string, args ...any) {
	f.complaints = append(f.complaints, f.about(key, fmt.Sprintf(format, args...)))
}

func (f *file) note(key string, format string, args ...any) {
	f.notes = append(f.notes, f.about(key, fmt.Sprintf(format, args...)))
}

func (f *file) about(key, text string) Complaint {
	return Complaint{File: f.name, Line: f.line(key), Key: key, Text: text}
}

// line is where key stands or, if it is missing, where the table begins that it is missing from.
func (f *file) line(key string) int {
	for key != "" {
		if n, ok := f.lines[key]; ok {
			return n
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return 0
}

// longest bounds the keys whose lines are noted. No key of ours comes near; without a bound, ten
// thousand nested brackets would cost ten thousand long keys.
const longest = 200

// A surveyor notes the line of every key, table and element of a list.
type surveyor struct {
	text  []byte
	lines map[string]int
	lists map[string]int // how many [[tables]] of a name there were so far
}

// survey returns the line of each key of a text that is known to be TOML.
func survey(text []byte) map[string]int {
	s := surveyor{text: text, lines: map[string]int{}, lists: map[string]int{}}
	var p unstable.Parser
	p.Reset(text)
	at := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			at = s.key("", e.Key(), false)
		case unstable.ArrayTable:
			at = s.key("", e.Key(), true)
		case unstable.KeyValue:
			s.pair(at, e)
		}
	}
	return s.lines
}

// key notes a dotted key below base and returns its full name.
func (s *surveyor) key(base string, parts unstable.Iterator, isList bool) string {
	for parts.Next() && len(base) < longest {
		base = join(base, string(parts.Node().Data))
		s.see(base, parts.Node())
		switch n := s.lists[base]; {
		case isList && parts.IsLast():
			s.lists[base]++
			base = element(base, n)
			s.see(base, parts.Node())
		case n > 0:
			base = element(base, n-1)
		}
	}
	return base
}

func (s *surveyor) pair(base string, e *unstable.Node) {
	s.value(s.key(base, e.Key(), false), e.Value())
}

func (s *surveyor) value(key string, n *unstable.Node) {
	if len(key) >= longest {
		return
	}
	if n.Raw.Length > 0 {
		s.see(key, n)
	}
	switch children := n.Children(); n.Kind {
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			s.value(element(key, i), children.Node())
		}
	case unstable.InlineTable:
		for children.Next() {
			s.pair(key, children.Node())
		}
	}
}

// see notes the line of n, unless key has one already.
func (s *surveyor) see(key string, n *unstable.Node) {
	if _, ok := s.lines[key]; !ok {
		s.lines[key] = 1 + bytes.Count(s.text[:n.Raw.Offset], []byte("\n"))
	}
}

func element(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// join adds one part to a dotted key, in quotes if TOML wants them.
func join(base, part string) string {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(part) {
		part = strconv.Quote(part)
	}
	if base == "" {
		return part
	}
	return base + "." + part
}
