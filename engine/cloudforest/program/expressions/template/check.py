"""What a template may hold, checked on its tree."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from cloudforest.model.program import Template
from cloudforest.program.expressions.template.environment import ENVIRONMENT
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
_FILTERS = frozenset(
    (
        *("capitalize", "lower", "title", "trim", "truncate", "upper"),
        *("count", "first", "join", "last", "length"),
        *("d", "default", "int", "replace", "string"),
    )
)
_TESTS = frozenset(
    (
        *("defined", "undefined", "none", "number", "sequence", "string"),
        *("==", "!=", "eq", "equalto", "ge", "gt", "in", "le", "lt", "ne"),
    )
)
_TOO_DEEP = f"The template is nested more than {MAX_DEPTH} deep."
_RESERVED = frozenset({"self", "super"})


def _misnamed(kind: str, name: str, allowed: frozenset[str]) -> str | None:
    if name in allowed:
        return None
    close = get_close_matches(name, allowed, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"A template has no {kind} {name}.{hint}"


def _foreign(node: nodes.Node) -> str:
    return (
        f"A template can't hold this ({type(node).__name__}): it is made of attribute"
        " names, texts, filters, tests, conditions and ~."
    )


def _complaint(node: nodes.Node) -> str | None:
    match node:
        case nodes.Filter(dyn_args=None, dyn_kwargs=None, name=name):
            return _misnamed("filter", name, _FILTERS)
        case nodes.Test(dyn_args=None, dyn_kwargs=None, name=name):
            return _misnamed("test", name, _TESTS)
        case nodes.Name(name=name) if name in _RESERVED:
            return f"The name {name} is not an attribute."
        case nodes.Filter() | nodes.Test():
            return "The arguments of a filter or test are written one by one."
        case _:
            return None if isinstance(node, _ALLOWED) else _foreign(node)


def _nodes(root: nodes.Template) -> Iterator[tuple[nodes.Node, int]]:
    waiting: list[tuple[nodes.Node, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(each, depth + 1) for each in node.iter_child_nodes()]


def _offset(text: str, line: int) -> int:
    return sum(len(each) for each in text.splitlines(keepends=True)[: line - 1])


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


def checked(text: str) -> tuple[nodes.Template, frozenset[str]]:
    """Return the tree and the names in it, as they are written."""
    require_text(text, what="template", limit=MAX_LENGTH)
    root = _parsed(text)
    names = []
    for node, depth in _nodes(root):
        wrong = _TOO_DEEP if depth > MAX_DEPTH else _complaint(node)
        if wrong:
            raise SyntaxFault(wrong, _offset(text, node.lineno))
        if isinstance(node, nodes.Name):
            names.append(node.name)
    if len(names) > MAX_NAMES:
        raise SyntaxFault(f"The template names attributes more than {MAX_NAMES} times.")
    return root, frozenset(names)


def parse_template(text: str) -> Template:
    """Check a template; raises SyntaxFault with the offset of the line at fault."""
    _, names = checked(text)
    return Template(text=text, reads=tuple(sorted({each.lower() for each in names})))
