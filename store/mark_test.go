package store

import (
	"reflect"
	"slices"
	"testing"
)

// Nothing of a torn mark is believed: a journal that has less than it says would be put aside.
func TestATornMarkSaysNothing(t *testing.T) {
	want := mark{"291941fe", 12, slices.Repeat([]byte{7}, 32), 5}
	whole := want.encode()
	if got, ok := decodeMark(whole); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("whole: %+v, %v", got, ok)
	}
	for i := range whole {
		torn := slices.Clone(whole)
		torn[i] ^= 0x10
		if got, ok := decodeMark(torn); ok || !reflect.DeepEqual(got, mark{}) {
			t.Errorf("byte %d: %+v, %v", i, got, ok)
		}
	}
}
