package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"circdesk/kiosk"
)

// maxID is the longest action id in bytes: a name and a journal key.
const maxID = 80

// A said is what a page says: that it has painted a snapshot, or that it was tapped.
type said struct {
	ack uint64
	tap *kiosk.Tapped // nil: an acknowledgement
}

// parseSaid reads one message of the page: {"ack":SEQ} or {"tap":ID,"seq":SEQ,"session":N}, these
// names and no others.
func parseSaid(msg []byte) (said, error) {
	m, err := parseFields(msg)
	if err != nil {
		return said{}, fmt.Errorf("message is not a JSON object: %w", err)
	}
	if len(m) == 1 {
		var s said
		return s, parseField(m, "ack", &s.ack)
	}
	if len(m) != 3 {
		return said{}, fmt.Errorf("message has %d fields, not 1 or 3", len(m))
	}
	var t kiosk.Tapped
	if err := parseField(m, "tap", &t.ID); err != nil {
		return said{}, err
	}
	if err := parseField(m, "seq", &t.Seq); err != nil {
		return said{}, err
	}
	if err := parseField(m, "session", &t.Session); err != nil {
		return said{}, err
	}
	return said{tap: &t}, checkID(t.ID)
}

// parseFields splits a JSON object. A name that comes twice is an error: two readers could differ
// over which one counts.
func parseFields(msg []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(msg))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("it begins with %v: %w", t, cmp.Or(err, errNotObject))
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		key := name.(string) // the decoder lets nothing else pass
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("field %q comes twice", key)
		}
		m[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows it")
	}
	return m, nil
}

var errNotObject = errors.New("no object")

func parseField(m map[string]json.RawMessage, name string, v any) error {
	raw, ok := m[name]
	if !ok || string(raw) == "null" {
		return fmt.Errorf("message has no %q", name)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("field %q: %w", name, err)
	}
	return nil
}

// checkID bounds an action id: printable ASCII without spaces and quotes.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("action id of %d bytes", len(id))
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("action id %q has a bad byte at %d", id, i)
		}
	}
	return nil
}
