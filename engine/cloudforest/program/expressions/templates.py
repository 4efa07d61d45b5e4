"""Templates: Jinja2 cut down to bounded filters and tests, checked, and compiled."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
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
from cloudforest.base.wording import suggest
from cloudforest.model import program
from cloudforest.program.expressions.function import AttributeValues, Evaluate
from cloudforest.program.expressions.values import Value, as_items, as_text
from cloudforest.program.faults import SyntaxFault, ValueFault, require_text

MAX_VALUE_LENGTH = 65_536
"""The most characters of an attribute that a template reads, and of its result."""
TOO_LONG = f"The template returns more than {MAX_VALUE_LENGTH} characters."
_JINJA = cast("dict[str, Callable[..., Any]]", filters.FILTERS)
_KEPT_FILTERS = "capitalize count d default int length lower string title trim upper"
_KEPT_TESTS = (
    "defined undefined none number sequence string == != eq equalto ge gt in le lt ne"
)
_JINJA_TESTS = cast("dict[str, Callable[..., Any]]", tests.TESTS)
TESTS = {name: _JINJA_TESTS[name] for name in _KEPT_TESTS.split()}
AppliedNode = nodes.Filter | nodes.Test
MAX_LENGTH = 10_000
MAX_DEPTH = 50
MAX_NAMES = 100
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
    *(nodes.Filter, nodes.Test, nodes.CondExpr, nodes.If, nodes.Compare),
    *(nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Concat),
    nodes.Keyword,
)
_TOO_DEEP = f"The template has more than {MAX_DEPTH} nested levels."
_SUBTRACTION_REFUSED = (
    "Templates do not subtract. Write an underscore for the hyphen of an attribute:"
    " msDS_cloudExtensionAttribute1."
)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONE_SURROGATE_REFUSED = (
    "A text of the template contains half of a character. Write the character itself,"
    " or \\U and eight digits."
)
_RESERVED = frozenset({"self", "super"})
_BEFORE = {"Filter": r"\|\s*", "Test": r"\bis\s+(?:not\s+)?"}


class MultipleValues(tuple[str, ...]):
    """The values of an attribute with several; they must be joined to become a text."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueFault(
            "The template needs one value, but the object has several. Use `first`,"
            " `last` or `join`."
        )


def _replace(value: object, old: str, new: str) -> str:
    """Replace as Jinja2 does, up to MAX_VALUE_LENGTH."""
    source = str(value)
    growth = source.count(old) * len(new)
    if len(source) + growth > MAX_VALUE_LENGTH:
        raise ValueFault(TOO_LONG)
    return source.replace(old, new)


def _to_values(value: object) -> tuple[str, ...]:
    """Return several values, or a text as one value, not as a sequence of letters."""
    return value if isinstance(value, tuple) else (str(value),)


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
    """Cut as Jinja2 does; raise ValueFault if `length` is shorter than `end`."""
    if length < len(end) or leeway < 0:
        raise ValueFault(
            "The filter truncate needs a length that is not shorter than its end, and a"
            " leeway of 0 or more."
        )
    source = str(value)
    if len(source) <= length + leeway:
        return source
    kept = source[: length - len(end)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _JINJA[name] for name in _KEPT_FILTERS.split()},
    "first": lambda value: _to_values(value)[0],
    "join": _join,
    "last": lambda value: _to_values(value)[-1],
    "replace": _replace,
    "truncate": _truncate,
}


def _find_argument_fault(
    node: AppliedNode, kind: str, function: Callable[..., Any]
) -> str | None:
    """Return what is wrong with the arguments of a filter or test.

    A filter with constant arguments is tried on the empty text.
    """
    named = {each.key: each.value for each in cast("list[nodes.Keyword]", node.kwargs)}
    if len(named) < len(node.kwargs):
        return f'The {kind} "{node.name}" has a repeated argument.'
    try:
        inspect.signature(function).bind(None, *node.args, **named)
    except TypeError as error:
        return f'Wrong arguments for the {kind} "{node.name}": {error}.'
    if kind == "test" or not all(map(_is_constant, (*node.args, *named.values()))):
        return None
    try:
        keywords = {key: each.as_const() for key, each in named.items()}
        function("", *(each.as_const() for each in node.args), **keywords)
    except ValueFault as fault:
        return fault.reason
    except Exception:  # noqa: BLE001 - any error means that the arguments are wrong
        return f'Wrong arguments for the filter "{node.name}".'
    return None


def _is_constant(node: nodes.Node) -> bool:
    inner = node.node if isinstance(node, nodes.Neg) else node
    return isinstance(inner, nodes.Const)


ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined)
ENVIRONMENT.globals.clear()
ENVIRONMENT.filters = dict(FILTERS)
ENVIRONMENT.tests = dict(TESTS)


def _find_application_fault(
    node: AppliedNode, kind: str, known: dict[str, Callable[..., Any]]
) -> str | None:
    if node.name not in known:
        hint = suggest(node.name, known, f"Choose one of: {', '.join(sorted(known))}.")
        return f'Unknown {kind} "{node.name}" in a template. {hint}'
    if node.dyn_args or node.dyn_kwargs:
        return "Filters and tests do not accept * and ** arguments."
    return _find_argument_fault(node, kind, known[node.name])


