package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"circdesk/devices/rfid"
	"circdesk/kiosk"
)

// A cardKey is what the numbers of card chips and the patrons' PINs are digested with: neither is kept in
// the cache itself.
type cardKey []byte

// loadCardKey reads the desk's key, or draws it when the desk starts for the first time. It belongs to
// the state: with another key, cards that were enrolled here are strangers.
func loadCardKey(folder string, log *slog.Logger) (cardKey, error) {
	path := filepath.Join(folder, "card.key")
	text, err := os.ReadFile(path)
	lost := err == nil && len(text) == 0 // by a power cut; nobody can have it back, so the desk need not wait for it
	if lost {
		log.Error("the key of the cards is lost; cards that were enrolled here must be enrolled again", "file", path)
	}
	if lost || errors.Is(err, fs.ErrNotExist) {
		key := make(cardKey, 32)
		rand.Read(key) // never fails
		return key, writeSecret(path, hex.EncodeToString(key)+"\n")
	}
	if err != nil {
		return nil, err
	}
	key := make(cardKey, 32)
	if len(text) != 2*len(key)+1 {
		return nil, fmt.Errorf("%s has %d bytes, not %d", path, len(text), 2*len(key)+1)
	}
	if _, err := hex.Decode(key, text[:2*len(key)]); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// of is the digest of a chip's number; "" for what is no number.
func (k cardKey) of(uid []byte) kiosk.Credential {
	digest, err := rfid.Digest(k, uid)
	if err != nil {
		return ""
	}
	return kiosk.Credential(digest)
}

// pin is the digest of a patron's PIN. Two patrons with the same PIN have different ones. It keeps a PIN out
// of sight, no more: whoever has the key tries all of four digits in no time.
func (k cardKey) pin(patron, pin string) string {
	m := hmac.New(sha256.New, k)
	m.Write([]byte("pin\x00" + patron + "\x00" + pin))
	return hex.EncodeToString(m.Sum(nil))
}

// written is of for a number in hexadecimal.
func (k cardKey) written(uid string) kiosk.Credential {
	b, err := hex.DecodeString(uid)
	if err != nil {
		return ""
	}
	return k.of(b)
}
