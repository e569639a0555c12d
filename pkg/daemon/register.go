package daemon

import (
	"errors"
	"fmt"
	"strings"
)

// The longest run id and token, in bytes.
const (
	maxRunID = 128
	maxToken = 512
)

// validate says what of the request makes no sense by itself; what its rules
// say is checked when they are compiled.
func (req *RegisterRequest) validate() error {
	switch {
	case req.RunID == "":
		return errors.New("run_id is missing")
	case len(req.RunID) > maxRunID || !visible(req.RunID):
		return fmt.Errorf("run_id must be of 1 to %d visible ASCII characters", maxRunID)
	case len(req.AuthToken) > maxToken || !visible(req.AuthToken):
		return fmt.Errorf("auth_token must be of 1 to %d visible ASCII characters", maxToken)
	}
	return checkServers(req.MCPServers)
}

// visible reports whether s has visible ASCII characters only, no space.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

// ToRunContext returns the run that the request describes, with the token that
// it names, without the credentials of its grants.
func (req *RegisterRequest) ToRunContext() *RunContext {
	rc := NewRunContext(req.RunID)
	rc.AuthToken, rc.Grants = req.AuthToken, req.Grants
	rc.NetworkPolicy, rc.NetworkAllow = req.NetworkPolicy, req.NetworkAllow
	rc.MCPServers, rc.AWSConfig, rc.TransformerSpecs = req.MCPServers, req.AWSConfig, req.ResponseTransformers
	for _, c := range req.Credentials {
		rc.SetCredentialWithGrant(c.Host, c.Header, c.Value, c.Grant)
	}
	for _, h := range req.ExtraHeaders {
		rc.AddExtraHeader(h.Host, h.HeaderName, h.Value)
	}
	for _, h := range req.RemoveHeaders {
		rc.RemoveRequestHeader(h.Host, h.HeaderName)
	}
	for _, t := range req.TokenSubstitutions {
		rc.SetTokenSubstitution(t.Host, t.Placeholder, t.RealToken)
	}
	return rc
}
