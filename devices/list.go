package devices

import (
	"cmp"
	"slices"
	"sync"
)

// A List is the table of all devices, for whoever asks how they are.
type List struct {
	changed func(Status)

	mu   sync.Mutex
	rows []Status
}

// NewList returns an empty List. It calls changed, which may be nil, after a
// device has come to another State or Err, but not for counters; the calls for
// one device come in order.
func NewList(changed func(Status)) *List {
	return &List{changed: changed}
}

// Set enters s as the line of the device s.Name. It is what a Spec reports to.
func (l *List) Set(s Status) {
	if l.put(s) && l.changed != nil {
		l.changed(s)
	}
}

// put stores s and tells whether its state is news.
func (l *List) put(s Status) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.rows, func(row Status) bool { return row.Name == s.Name })
	if i < 0 {
		l.rows = append(l.rows, s)
		return true
	}
	news := l.rows[i].State != s.State || l.rows[i].Err != s.Err
	l.rows[i] = s
	return news
}

// All returns every device's line, sorted by name.
func (l *List) All() []Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := slices.Clone(l.rows)
	slices.SortFunc(rows, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}
