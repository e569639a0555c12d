package credential

// ResponseTransformer changes an answer on its way to the agent. It is given an
// *http.Request and its *http.Response, and returns the response to use and
// whether it changed anything; false means that the answer stays as it is.
type ResponseTransformer func(req, resp any) (any, bool)

// ProxyConfigurer takes what a provider wants done to the requests of one run.
// A host is a name, which then counts on every port, or name:port, which counts
// before the name alone. Header names are not case-sensitive. What is set twice
// for one host is replaced; what is added or removed accumulates.
//
// Values are secrets: an implementation neither logs nor stores them.
type ProxyConfigurer interface {
	// SetCredential sends value as the Authorization header to host.
	SetCredential(host, value string)
	// SetCredentialHeader sends headerName to host with headerValue, which holds a secret.
	SetCredentialHeader(host, headerName, headerValue string)
	// SetCredentialWithGrant is SetCredentialHeader, with the name of the grant
	// under which the use of the credential is recorded.
	SetCredentialWithGrant(host, headerName, headerValue, grant string)
	// AddExtraHeader sends one more header to host; headerValue is not secret.
	AddExtraHeader(host, headerName, headerValue string)
	// AddResponseTransformer lets transformer see the answers of host, after
	// those that were added before.
	AddResponseTransformer(host string, transformer ResponseTransformer)
	// RemoveRequestHeader takes headerName out of what the agent sends to host.
	// It happens before credentials are put in, so it cannot remove one.
	RemoveRequestHeader(host, headerName string)
	// SetTokenSubstitution puts realToken in place of placeholder wherever the
	// agent's requests to host carry it.
	SetTokenSubstitution(host, placeholder, realToken string)
}
