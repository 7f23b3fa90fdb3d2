//go:build !race

package store

// crashInCI is how many images are built where nobody asks for a number.
const crashInCI = 10_000
