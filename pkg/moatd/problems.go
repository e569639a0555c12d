package moatd

import (
	"slices"
	"sync"
)

// problems are what the user should know. They are safe for concurrent use.
type problems struct {
	mu  sync.Mutex
	all []problem // guarded by mu; in the order in which they came up
}

// A problem has a name if it can go away.
type problem struct{ name, text string }

func (p *problems) add(name, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, problem{name, text})
}

// gone removes the problems with the name.
func (p *problems) gone(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = slices.DeleteFunc(p.all, func(q problem) bool { return q.name == name })
}

func (p *problems) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	texts := make([]string, 0, len(p.all))
	for _, q := range p.all {
		texts = append(texts, q.text)
	}
	return texts
}
