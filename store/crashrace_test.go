//go:build race

package store

// crashInCI is small with the race detector, which makes SQLite ten times slower: what is looked for here
// is not a race.
const crashInCI = 100
