package ecma

// What bounds all expressions of a contract together: the memory that they are held in
// and the work to compile them.
const (
	maxLibraryBytes = 64 << 20
	maxLibrarySteps = 1 << 26
)

// cost is what expressions need.
type cost struct{ bytes, steps int }

// Library compiles the expressions of one contract, each of them once, as long as they
// do not cost too much together. It is not for use by many at once.
type Library struct {
	known map[string]compiled
	spent cost
	most  cost
}

// compiled is what became of an expression.
type compiled struct {
	pattern *Pattern
	err     error
}

// NewLibrary returns an empty library.
func NewLibrary() *Library {
	return &Library{known: map[string]compiled{}, most: cost{bytes: maxLibraryBytes, steps: maxLibrarySteps}}
}

// Compile does what the function of that name does. Over reports that with this expression
// all of them cost too much together. It is told once; then nothing new is compiled any
// more, and there is neither a pattern nor an error.
func (l *Library) Compile(expression string) (p *Pattern, over bool, err error) {
	if c, ok := l.known[expression]; ok {
		return c.pattern, false, c.err
	}
	if l.over() {
		return nil, false, nil
	}
	p, err = compile(expression, &l.spent)
	if l.over() {
		return nil, true, nil
	}
	l.known[expression] = compiled{p, err}
	return p, false, err
}

func (l *Library) over() bool { return l.spent.bytes > l.most.bytes || l.spent.steps > l.most.steps }

// What the parts of matchers are held in, in bytes, with what the runtime adds.
const (
	matcherBytes = 512
	linkBytes    = 64
	rangeBytes   = 8
	entryBytes   = 4
	crowdBytes   = maxSwarm / 8
)

func (c *chain) size() int {
	n := matcherBytes + len(c.links)*linkBytes
	for i := range c.links {
		n += len(c.links[i].wide) * rangeBytes
	}
	return n
}

func (m *table) size() int { return matcherBytes + len(m.wide)*rangeBytes + len(m.next)*entryBytes }

func (m *swarm) size() int {
	return matcherBytes + len(m.wide)*rangeBytes + (len(m.has)+2*len(m.ways))*crowdBytes
}
