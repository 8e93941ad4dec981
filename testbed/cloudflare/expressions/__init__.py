"""The expression language of Cloudflare's rules, parsed and evaluated for real.

Cloudflare's rules run on wirefilter, whose engine is open source; its lexer, its precedence (not, and, xor, or, from
tight to loose), its type rules and its error texts are followed here, down to oddities such as `ssl andssl` being
accepted. Differences, all on the strict side:

- An empty set `in {}` is refused; the engine lets it pass, but a rule with one matches nothing and is a mistake.
- Only the fields and functions of `vocabulary` exist, and no account lists (`in $name`).
- Regular expressions are those that Rust and Python read alike, and networks are written in full (`10.0.0.0/8`).

How long an expression may be and what a plan allows is the API's business, not the language's.

    parse('http.host eq "a.example.com" and ssl').evaluate({"http.host": "a.example.com", "ssl": True})
"""

from testbed.cloudflare.expressions.evaluation import Expression, Values, typed
from testbed.cloudflare.expressions.lexing import ExpressionError
from testbed.cloudflare.expressions.parsing import parse

__all__ = ["Expression", "ExpressionError", "Values", "parse", "typed"]
