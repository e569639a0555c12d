package daemon_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/proxy"
	"github.com/moatd/moatd/pkg/routing"
)

// The fixed API: what programs outside of this module are compiled against. A
// signature that changes does not compile here.
var (
	_ string = daemon.BuildCommit
	_ error  = daemon.ErrRunNotFound

	_ func(dir string)                                                                                = daemon.RemoveLockFile
	_ func(ctx context.Context, registry *daemon.Registry, runs []daemon.PersistedRun) int            = daemon.RestoreRuns
	_ func(ctx context.Context, rc *daemon.RunContext, grants []string)                               = daemon.StartTokenRefresh
	_ func(dir string, info daemon.LockInfo) error                                                    = daemon.WriteLockFile
	_ func(dir string) (*daemon.LockInfo, error)                                                      = daemon.ReadLockFile
	_ func(*daemon.LockInfo) bool                                                                     = (*daemon.LockInfo).IsAlive
	_ func(dir string, proxyPort int) (*daemon.Client, error)                                         = daemon.EnsureRunning
	_ func(sockPath string) *daemon.Client                                                            = daemon.NewClient
	_ func(*daemon.Client, context.Context) (*daemon.HealthResponse, error)                           = (*daemon.Client).Health
	_ func(*daemon.Client, context.Context) ([]daemon.RunInfo, error)                                 = (*daemon.Client).ListRuns
	_ func(*daemon.Client, context.Context, daemon.RegisterRequest) (*daemon.RegisterResponse, error) = (*daemon.Client).RegisterRun
	_ func(*daemon.Client, context.Context) error                                                     = (*daemon.Client).Shutdown
	_ func(*daemon.Client, context.Context, string) error                                             = (*daemon.Client).UnregisterRun
	_ func(c *daemon.Client, ctx context.Context, token, containerID string) error                    = (*daemon.Client).UpdateRun
	_ func() *daemon.CommandContainerChecker                                                          = daemon.NewCommandContainerChecker
	_ func(*daemon.CommandContainerChecker, context.Context, string) (bool, error)                    = (*daemon.CommandContainerChecker).IsContainerRunning
	_ daemon.ContainerChecker                                                                         = (*daemon.CommandContainerChecker)(nil)
	_ interface {
		IsContainerRunning(context.Context, string) (bool, error)
	} = daemon.ContainerChecker(nil)
	_ func(timeout time.Duration, fn func()) *daemon.IdleTimer                                 = daemon.NewIdleTimer
	_ func(*daemon.IdleTimer)                                                                  = (*daemon.IdleTimer).Reset
	_ func(*daemon.IdleTimer)                                                                  = (*daemon.IdleTimer).Cancel
	_ func(registry *daemon.Registry, checker daemon.ContainerChecker) *daemon.LivenessChecker = daemon.NewLivenessChecker
	_ func(*daemon.LivenessChecker, context.Context)                                           = (*daemon.LivenessChecker).CheckOnce
	_ func(*daemon.LivenessChecker, context.Context)                                           = (*daemon.LivenessChecker).Run
	_ func(lc *daemon.LivenessChecker, fn func(token, runID string))                           = (*daemon.LivenessChecker).SetOnCleanup
	_ func(*daemon.LivenessChecker, func())                                                    = (*daemon.LivenessChecker).SetOnEmpty
	_ func(*daemon.LivenessChecker, *daemon.RunPersister)                                      = (*daemon.LivenessChecker).SetPersister
	_ func(*daemon.RegisterRequest) *daemon.RunContext                                         = (*daemon.RegisterRequest).ToRunContext
	_ func() *daemon.Registry                                                                  = daemon.NewRegistry
	_ func(*daemon.Registry) int                                                               = (*daemon.Registry).Count
	_ func(*daemon.Registry) []*daemon.RunContext                                              = (*daemon.Registry).List
	_ func(*daemon.Registry, string) (*daemon.RunContext, bool)                                = (*daemon.Registry).Lookup
	_ func(*daemon.Registry, *daemon.RunContext) string                                        = (*daemon.Registry).Register
	_ func(*daemon.Registry, *daemon.RunContext, string)                                       = (*daemon.Registry).RegisterWithToken
	_ func(*daemon.Registry, string)                                                           = (*daemon.Registry).Unregister
	_ func(r *daemon.Registry, token, containerID string) bool                                 = (*daemon.Registry).UpdateContainerID
	_ func(runID string) *daemon.RunContext                                                    = daemon.NewRunContext
	_ credential.ProxyConfigurer                                                               = (*daemon.RunContext)(nil)
	_ func(rc *daemon.RunContext, host, headerName, headerValue string)                        = (*daemon.RunContext).AddExtraHeader
	_ func(*daemon.RunContext, string, credential.ResponseTransformer)                         = (*daemon.RunContext).AddResponseTransformer
	_ func(*daemon.RunContext)                                                                 = (*daemon.RunContext).CancelRefresh
	_ func(*daemon.RunContext) string                                                          = (*daemon.RunContext).GetContainerID
	_ func(*daemon.RunContext, string) (daemon.CredentialEntry, bool)                          = (*daemon.RunContext).GetCredential
	_ func(*daemon.RunContext, string) []daemon.ExtraHeaderEntry                               = (*daemon.RunContext).GetExtraHeaders
	_ func(*daemon.RunContext, string) []string                                                = (*daemon.RunContext).GetRemoveHeaders
	_ func(*daemon.RunContext, string) []credential.ResponseTransformer                        = (*daemon.RunContext).GetResponseTransformers
	_ func(*daemon.RunContext, string) (daemon.TokenSubstitutionEntry, bool)                   = (*daemon.RunContext).GetTokenSubstitution
	_ func(rc *daemon.RunContext, host, headerName string)                                     = (*daemon.RunContext).RemoveRequestHeader
	_ func(*daemon.RunContext, http.Handler)                                                   = (*daemon.RunContext).SetAWSHandler
	_ func(rc *daemon.RunContext, host, value string)                                          = (*daemon.RunContext).SetCredential
	_ func(rc *daemon.RunContext, host, headerName, headerValue string)                        = (*daemon.RunContext).SetCredentialHeader
	_ func(rc *daemon.RunContext, host, headerName, headerValue, grant string)                 = (*daemon.RunContext).SetCredentialWithGrant
	_ func(*daemon.RunContext, context.CancelFunc)                                             = (*daemon.RunContext).SetRefreshCancel
	_ func(rc *daemon.RunContext, host, placeholder, realToken string)                         = (*daemon.RunContext).SetTokenSubstitution
	_ func(*daemon.RunContext) *proxy.RunContextData                                           = (*daemon.RunContext).ToProxyContextData
	_ func(path string, registry *daemon.Registry) *daemon.RunPersister                        = daemon.NewRunPersister
	_ func(*daemon.RunPersister) error                                                         = (*daemon.RunPersister).Flush
	_ func(*daemon.RunPersister) ([]daemon.PersistedRun, error)                                = (*daemon.RunPersister).Load
	_ func(*daemon.RunPersister) error                                                         = (*daemon.RunPersister).Save
	_ func(*daemon.RunPersister)                                                               = (*daemon.RunPersister).SaveDebounced
	_ func(sockPath string, proxyPort int) *daemon.Server                                      = daemon.NewServer
	_ func(*daemon.Server) *daemon.Registry                                                    = (*daemon.Server).Registry
	_ func(*daemon.Server, func())                                                             = (*daemon.Server).SetOnEmpty
	_ func(*daemon.Server, func())                                                             = (*daemon.Server).SetOnRegister
	_ func(*daemon.Server, func())                                                             = (*daemon.Server).SetOnShutdown
	_ func(s *daemon.Server, fn func(runID string))                                            = (*daemon.Server).SetOnUnregister
	_ func(*daemon.Server, *daemon.RunPersister)                                               = (*daemon.Server).SetPersister
	_ func(*daemon.Server, int)                                                                = (*daemon.Server).SetProxyPort
	_ func(*daemon.Server) error                                                               = (*daemon.Server).Start
	_ func(*daemon.Server, context.Context) error                                              = (*daemon.Server).Stop
)

