// Package aws knows how the credentials of a role come to a run: what to assume
// the role with, how AWS is asked, how long the answer is good, and the document
// that tools read it from.
package aws