def _find_node_fault(node: nodes.Node) -> str | None:
    match node:
        case nodes.Filter() | nodes.Test():
            is_filter = isinstance(node, nodes.Filter)
            kind, known = ("filter", FILTERS) if is_filter else ("test", TESTS)
            return _find_application_fault(node, kind, known)
        case nodes.Name(name=name) if name in _RESERVED:
            return f'"{name}" is not an attribute.'
        case nodes.Sub():
            return _SUBTRACTION_REFUSED
        case nodes.Const(value=str() as text) if _LONE_SURROGATE.search(text):
            return _LONE_SURROGATE_REFUSED
        case _ if isinstance(node, _ALLOWED):
            return None
        case _:
            return (
                f"This is not allowed in a template ({type(node).__name__}). Use"
                " attribute names, texts, filters, tests, conditions and ~."
            )


def _walk_nodes(root: nodes.Template) -> Iterator[tuple[nodes.Node, int, int]]:
    """Yield each node in the order of the text, with its depth and line."""
    waiting: list[tuple[nodes.Node, int, int]] = [(root, 0, 1)]
    while waiting:
        node, depth, line = waiting.pop()
        if not isinstance(node, nodes.Template):
            lines = (each.lineno for each in (node, *node.find_all(nodes.Node)))
            line = next(filter(None, lines), line)
        yield node, depth, line
        inner = [(each, depth + 1, line) for each in node.iter_child_nodes()]
        waiting += reversed(inner)


def _line_offset(text: str, line: int) -> int:
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    return sum(map(len, lines[: line - 1]))


def _locate_node(text: str, node: nodes.Node, line: int) -> int:
    """Return the offset of a node's name, or of its line."""
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
            f"Invalid template: {str(error.message).rstrip('.')}.",
            _line_offset(text, error.lineno),
        ) from error
    except RecursionError as error:
        raise SyntaxFault(_TOO_DEEP) from error
    except ValueError as error:
        raise SyntaxFault(
            "The template contains a number that is too large."
        ) from error


def compile_checked(text: str) -> tuple[Template, frozenset[str]]:
    """Return the compiled template and the names in it; raises SyntaxFault."""
    require_text(text, what="template", limit=MAX_LENGTH)
    root = _parse(text)
    names = []
    for node, depth, line in _walk_nodes(root):
        message = _TOO_DEEP if depth > MAX_DEPTH else _find_node_fault(node)
        if message:
            raise SyntaxFault(message, _locate_node(text, node, line))
        if isinstance(node, nodes.Name):
            names.append(node.name)
    if len(names) > MAX_NAMES:
        raise SyntaxFault(f"The template has more than {MAX_NAMES} attribute names.")
    try:
        return ENVIRONMENT.from_string(root), frozenset(names)
    except (RecursionError, MemoryError, SyntaxError, TemplateError) as error:
        # It is too large for Python.
        raise SyntaxFault("The template is too large, or too deeply nested.") from error


def to_attribute_name(name: str) -> str:
    """Return the attribute of a name: underscores are hyphens in attributes."""
    return name.lower().replace("_", "-")


def parse_template(text: str) -> program.Template:
    """Parse a template; raises SyntaxFault with the offset of the name or line."""
    _, names = compile_checked(text)
    reads = tuple(sorted(set(map(to_attribute_name, names))))
    return program.Template(text=text, reads=reads)


def _make_context(names: frozenset[str], attributes: AttributeValues) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name in names:
        values = tuple(map(as_text, as_items(attributes.get(to_attribute_name(name)))))
        if not values:
            continue
        if sum(map(len, values)) > MAX_VALUE_LENGTH:
            raise ValueFault(
                f"A value is longer than {MAX_VALUE_LENGTH} characters, the limit for"
                " templates."
            )
        context[name] = values[0] if len(values) == 1 else MultipleValues(values)
    return context


def compile_template(template: program.Template) -> Evaluate:
    """Compile into a function of an object's attributes, named in lower case.

    The function raises ValueFault, for example if an attribute without a default is
    missing. It sees only the attributes that the template declares to read.
    """
    try:
        compiled, names = compile_checked(template.text)
    except SyntaxFault as fault:
        raise Misconfigured(
            f"This version cannot run an applied template: {fault.message} Apply the"
            " tree again with this version."
        ) from fault
    seen = frozenset(n for n in names if to_attribute_name(n) in template.reads)

    def evaluate(attributes: AttributeValues) -> Value:
        context = _make_context(seen, attributes)
        try:
            made = compiled.render(context)
        except UndefinedError as error:
            missing = ", ".join(sorted(names - context.keys()))
            raise ValueFault(
                f"The object lacks an attribute of the template ({missing}). Add a"
                " default: {{ name | default('') }}."
            ) from error
        except ValueFault:
            raise
        except Exception as error:  # the values are the cause
            raise ValueFault("The template cannot use this object's values.") from error
        if len(made) > MAX_VALUE_LENGTH:
            raise ValueFault(TOO_LONG)
        return made

    return evaluate
