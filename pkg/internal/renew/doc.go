// Package renew makes the next secret of a credential out of what is stored with
// it, and knows when that is due.
//
// [Policy] decides, and does nothing. A [Renewer] does: it holds the credential,
// asks for the next secret, and stores it before anybody gets it. It works in a
// process of its own, the helper, which ends what it has begun although the daemon
// has died: what can be spent once is spent and replaced by one process. A
// [Keeper] works in the daemon: it asks the helper, once for each credential
// however many want it.
package renew
