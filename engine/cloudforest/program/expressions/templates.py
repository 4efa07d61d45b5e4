"""What a template may hold, checked on its tree.

The filters and tests that a template may use; none multiplies without bound.

The environment that templates run in.

Templates, compiled.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, cast

from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    filters,
    nodes,
    tests,
)
from jinja2.sandbox import SandboxedEnvironment

from cloudforest.base.errors import Misconfigured
from cloudforest.model import program
from cloudforest.model.program import Template as _Template
from cloudforest.program.expressions.function import AttributeValues, Evaluate
from cloudforest.program.expressions.values import Value, as_items, as_text
from cloudforest.program.faults import SyntaxFault, ValueFault, require_text

MAX_VALUE_LENGTH = 65_536
"""Characters of an attribute that a template reads, and of what it makes."""
TOO_LONG = f"The template makes more than {MAX_VALUE_LENGTH} characters."


class MultipleValues(tuple[str, ...]):
    """The values of an attribute that has several: no text until they are joined."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueFault("The template needs one value, and the object has several.")


def _replace(value: object, old: str, new: str) -> str:
    """Replace as Jinja2 does, but never grow beyond MAX_VALUE."""
    source = str(value)
    growth = source.count(old) * len(new)
    if len(source) + growth > MAX_VALUE_LENGTH:
        raise ValueFault(TOO_LONG)
    return source.replace(old, new)


def _to_values(value: object) -> tuple[str, ...]:
    """Take a text for one value, and not for a sequence of letters."""
    return value if isinstance(value, tuple) else (str(value),)


def _first(value: object) -> str:
    return _to_values(value)[0]


def _last(value: object) -> str:
    return _to_values(value)[-1]


def _join(value: object, separator: str = "") -> str:
    values = _to_values(value)
    if len(separator) * len(values) > MAX_VALUE_LENGTH:
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
_KEPT_FILTERS = (
    *("capitalize", "count", "d", "default", "int", "length", "lower", "string"),
    *("title", "trim", "upper"),
)
FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _JINJA[name] for name in _KEPT_FILTERS},
    "first": _first,
    "join": _join,
    "last": _last,
    "replace": _replace,
    "truncate": _truncate,
}
_KEPT_TESTS = (
    *("defined", "undefined", "none", "number", "sequence", "string"),
    *("==", "!=", "eq", "equalto", "ge", "gt", "in", "le", "lt", "ne"),
)
_JINJA_TESTS = cast("dict[str, Callable[..., Any]]", tests.TESTS)
TESTS = {name: _JINJA_TESTS[name] for name in _KEPT_TESTS}


AppliedNode = nodes.Filter | nodes.Test


def _split_arguments(
    node: AppliedNode,
) -> tuple[list[nodes.Node], dict[str, nodes.Node]]:
    keywords = cast("list[nodes.Keyword]", node.kwargs)
    return list(node.args), {each.key: each.value for each in keywords}


def _is_constant(node: nodes.Node) -> bool:
    inner = node.node if isinstance(node, nodes.Neg) else node
    return isinstance(inner, nodes.Const)


def find_argument_fault(node: AppliedNode) -> str | None:
    """Return what is wrong with the arguments of a filter or test that exists."""
    is_filter = isinstance(node, nodes.Filter)
    function = (FILTERS if is_filter else TESTS)[node.name]
    kind = "filter" if is_filter else "test"
    given, named = _split_arguments(node)
    if len(named) < len(node.kwargs):
        return f"The {kind} {node.name} has the same argument twice."
    try:
        inspect.signature(function).bind(None, *given, **named)
    except TypeError as error:
        return f"The {kind} {node.name} can't have these arguments: {error}."
    constant = all(map(_is_constant, (*given, *named.values())))
    return _try_arguments(node.name, given, named) if is_filter and constant else None


