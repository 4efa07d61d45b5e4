"""The filters and tests that a template may use; none multiplies without bound."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from jinja2 import filters, nodes, tests

from cloudforest.program.faults import ValueFault

MAX_VALUE = 65_536
"""Characters of an attribute that a template reads, and of what it makes."""
TOO_LONG = f"The template makes more than {MAX_VALUE} characters."


class Several(tuple[str, ...]):
    """The values of an attribute that has several: no text until they are joined."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueFault("The template needs one value, and the object has several.")


def _replace(value: object, old: str, new: str) -> str:
    """Replace as Jinja2 does, but never grow beyond MAX_VALUE."""
    source = str(value)
    growth = source.count(old) * len(new)
    if len(source) + growth > MAX_VALUE:
        raise ValueFault(TOO_LONG)
    return source.replace(old, new)


def _values(value: object) -> tuple[str, ...]:
    """Take a text for one value, and not for a sequence of letters."""
    return value if isinstance(value, tuple) else (str(value),)


def _first(value: object) -> str:
    return _values(value)[0]


def _last(value: object) -> str:
    return _values(value)[-1]


def _join(value: object, separator: str = "") -> str:
    values = _values(value)
    if len(separator) * len(values) > MAX_VALUE:
        raise ValueFault(TOO_LONG)
    return separator.join(values)


def _truncate(
    value: object,
    length: int = 255,
    killwords: bool = False,  # noqa: FBT001, FBT002 - as Jinja2 has it
    end: str = "...",
    leeway: int = 5,
) -> str:
    """Cut as Jinja2 does; what is too short for its end is a fault, not a bug."""
    if length < len(end) or leeway < 0:
        raise ValueFault(
            "The filter truncate needs a length that its end fits into, and no leeway"
            " below 0."
        )
    source = str(value)
    if len(source) <= length + leeway:
        return source
    kept = source[: length - len(end)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


_JINJA = cast("dict[str, Callable[..., Any]]", filters.FILTERS)
_KEPT = (
    *("capitalize", "count", "d", "default", "int", "length", "lower", "string"),
    *("title", "trim", "upper"),
)
FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _JINJA[name] for name in _KEPT},
    "first": _first,
    "join": _join,
    "last": _last,
    "replace": _replace,
    "truncate": _truncate,
}
_TESTED = (
    *("defined", "undefined", "none", "number", "sequence", "string"),
    *("==", "!=", "eq", "equalto", "ge", "gt", "in", "le", "lt", "ne"),
)
_JINJA_TESTS = cast("dict[str, Callable[..., Any]]", tests.TESTS)
TESTS = {name: _JINJA_TESTS[name] for name in _TESTED}


Applied = nodes.Filter | nodes.Test


def _arguments(node: Applied) -> tuple[list[nodes.Node], dict[str, nodes.Node]]:
    keywords = cast("list[nodes.Keyword]", node.kwargs)
    return list(node.args), {each.key: each.value for each in keywords}


def _is_constant(node: nodes.Node) -> bool:
    inner = node.node if isinstance(node, nodes.Neg) else node
    return isinstance(inner, nodes.Const)


def misused(node: Applied) -> str | None:
    """Return what is wrong with the arguments of a filter or test that exists."""
    is_filter = isinstance(node, nodes.Filter)
    function = (FILTERS if is_filter else TESTS)[node.name]
    kind = "filter" if is_filter else "test"
    given, named = _arguments(node)
    if len(named) < len(node.kwargs):
        return f"The {kind} {node.name} has the same argument twice."
    try:
        inspect.signature(function).bind(None, *given, **named)
    except TypeError as error:
        return f"The {kind} {node.name} can't have these arguments: {error}."
    constant = all(map(_is_constant, (*given, *named.values())))
    return _unfit(node.name, given, named) if is_filter and constant else None


def _unfit(
    name: str, given: list[nodes.Node], named: dict[str, nodes.Node]
) -> str | None:
    """Try arguments that are the same for every object on the empty text."""
    try:
        positional = [cast("nodes.Expr", each).as_const() for each in given]
        keywords = {
            key: cast("nodes.Expr", each).as_const() for key, each in named.items()
        }
        FILTERS[name]("", *positional, **keywords)
    except ValueFault as fault:
        return fault.reason
    except Exception:  # noqa: BLE001 - whatever it is, the arguments are wrong
        return f"The filter {name} can't work with these arguments."
    return None
