"""What a template may hold, checked on its tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes

from cloudforest.model import program as model
from cloudforest.program.expressions.template.environment import ENVIRONMENT
from cloudforest.program.expressions.template.filters import FILTERS, TESTS, misused
from cloudforest.program.faults import SyntaxFault, require_text

MAX_LENGTH = 10_000
MAX_DEPTH = 50
MAX_NAMES = 100

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.Test,
    nodes.CondExpr,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Concat,
    nodes.Keyword,
)
_TOO_DEEP = f"The template is nested more than {MAX_DEPTH} deep."
_HYPHEN = (
    "A template can't subtract; the hyphen in the name of an attribute is written as an"
    " underscore: msDS_cloudExtensionAttribute1."
)
_LONE = re.compile(r"[\ud800-\udfff]")
_NO_CHARACTER = (
    "A text of the template holds half of a character; write it as it is, or as \\U and"
    " eight digits."
)
_RESERVED = frozenset({"self", "super"})


def _misnamed(kind: str, name: str, allowed: Iterable[str]) -> str:
    close = get_close_matches(name, allowed, n=1)
    hint = (
        f"Did you mean {close[0]}?"
        if close
        else f"There are {', '.join(sorted(allowed))}."
    )
    return f"A template has no {kind} {name}. {hint}"


def _foreign(node: nodes.Node) -> str:
    return (
        f"A template can't hold this ({type(node).__name__}): it is made of attribute"
        " names, texts, filters, tests, conditions and ~."
    )


def _misapplied(node: nodes.Filter | nodes.Test) -> str | None:
    kind = "filter" if isinstance(node, nodes.Filter) else "test"
    known = FILTERS if isinstance(node, nodes.Filter) else TESTS
    if node.name not in known:
        return _misnamed(kind, node.name, known)
    if node.dyn_args or node.dyn_kwargs:
        return "The arguments of a filter or test are written one by one."
    return misused(node)


def _complaint(node: nodes.Node) -> str | None:
    match node:
        case nodes.Filter() | nodes.Test():
            return _misapplied(node)
        case nodes.Name(name=name) if name in _RESERVED:
            return f"The name {name} is not an attribute."
        case nodes.Sub():
            return _HYPHEN
        case nodes.Const(value=str() as text) if _LONE.search(text):
            return _NO_CHARACTER
        case _:
            return None if isinstance(node, _ALLOWED) else _foreign(node)


def _first_line(node: nodes.Node) -> int | None:
    """Return the line of what stands in a node that has none of its own."""
    inner = node.find_all(nodes.Node)
    return next((each.lineno for each in inner if each.lineno), None)


def _nodes(root: nodes.Template) -> Iterator[tuple[nodes.Node, int, int]]:
    """Yield each node as it is written, its depth, and its line or its parent's."""
    waiting: list[tuple[nodes.Node, int, int]] = [(root, 0, 1)]
    while waiting:
        node, depth, line = waiting.pop()
        if not isinstance(node, nodes.Template):
            line = node.lineno or _first_line(node) or line
        yield node, depth, line
        inner = [(each, depth + 1, line) for each in node.iter_child_nodes()]
        waiting += reversed(inner)


def _offset(text: str, line: int) -> int:
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    return sum(map(len, lines[: line - 1]))


_BEFORE = {"Filter": r"\|\s*", "Test": r"\bis\s+(?:not\s+)?"}


def _place(text: str, node: nodes.Node, line: int) -> int:
    """Return where the name of a node stands, or else its line."""
    start = _offset(text, line)
    if not isinstance(node, nodes.Filter | nodes.Test | nodes.Name):
        return start
    before = _BEFORE.get(type(node).__name__, r"\b")
    found = re.compile(rf"{before}({re.escape(node.name)})\b").search(text, start)
    return found.start(1) if found else start


def _parsed(text: str) -> nodes.Template:
    try:
        return ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise SyntaxFault(
            f"The template can't be read: {error.message}.", _offset(text, error.lineno)
        ) from error
    except RecursionError as error:
        raise SyntaxFault(_TOO_DEEP) from error
    except ValueError as error:
        raise SyntaxFault("The template holds a number that is too large.") from error


def _compiled(root: nodes.Template) -> Template:
    """Compile; what is too large for Python is a fault of the template."""
    try:
        return ENVIRONMENT.from_string(root)
    except (RecursionError, MemoryError, SyntaxError, TemplateError) as error:
        raise SyntaxFault("The template is too large, or nested too deep.") from error


def checked(text: str) -> tuple[Template, frozenset[str]]:
    """Return the compiled template and the names in it, as they are written."""
    require_text(text, what="template", limit=MAX_LENGTH)
    root = _parsed(text)
    names = []
    for node, depth, line in _nodes(root):
        wrong = _TOO_DEEP if depth > MAX_DEPTH else _complaint(node)
        if wrong:
            raise SyntaxFault(wrong, _place(text, node, line))
        if isinstance(node, nodes.Name):
            names.append(node.name)
    if len(names) > MAX_NAMES:
        raise SyntaxFault(f"The template names attributes more than {MAX_NAMES} times.")
    return _compiled(root), frozenset(names)


def attribute_of(name: str) -> str:
    """Return the attribute that a name stands for: no attribute has an underscore."""
    return name.lower().replace("_", "-")


def parse_template(text: str) -> model.Template:
    """Check a template; raises SyntaxFault with the offset of the name or line."""
    _, names = checked(text)
    return model.Template(text=text, reads=tuple(sorted(set(map(attribute_of, names)))))