// What has to do with routes.
var (
	_ func(c *daemon.Client, ctx context.Context, agent string, services map[string]string) error = (*daemon.Client).RegisterRoutes
	_ func(*daemon.Client, context.Context, string) error                                         = (*daemon.Client).UnregisterRoutes
	_ func(*daemon.Server, *routing.RouteTable)                                                   = (*daemon.Server).SetRoutes
)

// fields are the fields of the structs of the fixed API: name, type and, where
// there is one, tag. Others may stand between them.
var fields = map[reflect.Type]string{
	reflect.TypeFor[daemon.AWSConfig](): `
		RoleARN string role_arn
		Region string region
		SessionDuration time.Duration session_duration
		ExternalID string external_id,omitempty`,
	reflect.TypeFor[daemon.CredentialEntry](): `
		Name string name
		Value string value
		Grant string grant`,
	reflect.TypeFor[daemon.CredentialSpec](): `
		Host string host
		Header string header
		Value string value
		Grant string grant,omitempty`,
	reflect.TypeFor[daemon.ExtraHeaderEntry](): `
		Name string name
		Value string value`,
	reflect.TypeFor[daemon.ExtraHeaderSpec](): `
		Host string host
		HeaderName string header_name
		Value string value`,
	reflect.TypeFor[daemon.HealthResponse](): `
		PID int pid
		ProxyPort int proxy_port
		RunCount int run_count
		StartedAt string started_at
		Commit string commit,omitempty`,
	reflect.TypeFor[daemon.LockInfo](): `
		PID int pid
		ProxyPort int proxy_port
		SockPath string sock_path
		StartedAt time.Time started_at
		Commit string commit,omitempty`,
	reflect.TypeFor[daemon.PersistedRun](): `
		AuthToken string auth_token
		RunID string run_id
		ContainerID string container_id,omitempty
		Grants []string grants,omitempty
		MCPServers []config.MCPServerConfig mcp_servers,omitempty
		NetworkPolicy string network_policy,omitempty
		NetworkAllow []string network_allow,omitempty
		AWSConfig *daemon.AWSConfig aws_config,omitempty
		TransformerSpecs []daemon.TransformerSpec transformer_specs,omitempty`,
	reflect.TypeFor[daemon.RegisterRequest](): `
		RunID string run_id
		AuthToken string auth_token,omitempty
		Credentials []daemon.CredentialSpec credentials,omitempty
		ExtraHeaders []daemon.ExtraHeaderSpec extra_headers,omitempty
		RemoveHeaders []daemon.RemoveHeaderSpec remove_headers,omitempty
		TokenSubstitutions []daemon.TokenSubstitutionSpec token_substitutions,omitempty
		MCPServers []config.MCPServerConfig mcp_servers,omitempty
		NetworkPolicy string network_policy,omitempty
		NetworkAllow []string network_allow,omitempty
		Grants []string grants,omitempty
		AWSConfig *daemon.AWSConfig aws_config,omitempty
		ResponseTransformers []daemon.TransformerSpec response_transformers,omitempty`,
	reflect.TypeFor[daemon.RegisterResponse](): `
		AuthToken string auth_token
		ProxyPort int proxy_port`,
	reflect.TypeFor[daemon.RemoveHeaderSpec](): `
		Host string host
		HeaderName string header_name`,
	reflect.TypeFor[daemon.RouteRegistration](): `
		Services map[string]string services`,
	reflect.TypeFor[daemon.RunContext](): `
		RunID string run_id
		ContainerID string container_id,omitempty
		AuthToken string auth_token
		Credentials map[string]daemon.CredentialEntry credentials
		ExtraHeaders map[string][]daemon.ExtraHeaderEntry extra_headers
		RemoveHeaders map[string][]string remove_headers
		TokenSubstitutions map[string]daemon.TokenSubstitutionEntry token_substitutions
		ResponseTransformers map[string][]credential.ResponseTransformer -
		MCPServers []config.MCPServerConfig mcp_servers,omitempty
		NetworkPolicy string network_policy,omitempty
		NetworkAllow []string network_allow,omitempty
		AWSConfig *daemon.AWSConfig aws_config,omitempty
		TransformerSpecs []daemon.TransformerSpec transformer_specs,omitempty
		Grants []string grants,omitempty
		RegisteredAt time.Time registered_at`,
	reflect.TypeFor[daemon.RunInfo](): `
		RunID string run_id
		ContainerID string container_id,omitempty
		RegisteredAt string registered_at`,
	reflect.TypeFor[daemon.TokenSubstitutionEntry](): `
		Placeholder string placeholder
		RealToken string real_token`,
	reflect.TypeFor[daemon.TokenSubstitutionSpec](): `
		Host string host
		Placeholder string placeholder
		RealToken string real_token`,
	reflect.TypeFor[daemon.TransformerSpec](): `
		Host string host
		Kind string kind`,
	reflect.TypeFor[daemon.UpdateRunRequest](): `
		ContainerID string container_id`,
	reflect.TypeFor[config.MCPServerConfig](): `
		Name string
		URL string
		Auth *config.MCPAuthConfig`,
}

func TestFieldsOfTheFixedAPI(t *testing.T) {
	for typ, list := range fields {
		at := -1
		for line := range strings.Lines(strings.TrimSpace(list)) {
			want := strings.TrimSpace(line)
			words := strings.Fields(want)
			f, ok := typ.FieldByName(words[0])
			if !ok {
				t.Errorf("%v has no field %s", typ, words[0])
				continue
			}
			got := f.Name + " " + f.Type.String()
			if len(words) == 3 {
				got += " " + f.Tag.Get("json")
			}
			if got != want {
				t.Errorf("%v has the field %q, want %q", typ, got, want)
			}
			if f.Index[0] <= at {
				t.Errorf("%v: %s stands before the one that it followed; the order is that of the wire", typ, f.Name)
			}
			at = f.Index[0]
		}
	}
}
