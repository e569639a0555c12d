// Package keyring is the keyring of the user: the Secret Service of a Linux
// desktop over D-Bus, and the Keychain of macOS. It never makes either ask a
// person, never waits beyond its context, and leaves nothing running.
package keyring
