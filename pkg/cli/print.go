package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
)

// print prints v as JSON, or what people wants to be read instead.
func print[T any](a *app, v T, people func(w *tabwriter.Writer)) error {
	if a.json {
		enc := json.NewEncoder(a.process.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	w := tabwriter.NewWriter(a.process.Stdout, 0, 0, 2, ' ', 0)
	people(w)
	return w.Flush()
}
