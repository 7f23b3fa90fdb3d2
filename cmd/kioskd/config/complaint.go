package config

import (
	"cmp"
	"fmt"
	"slices"
)

// A Complaint is one thing that is wrong in a file, for the person who wrote it.
type Complaint struct {
	File string // as it was named
	Line int    // counted from 1; 0: the whole file, or something that is not there at all
	Key  string // "scanner[0].baud"; empty: the file itself
	Text string // what is wrong, with the offending value
}

// String is one line: file, line, key and text, what is unknown left out.
func (c Complaint) String() string {
	s := c.File + ":"
	if c.Line > 0 {
		s += fmt.Sprintf("%d:", c.Line)
	}
	if c.Key != "" {
		s += " " + c.Key + ":"
	}
	return s + " " + c.Text
}

// byLine puts the complaints of one file into the order of its lines.
func byLine(all []Complaint) []Complaint {
	slices.SortStableFunc(all, func(a, b Complaint) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return all
}
