"""Templates, compiled."""

from __future__ import annotations

from jinja2 import UndefinedError

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import Template
from cloudforest.program.expressions.functions.shape import Evaluate, Row
from cloudforest.program.expressions.functions.values import Value, items, text
from cloudforest.program.expressions.template.check import attribute_of, checked
from cloudforest.program.expressions.template.filters import (
    MAX_VALUE,
    TOO_LONG,
    Several,
)
from cloudforest.program.faults import SyntaxFault, ValueFault


def _context(names: frozenset[str], row: Row) -> dict[str, object]:
    context: dict[str, object] = {}
    for name in names:
        values = tuple(map(text, items(row.get(attribute_of(name)))))
        if not values:
            continue
        if sum(map(len, values)) > MAX_VALUE:
            raise ValueFault("A value is too long for a template.")
        context[name] = values[0] if len(values) == 1 else Several(values)
    return context


def _undefined(names: frozenset[str], context: dict[str, object]) -> str:
    missing = ", ".join(sorted(names - context.keys()))
    return (
        f"The template uses an attribute that this object does not have ({missing});"
        " give it a default: {{ name | default('') }}."
    )


def compile_template(template: Template) -> Evaluate:
    """Compile into a function of an object's attributes, named in lower case.

    The function raises ValueFault, for example when an attribute without a default is
    missing. It sees no attribute that the template does not say it reads.
    """
    try:
        compiled, names = checked(template.text)
    except SyntaxFault as fault:
        raise Misconfigured(
            f"A template of this program can't be used: {fault.message} Apply the tree"
            " again with the version that runs it."
        ) from fault

    said = frozenset(each for each in names if attribute_of(each) in template.reads)

    def evaluate(row: Row) -> Value:
        context = _context(said, row)
        try:
            made = compiled.render(context)
        except UndefinedError as error:
            raise ValueFault(_undefined(names, context)) from error
        except ValueFault:
            raise
        except Exception as error:  # its values are to blame, whatever it is
            raise ValueFault(
                "The template does not fit this object's values."
            ) from error
        if len(made) > MAX_VALUE:
            raise ValueFault(TOO_LONG)
        return made

    return evaluate
