package main

import (
	"encoding/hex"
	"strings"

	"circdesk/devices/rfid"
	"circdesk/kiosk"
)

// notations are a list of the config in the words of rfid.
func notations(names []string) []rfid.Notation {
	var list []rfid.Notation
	for _, n := range names {
		list = append(list, rfid.Notation(n))
	}
	return list
}

// readCard reads the number of a card as a file has it, with the notations that the config had when the file
// came; a snapshot of an earlier version does not tell them.
func (d *daemon) readCard(written string, names []string) (uid, reason string) {
	if names == nil {
		names = []string{string(rfid.Hex), string(rfid.DecimalReversed)}
	}
	b, err := rfid.ParseCard(written, notations(names)...)
	if err != nil {
		return "", err.Error()
	}
	return strings.ToUpper(hex.EncodeToString(b)), ""
}

// parts are the digests by which lists may know a card of whose number they keep only a part.
func (d *daemon) parts(uid []byte) []kiosk.Credential {
	var all []kiosk.Credential
	for _, n := range notations(d.config.Cards.Notations) {
		if c := d.plugged.cards.of(n.Kept(uid)); c != "" {
			all = append(all, c)
		}
	}
	return all
}
