//go:build !linux

package confine

// undumpable does nothing: macOS keeps other processes out of the memory of one
// by itself, unless they are signed to debug it.
func undumpable() error { return nil }
