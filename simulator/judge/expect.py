"""The language of expectations: ``load.latency.corrected.p99 <= 30s and message.lost == 0``.

Facts (`simulator.judge.facts`), numbers, durations, ``true`` and ``false``, compared and joined by ``+ - * /``,
``and``, ``or``, ``not`` and parentheses.  A duration is a number of seconds, and a bare number may stand for one; a
count is none.  The text is read by Python's own parser and nothing of it is ever run: what is not in the tables below
is refused.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from connector.settings import format_duration, parse_duration, shown
from simulator.judge.facts import ALL_FACTS, SECONDS, fact_of, problem_of_fact, slug

Value = bool | int | float
MOST_CHARACTERS: Final = 1_000
"""Of one expectation: beyond it Python's parser might run out of depth."""

_TOKENS: Final = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<duration>(?<![\w.])(?:\d+(?:\.\d+)?(?:ms|[dhms]))+(?!\w))"""
    r"""|(?P<imaginary>[\d.]+[jJ]\b)"""
)
_TEXTS: Final = re.compile(r"""(?:"[^"]*"|'[^']*')""")
_SINGLE_EQUALS: Final = re.compile(r"(?<![=<>!])=(?!=)")
_APART: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s+(ms|[dhms])(?!\w)")
_WORDS: Final = {"true": True, "false": False}
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Value]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALITY: Final = (ast.Eq, ast.NotEq)
NUMBER: Final = "a number"
"""One without a unit, which may stand for a count and for seconds."""
COUNT: Final = "a count"
DURATION: Final = "a duration"
TRUTH: Final = "true or false"


class Seconds(float):
    """A duration that stands in an expectation, shown as durations are."""

    def __repr__(self) -> str:
        return format_duration(float(self))


