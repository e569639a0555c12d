// Package moatd knows which parts the daemon has, and in which order they start
// and stop. It decides nothing else.
//
// Start: the home directory, the database (whose lock makes this the only daemon
// of the directory), the CA, the credentials, the runs that were there before,
// the listeners; and when the listeners answer, READY. Stop: the listeners, the
// requests in flight, the database.
package moatd
