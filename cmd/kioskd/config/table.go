package config

import (
	"fmt"
	"maps"
	"slices"
)

// A table is one table of a file, read key by key. It remembers which keys it was asked for; end
// complains of the others. A table that is not in the file is an empty one.
type table struct {
	*file
	path  string // "scanner[0]"; empty: the root
	keys  map[string]any
	known []string
}

// A reader makes something of a value as TOML has it, or says what is wrong with it.
type reader[T any] func(raw any) (T, error)

// value reads an optional key: missing if it is not there, the zero T if it is wrong.
func value[T any](t *table, key string, missing T, read reader[T]) T {
	raw, ok := t.get(key)
	if !ok {
		return missing
	}
	v, err := read(raw)
	if err != nil {
		t.complain(join(t.path, key), "%v", err)
	}
	return v
}

// required reads a key that must be there.
func required[T any](t *table, key string, read reader[T]) T {
	var zero T
	if !t.has(key) {
		t.complain(join(t.path, key), "is missing")
	}
	return value(t, key, zero, read)
}

// list reads an optional list of different things. It returns those that are right.
func list[T comparable](t *table, key string, read reader[T]) []T {
	raw, ok := t.get(key)
	if !ok {
		return nil
	}
	items, ok := raw.([]any)
	if !ok {
		t.complain(join(t.path, key), "%v", unlike(raw, "a list"))
		return nil
	}
	if len(items) == 0 {
		t.complain(join(t.path, key), "is empty; leave it out instead")
	}
	var all []T
	for i, item := range items {
		v, err := read(item)
		switch at := element(join(t.path, key), i); {
		case err != nil:
			t.complain(at, "%v", err)
		case slices.Contains(all, v):
			t.complain(at, "%s stands there twice", show(item))
		default:
			all = append(all, v)
		}
	}
	return all
}

func (t *table) get(key string) (any, bool) {
	t.known = append(t.known, key)
	raw, ok := t.keys[key]
	return raw, ok
}

func (t *table) has(key string) bool {
	_, ok := t.keys[key]
	return ok
}

// sub is the table [key].
func (t *table) sub(key string) *table {
	s := &table{file: t.file, path: join(t.path, key)}
	raw, ok := t.get(key)
	if s.keys, _ = raw.(map[string]any); ok && s.keys == nil {
		t.complain(s.path, "%v", unlike(raw, "one table; write ["+s.path+"]"))
		s.file = &file{} // where complaints of all that is now missing go
	}
	return s
}

// subs are the tables [[key]].
func (t *table) subs(key string) []*table {
	path := join(t.path, key)
	raw, ok := t.get(key)
	items, isList := raw.([]any)
	if ok && !isList {
		t.complain(path, "%v", unlike(raw, "a list of tables; write [["+path+"]]"))
	}
	var all []*table
	for i, item := range items {
		s := &table{file: t.file, path: element(path, i)}
		if s.keys, ok = item.(map[string]any); !ok {
			t.complain(s.path, "%v", unlike(item, "a table; write [["+path+"]]"))
			continue
		}
		all = append(all, s)
	}
	return all
}

// end complains of the keys that nobody has asked for.
func (t *table) end() {
	for _, key := range slices.Sorted(maps.Keys(t.keys)) {
		if !slices.Contains(t.known, key) {
			t.complain(join(t.path, key), "is not known%s", hint(key, t.known))
		}
	}
}

// hint is a question that goes with a misspelt word, or nothing.
func hint(typed string, words []string) string {
	if meant := nearest(typed, words); meant != "" {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	return ""
}

// nearest is the word that somebody may have meant: at most two letters away; "" if there is none.
func nearest(typed string, words []string) string {
	best, found := 3, ""
	for _, w := range words {
		if d := distance(typed, w); d < best && d < len(w) {
			best, found = d, w
		}
	}
	return found
}

// distance counts the letters to insert, delete or change on the way from a to b (Levenshtein).
func distance(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3 // or more, which is far enough
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
