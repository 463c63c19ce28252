package vagrantfile

// span is a piece of the source, as offsets of bytes.
type span struct{ start, end int }

func (s span) where() span { return s }

// expr is a node of the tree. Everything in Ruby is an expression.
type expr interface{ where() span }

type (
	// lit is a literal without interpolation; v is a value of the evaluator.
	lit struct {
		span
		v value
	}
	// text is a string, symbol, regular expression or command with parts to be evaluated.
	text struct {
		span
		kind  textKind
		parts []part
	}
	arrayLit struct {
		span
		elems []expr
	}
	hashLit struct {
		span
		pairs []pair
	}
	rangeLit struct {
		span
		lo, hi    expr // nil: open
		exclusive bool
	}
	// name is a local variable, or a call without arguments when there is no such variable.
	name struct {
		span
		id string
	}
	// variable is $global, @instance, @@class or a Constant.
	variable struct {
		span
		id string
	}
	// scoped is A::B.
	scoped struct {
		span
		of expr
		id string
	}
	call struct {
		span
		recv  expr // nil: none
		id    string
		args  []expr
		block *block
		safe  bool // &.
	}
	block struct {
		span
		params []param
		body   []expr
	}
	// splat is *x, **x or &x in a list of arguments.
	splat struct {
		span
		op string
		of expr
	}
	assign struct {
		span
		op      string // "" for =, else || && + - …
		targets []expr // several: a, b = …
		value   expr
	}
	logic struct {
		span
		op          string // && ||
		left, right expr
	}
	negation struct {
		span
		of expr
	}
	branch struct {
		span
		cond      expr
		then, els []expr
	}
	choice struct {
		span
		subject expr // nil: none
		whens   []when
		els     []expr
	}
	// loop is while, until and for; its condition or collection is of.
	loop struct {
		span
		keyword string
		vars    []expr
		of      expr
		body    []expr
	}
	def struct {
		span
		id     string
		params []param
		body   []expr
	}
	// guarded is begin … rescue … else … ensure.
	guarded struct {
		span
		body, rescue, ensure []expr
		rescued              bool
	}
	// group is ( … ).
	group struct {
		span
		body []expr
	}
	jump struct {
		span
		keyword string
		value   expr // nil: none
	}
	// opaque is code that is understood as code and not followed: class bodies, defined?, alias, undef.
	opaque struct {
		span
		what string
	}
)

type textKind int

const (
	textString textKind = iota
	textSymbol
	textRegexp
	textCommand
)

// part is text, or code when code is not nil.
type part struct {
	text string
	code []expr
}

type pair struct {
	key, value expr // key nil: **value
}

type when struct {
	conds []expr
	body  []expr
	// pattern: the condition is a pattern of case/in, which is not followed.
	pattern bool
}

type param struct {
	id  string
	def expr // default; nil: none
	// kind is "" for a plain one, "*", "**", "&", "key", or "(" for one that takes an array apart (sub).
	kind string
	sub  []param
}
