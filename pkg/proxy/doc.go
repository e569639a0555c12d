// Package proxy knows the way from a token and a request to an upstream's
// answer: who asks, where to, may it, what goes out, what comes back.
//
// Requests reach it in three forms: inside a CONNECT tunnel, as a plain request
// with an absolute URL, and as the CONNECT itself. Each becomes a [Head], and
// one function, [RunContextData.Decide], judges them all. A request sees one
// snapshot of its run's rules from the first byte to the last; the next request
// of the same tunnel sees the snapshot of its own time.
package proxy