@attrs.frozen
class Expectation:
    """An expectation that was read."""

    text: str
    facts: tuple[str, ...]
    """Names of the facts it asks for, each once, in the order in which they stand there."""
    _tree: ast.expr = attrs.field(repr=False, eq=False)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Say whether it is true of these values; ZeroDivisionError when it divides by one that is 0."""
        return bool(_evaluated(self._tree, values))


def parse(text: str) -> Expectation:
    """Return what a text expects; ValueError with one sentence when it is none."""
    tree = _tree_of(text)
    try:
        kind = _kind(tree)
    except RecursionError:
        raise ValueError(f"{shown(text)} is no expectation (too deep)") from None
    if kind is not TRUTH:
        raise ValueError(f"{shown(text)} is {kind}, and must be a comparison such as message.lost == 0")
    facts = tuple(dict.fromkeys(_facts(tree)))
    if not facts:
        raise ValueError(f"{shown(text)} asks for no fact{ALL_FACTS}")
    return Expectation(text, facts, tree)


def _tree_of(text: str) -> ast.expr:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"must not be longer than {MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(_TOKENS.sub(_marked, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ValueError(f"{shown(text)} is no expectation ({_advice(text) or reason})") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, complex):
            node.value = Seconds(node.value.imag)
    return tree


def _marked(token: re.Match[str]) -> str:
    """Return a duration as an imaginary number, which tells it from bare ones and which nobody else may write."""
    if token["imaginary"]:
        raise ValueError(f"{token['imaginary']} is no number")
    return token["text"] or f"{parse_duration(token['duration'])!r}j"


def _advice(text: str) -> str:
    """Say what to write instead of what people write who know other languages; nothing where that is not known."""
    bare = _TEXTS.sub("", text)
    if apart := _APART.search(bare):
        return f"write {apart[1]}{apart[2]}, without the space"
    return "use == to compare" if _SINGLE_EQUALS.search(bare) else ""


# --- reading ----------------------------------------------------------------------------------------------------------


def _kind(node: ast.expr) -> str:
    """Return what a piece comes to; ValueError for a piece that is not of this language."""
    reader = _KINDS.get(type(node))
    if reader is None:
        raise ValueError(f"{shown(ast.unparse(node))} has no place in an expectation")
    return reader(node)


def _kind_of_constant(node: ast.Constant) -> str:
    if isinstance(node.value, bool):
        return TRUTH
    if isinstance(node.value, int | float):
        return DURATION if isinstance(node.value, Seconds) else NUMBER
    raise ValueError(f"{shown(ast.unparse(node))} has no place in an expectation")


def _kind_of_fact(node: ast.expr) -> str:
    name = _name(node)
    if name in _WORDS:
        return TRUTH
    problem = problem_of_fact(name)
    if problem:
        raise ValueError(problem)
    fact = fact_of(name)
    return _KIND_OF_UNIT.get(fact.unit, COUNT) if fact is not None else NUMBER


def _kind_of_joined(node: ast.BoolOp) -> str:
    for each in node.values:
        _must_be(TRUTH, each)
    return TRUTH


def _kind_of_unary(node: ast.UnaryOp) -> str:
    if not isinstance(node.op, ast.Not | ast.USub):
        raise ValueError(f"{shown(ast.unparse(node))} has no place in an expectation")
    return _must_be(TRUTH, node.operand) if isinstance(node.op, ast.Not) else _number(node.operand)


def _kind_of_arithmetic(node: ast.BinOp) -> str:
    if type(node.op) not in _ARITHMETIC:
        raise ValueError(f"only + - * / can be computed, not {shown(ast.unparse(node))}")
    left, right = _number(node.left), _number(node.right)
    if isinstance(node.op, ast.Add | ast.Sub):
        if {left, right} == {COUNT, DURATION}:
            raise ValueError(f"{shown(ast.unparse(node))} adds {COUNT} and {DURATION}, or takes one from the other")
        return right if left is NUMBER else left
    if isinstance(node.op, ast.Mult):
        return _KIND_OF_PRODUCT.get((left, right), NUMBER)
    return _KIND_OF_QUOTIENT.get((left, right), NUMBER)


def _kind_of_comparison(node: ast.Compare) -> str:
    kinds = {_kind(each) for each in (node.left, *node.comparators)}
    known = all(type(each) in _COMPARISONS for each in node.ops)
    if not known or (TRUTH in kinds and not all(isinstance(each, _EQUALITY) for each in node.ops)):
        raise ValueError(f"{shown(ast.unparse(node))} cannot be compared so")
    if TRUTH in kinds and len(kinds) > 1:
        raise ValueError(f"{shown(ast.unparse(node))} compares {min(kinds - {TRUTH})} with {TRUTH}")
    if {COUNT, DURATION} <= kinds:
        raise ValueError(f"{shown(ast.unparse(node))} compares {COUNT} with {DURATION}")
    return TRUTH


def _number(node: ast.expr) -> str:
    kind = _kind(node)
    if kind is TRUTH:
        raise ValueError(f"{shown(ast.unparse(node))} must be {NUMBER}")
    return kind


def _must_be(kind: str, node: ast.expr) -> str:
    if _kind(node) is not kind:
        raise ValueError(f"{shown(ast.unparse(node))} must be {kind}")
    return kind


_KIND_OF_UNIT: Final = {"": TRUTH, SECONDS: DURATION}
_KIND_OF_PRODUCT: Final[Mapping[tuple[str, str], str]] = {
    (NUMBER, COUNT): COUNT,
    (COUNT, NUMBER): COUNT,
    (NUMBER, DURATION): DURATION,
    (DURATION, NUMBER): DURATION,
}
"""Of all others nobody knows: twice a number, or what has no name here, as the seconds of many messages."""
_KIND_OF_QUOTIENT: Final[Mapping[tuple[str, str], str]] = {
    (COUNT, NUMBER): COUNT,
    (DURATION, NUMBER): DURATION,
    (DURATION, COUNT): DURATION,
}
_KINDS: Final[Mapping[type[ast.expr], Callable[[Any], str]]] = {
    ast.Constant: _kind_of_constant,
    ast.Name: _kind_of_fact,
    ast.Attribute: _kind_of_fact,
    ast.Subscript: _kind_of_fact,
    ast.BoolOp: _kind_of_joined,
    ast.UnaryOp: _kind_of_unary,
    ast.BinOp: _kind_of_arithmetic,
    ast.Compare: _kind_of_comparison,
}


def _name(node: ast.expr) -> str:
    """Return the dotted name of a fact; ``rule["barred prefix"]`` is rule.barred_prefix."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return f"{_name(node.value)}.{slug(node.slice.value)}"
    raise ValueError(f"{shown(ast.unparse(node))} is no fact")


def _facts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        name = _name(node)
        if name not in _WORDS:
            yield name
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from _facts(child)


# --- evaluating -------------------------------------------------------------------------------------------------------


def _evaluated(node: ast.expr, values: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Constant):
        constant: Value = node.value  # type: ignore[assignment]  # _kind_of_constant let only these pass
        return constant
    if isinstance(node, ast.BoolOp):
        return (all if isinstance(node.op, ast.And) else any)(_evaluated(each, values) for each in node.values)
    if isinstance(node, ast.UnaryOp):
        operand = _evaluated(node.operand, values)
        return not operand if isinstance(node.op, ast.Not) else -operand
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_evaluated(node.left, values), _evaluated(node.right, values))
    if isinstance(node, ast.Compare):
        sides = [_evaluated(each, values) for each in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        return all(_COMPARISONS[type(op)](left, right) for op, left, right in pairs)
    name = _name(node)
    return _WORDS[name] if name in _WORDS else values[name]
