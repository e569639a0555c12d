package manual

import (
	"regexp"
	"strings"
	"unicode"
)

// prose writes help as mdoc: paragraphs, and lines that are indented as they are.
func prose(help string) string {
	var b strings.Builder
	for i, block := range blocks(strings.TrimSpace(help)) {
		if isIndented(block[0]) {
			b.WriteString(literal(block))
			continue
		}
		if i > 0 {
			b.WriteString(".Pp\n")
		}
		b.WriteString(sentences(strings.Join(block, " ")))
	}
	return b.String()
}

// blocks takes help apart at empty lines, and where an indentation begins or ends.
func blocks(help string) [][]string {
	var all [][]string
	fresh := true
	for line := range strings.SplitSeq(help, "\n") {
		if strings.TrimSpace(line) == "" {
			fresh = true
			continue
		}
		if fresh || isIndented(line) != isIndented(all[len(all)-1][0]) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], line)
		fresh = false
	}
	return all
}

func isIndented(line string) bool {
	return strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
}

func literal(lines []string) string {
	var b strings.Builder
	b.WriteString(".Bd -literal -offset indent\n")
	for _, line := range lines {
		b.WriteString(text(strings.TrimRight(strings.TrimPrefix(line, "  "), " ")) + "\n")
	}
	b.WriteString(".Ed\n")
	return b.String()
}

// sentenceEnd is where roff wants a new line, to put the right space there.
var sentenceEnd = regexp.MustCompile(`([.!?]\)?) +([A-Z(])`)

func sentences(s string) string {
	var b strings.Builder
	for sentence := range strings.SplitSeq(sentenceEnd.ReplaceAllString(strings.Join(strings.Fields(s), " "), "$1\n$2"), "\n") {
		line := ""
		for word := range strings.FieldsSeq(sentence) {
			if line != "" && len(line)+len(word) >= width {
				b.WriteString(text(line) + "\n")
				line = ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		b.WriteString(text(line) + "\n")
	}
	return b.String()
}

// width is how long a line of a page's source is, in bytes before they are
// escaped, if its words allow it.
const width = 72

// text escapes a line of text. A plain hyphen would become one that no shell
// understands.
func text(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}

// argument escapes words after a macro, of which some could be macros too, or a
// delimiter.
func argument(s string) string {
	words := strings.Fields(strings.ReplaceAll(text(s), `"`, `\(dq`))
	for i, w := range words {
		if len(w) <= 3 && (unicode.IsUpper(rune(w[0])) || unicode.IsPunct(rune(w[0]))) {
			words[i] = `\&` + w
		}
	}
	return strings.Join(words, " ")
}

func decapitalised(s string) string { return first(s, unicode.ToLower) }

func capitalised(s string) string { return first(s, unicode.ToUpper) }

// first maps the first letter of s, unless its word has further capitals, as
// PEM has.
func first(s string, to func(rune) rune) string {
	word, _, _ := strings.Cut(s, " ")
	if word == "" || word[1:] != strings.ToLower(word[1:]) {
		return s
	}
	return string(to(rune(s[0]))) + s[1:]
}
