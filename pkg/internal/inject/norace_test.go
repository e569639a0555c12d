//go:build !race

package inject

// step is how far apart the places of TestScrubProperty are.
const step = 1
