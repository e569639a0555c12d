// Package cli has the commands of moat: each reads its flags, makes one call,
// and prints what came of it, for people or, with --json, for programs.
//
// Exit codes: 0 for success, 1 for failure, 2 for a wrong use of the command
// line, 3 for "not running" of moat status and moat daemon, 4 for "not installed"
// of moat daemon. moat run ends with the code of its
// child, 128 plus the number of the signal that ended it (or moat itself, before
// the child started), 126 for a command that cannot be executed and 127 for one
// that is not found.
//
// moat is in the process group of its child. What a terminal sends to the group,
// Ctrl-C above all, reaches the child from there; what is sent to moat alone is
// passed on.
package cli
