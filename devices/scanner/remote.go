package scanner

import "context"

// An Order is what the host can tell a scanner to do.
type Order string

// The orders. A scanner obeys those that its dialect knows: see Config.
const (
	Good    Order = "good"    // beep: that was taken
	Bad     Order = "bad"     // beep: that was refused
	Trigger Order = "trigger" // light and read, as if its button were pressed
	Release Order = "release" // stop that
	Disable Order = "disable" // read nothing, also when its button is pressed
	Enable  Order = "enable"  // read again
)

// A Remote carries orders to a running scanner. Make it with NewRemote, put it
// into the Config, and send from any goroutine.
type Remote struct{ orders chan Order }

// NewRemote returns a Remote for one scanner.
func NewRemote() *Remote { return &Remote{make(chan Order, 4)} }

// Send never waits. An order is lost where the scanner is unplugged, slow, or
// of a dialect that has no such command: a beep helps only at once.
func (r *Remote) Send(o Order) {
	select {
	case r.orders <- o:
	default:
	}
}

// forget drops what was ordered while the scanner was away.
func (r *Remote) forget() {
	for len(r.orders) > 0 {
		<-r.orders
	}
}

// serve hands orders to do until ctx is done.
func (r *Remote) serve(ctx context.Context, do func(Order)) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-r.orders:
			do(o)
		}
	}
}