def _try_arguments(
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


def _make_environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.globals.clear()
    environment.filters = dict(FILTERS)
    environment.tests = dict(TESTS)
    return environment


ENVIRONMENT = _make_environment()


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
_SUBTRACTION_REFUSED = (
    "A template can't subtract; the hyphen in the name of an attribute is written as an"
    " underscore: msDS_cloudExtensionAttribute1."
)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONE_SURROGATE_REFUSED = (
    "A text of the template holds half of a character; write it as it is, or as \\U and"
    " eight digits."
)
_RESERVED = frozenset({"self", "super"})


def _describe_unknown_name(kind: str, name: str, allowed: Iterable[str]) -> str:
    close = get_close_matches(name, allowed, n=1)
    hint = (
        f"Did you mean {close[0]}?"
        if close
        else f"There are {', '.join(sorted(allowed))}."
    )
    return f"A template has no {kind} {name}. {hint}"


def _describe_refused_node(node: nodes.Node) -> str:
    return (
        f"A template can't hold this ({type(node).__name__}): it is made of attribute"
        " names, texts, filters, tests, conditions and ~."
    )


def _find_application_fault(node: nodes.Filter | nodes.Test) -> str | None:
    kind = "filter" if isinstance(node, nodes.Filter) else "test"
    known = FILTERS if isinstance(node, nodes.Filter) else TESTS
    if node.name not in known:
        return _describe_unknown_name(kind, node.name, known)
    if node.dyn_args or node.dyn_kwargs:
        return "The arguments of a filter or test are written one by one."
    return find_argument_fault(node)


def _find_node_fault(node: nodes.Node) -> str | None:
    match node:
        case nodes.Filter() | nodes.Test():
            return _find_application_fault(node)
        case nodes.Name(name=name) if name in _RESERVED:
            return f"The name {name} is not an attribute."
        case nodes.Sub():
            return _SUBTRACTION_REFUSED
        case nodes.Const(value=str() as text) if _LONE_SURROGATE.search(text):
            return _LONE_SURROGATE_REFUSED
        case _:
            return None if isinstance(node, _ALLOWED) else _describe_refused_node(node)


def _find_first_line(node: nodes.Node) -> int | None:
    """Return the line of what stands in a node that has none of its own."""
    inner = node.find_all(nodes.Node)
    return next((each.lineno for each in inner if each.lineno), None)


def _walk_nodes(root: nodes.Template) -> Iterator[tuple[nodes.Node, int, int]]:
    """Yield each node as it is written, its depth, and its line or its parent's."""
    waiting: list[tuple[nodes.Node, int, int]] = [(root, 0, 1)]
    while waiting:
        node, depth, line = waiting.pop()
        if not isinstance(node, nodes.Template):
            line = node.lineno or _find_first_line(node) or line
        yield node, depth, line
        inner = [(each, depth + 1, line) for each in node.iter_child_nodes()]
        waiting += reversed(inner)


def _line_offset(text: str, line: int) -> int:
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    return sum(map(len, lines[: line - 1]))


_BEFORE = {"Filter": r"\|\s*", "Test": r"\bis\s+(?:not\s+)?"}


def _locate_node(text: str, node: nodes.Node, line: int) -> int:
    """Return where the name of a node stands, or else its line."""
    start = _line_offset(text, line)
    if not isinstance(node, nodes.Filter | nodes.Test | nodes.Name):
        return start
    before = _BEFORE.get(type(node).__name__, r"\b")
    found = re.compile(rf"{before}({re.escape(node.name)})\b").search(text, start)
    return found.start(1) if found else start


def _parse(text: str) -> nodes.Template:
    try:
        return ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise SyntaxFault(
            f"The template can't be read: {error.message}.",
            _line_offset(text, error.lineno),
        ) from error
    except RecursionError as error:
        raise SyntaxFault(_TOO_DEEP) from error
    except ValueError as error:
        raise SyntaxFault("The template holds a number that is too large.") from error


def _compile(root: nodes.Template) -> Template:
    """Compile; what is too large for Python is a fault of the template."""
    try:
        return ENVIRONMENT.from_string(root)
    except (RecursionError, MemoryError, SyntaxError, TemplateError) as error:
        raise SyntaxFault("The template is too large, or nested too deep.") from error


def compile_checked(text: str) -> tuple[Template, frozenset[str]]:
    """Return the compiled template and the names in it, as they are written."""
    require_text(text, what="template", limit=MAX_LENGTH)
    root = _parse(text)
    names = []
    for node, depth, line in _walk_nodes(root):
        wrong = _TOO_DEEP if depth > MAX_DEPTH else _find_node_fault(node)
        if wrong:
            raise SyntaxFault(wrong, _locate_node(text, node, line))
        if isinstance(node, nodes.Name):
            names.append(node.name)
    if len(names) > MAX_NAMES:
        raise SyntaxFault(f"The template names attributes more than {MAX_NAMES} times.")
    return _compile(root), frozenset(names)


def to_attribute_name(name: str) -> str:
    """Return the attribute that a name stands for: no attribute has an underscore."""
    return name.lower().replace("_", "-")


def parse_template(text: str) -> program.Template:
    """Check a template; raises SyntaxFault with the offset of the name or line."""
    _, names = compile_checked(text)
    return program.Template(
        text=text, reads=tuple(sorted(set(map(to_attribute_name, names))))
    )


def _make_render_context(
    names: frozenset[str], row: AttributeValues
) -> dict[str, object]:
    context: dict[str, object] = {}
    for name in names:
        values = tuple(map(as_text, as_items(row.get(to_attribute_name(name)))))
        if not values:
            continue
        if sum(map(len, values)) > MAX_VALUE_LENGTH:
            raise ValueFault("A value is too long for a template.")
        context[name] = values[0] if len(values) == 1 else MultipleValues(values)
    return context


def _describe_undefined(names: frozenset[str], context: dict[str, object]) -> str:
    missing = ", ".join(sorted(names - context.keys()))
    return (
        f"The template uses an attribute that this object does not have ({missing});"
        " give it a default: {{ name | default('') }}."
    )


def compile_template(template: _Template) -> Evaluate:
    """Compile into a function of an object's attributes, named in lower case.

    The function raises ValueFault, for example when an attribute without a default is
    missing. It sees no attribute that the template does not say it reads.
    """
    try:
        compiled, names = compile_checked(template.text)
    except SyntaxFault as fault:
        raise Misconfigured(
            f"A template of this program can't be used: {fault.message} Apply the tree"
            " again with the version that runs it."
        ) from fault

    said = frozenset(
        each for each in names if to_attribute_name(each) in template.reads
    )

    def evaluate(row: AttributeValues) -> Value:
        context = _make_render_context(said, row)
        try:
            made = compiled.render(context)
        except UndefinedError as error:
            raise ValueFault(_describe_undefined(names, context)) from error
        except ValueFault:
            raise
        except Exception as error:  # its values are to blame, whatever it is
            raise ValueFault(
                "The template does not fit this object's values."
            ) from error
        if len(made) > MAX_VALUE_LENGTH:
            raise ValueFault(TOO_LONG)
        return made

    return evaluate
