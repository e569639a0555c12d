package oauthtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const session = "session-of-the-test"

// message is one of JSON-RPC.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Protocol  string            `json:"protocolVersion"`
		Arguments map[string]string `json:"arguments"`
	} `json:"params"`
}

// mcp is the server itself, in the transport "streamable HTTP": it has one tool,
// echo, and answers as a stream of events.
func (s *Server) mcp(w http.ResponseWriter, r *http.Request, base string) {
	if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !s.Good(token) {
		text := `Bearer error="invalid_token"`
		if !s.NoMetadata {
			text += fmt.Sprintf(`, resource_metadata="%s/.well-known/oauth-protected-resource/mcp"`, base)
		}
		w.Header().Set("WWW-Authenticate", text)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed) // it has nothing to say by itself
		return
	case http.MethodDelete:
		return
	}
	var m message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if m.Method != "initialize" && r.Header.Get("Mcp-Session-Id") != session {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Mcp-Session-Id", session)
	w.Header().Set("Content-Type", "text/event-stream")
	if m.Method == "tools/call" {
		event(w, map[string]any{"jsonrpc": "2.0", "method": "notifications/message", "params": map[string]any{"level": "info", "data": "on its way"}})
	}
	event(w, map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": m.result()})
}

func (m message) result() map[string]any {
	switch m.Method {
	case "initialize":
		return map[string]any{
			"protocolVersion": m.Params.Protocol, "capabilities": map[string]any{"tools": map[string]any{}, "logging": map[string]any{}},
			"serverInfo": map[string]any{"name": "oauthtest", "version": "1"},
		}
	case "tools/list":
		return map[string]any{"tools": []any{map[string]any{
			"name": "echo", "inputSchema": map[string]any{"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}},
		}}}
	case "tools/call":
		return map[string]any{"content": []any{map[string]any{"type": "text", "text": "echo: " + m.Params.Arguments["text"]}}}
	}
	return map[string]any{}
}

// event sends one of the stream, at once.
func event(w http.ResponseWriter, doc map[string]any) {
	data, _ := json.Marshal(doc) // of maps and texts
	fmt.Fprintf(w, "event: message\ndata: %s\n\n", data)
	_ = http.NewResponseController(w).Flush() // to a client that may be gone
}
