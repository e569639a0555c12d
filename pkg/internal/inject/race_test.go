//go:build race

package inject

// step is how far apart the places of TestScrubProperty are: the race detector
// makes it 20 times as slow, and it has no goroutines.
const step = 29
