package web

import (
	"reflect"
	"testing"
)

// BenchmarkDraw is a screen with three books in words and as bytes.
func BenchmarkDraw(b *testing.B) {
	c, s := catalogueOf(b, "en"), sceneOf(b, "borrow-three").screen
	names := map[string]string{"en": "English", "es": "Español"}
	for b.Loop() {
		_ = reflect.DeepEqual(s, s)
		d := c.document(s, drawnAt, names)
		if _, err := d.encode(); err != nil {
			b.Fatal(err)
		}
	}
}
