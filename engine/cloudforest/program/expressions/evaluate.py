"""Expressions, compiled into closures: nothing is parsed again for each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import (
    Attribute,
    Call,
    Expression,
    Literally,
    Scalar,
    Template,
)
from cloudforest.program.expressions.analysis import NOW, UNIQUE, is_constant
from cloudforest.program.expressions.catalog import FUNCTIONS, complaint
from cloudforest.program.expressions.function import Evaluate, Operand, Row
from cloudforest.program.expressions.templates import compile_template
from cloudforest.program.expressions.values import Moment, Value, is_empty, text
from cloudforest.program.faults import Ignored, ValueFault

__all__ = [
    "NOWHERE",
    "Evaluate",
    "Row",
    "Setting",
    "Value",
    "compile_expression",
    "compile_prepared",
    "prepared",
]

Watch = Callable[[Expression, Evaluate], Evaluate]
"""Told each part as it is compiled; what it returns is evaluated instead."""


@dataclass(frozen=True)
class Setting:
    """What expressions know beside the object.

    `now` is the moment that Now gives; without one it is a fault. `taken` are values
    that SelectUniqueValue may not choose, in any case.
    """

    now: datetime | None = None
    taken: frozenset[str] = frozenset()
    watch: Watch | None = None


NOWHERE = Setting()


class Prepared(dict[str, Value]):
    """An object's attributes; one that it does not have is null."""

    __slots__ = ()

    def __missing__(self, name: str) -> Value:
        return None


def prepared(attributes: Mapping[str, tuple[str, ...]]) -> Prepared:
    """Return attributes as expressions see them.

    One with one value is that text, with several a tuple, with none None.
    """
    made = Prepared()
    for name, values in attributes.items():
        made[name] = values[0] if len(values) == 1 else values or None
    return made


def _constant(value: Scalar) -> Evaluate:
    return lambda _row: value


def _operand(argument: Expression | None, setting: Setting) -> Operand | None:
    """Evaluate what is constant now; if it is a fault, it is one of every object."""
    if argument is None:
        return None
    evaluate = compile_prepared(argument, setting)
    if isinstance(argument, Literally):
        return Operand(evaluate, constant=True, literal=True)
    if setting.watch is not None or not is_constant(argument):
        return Operand(evaluate)
    try:
        value = evaluate(Prepared())
    except (ValueFault, Ignored):
        return Operand(evaluate)
    return Operand(lambda _row: value, constant=True)


def _now(setting: Setting) -> Evaluate:
    if setting.now is None:
        return _fault(
            "Nobody says what time it is for Now(); an Example has `now:` for that."
        )
    moment = Moment(setting.now)
    return lambda _row: moment


def _fault(reason: str) -> Evaluate:
    def evaluate(_row: Row) -> Value:
        raise ValueFault(reason)

    return evaluate


def _unique(call: Call, setting: Setting) -> Evaluate:
    """Choose among the values; `mapping` asks the target, and does not come here."""
    rules = [compile_prepared(each, setting) for each in call.arguments if each]
    taken = {each.casefold() for each in setting.taken}

    def evaluate(row: Row) -> Value:
        made = (rule(row) for rule in rules)
        texts = (text(each) for each in made if not is_empty(each))
        free = next((each for each in texts if each.casefold() not in taken), None)
        if free is None:
            raise ValueFault(f"{UNIQUE} makes no value that is not taken.")
        return free

    return evaluate


def _call(call: Call, setting: Setting) -> Evaluate:
    wrong = complaint(call.function, call.arguments)
    if wrong is not None:
        raise Misconfigured(
            f"An expression of this program can't be used: {wrong.message} Apply the"
            " tree again with the version that runs it."
        )
    build = FUNCTIONS[call.function].build
    if build is not None:
        return build([_operand(each, setting) for each in call.arguments])
    if call.function == UNIQUE:
        return _unique(call, setting)
    if call.function == NOW:
        return _now(setting)
    return _fault("The tenant has no default domain for DefaultDomain().")


def _compiled(expression: Expression, setting: Setting) -> Evaluate:
    match expression:
        case Literally(value=value):
            return _constant(value)
        case Attribute(name=name):
            return itemgetter(name.lower())
        case Call():
            return _call(expression, setting)
        case Template():
            return compile_template(expression)


def compile_prepared(expression: Expression, setting: Setting = NOWHERE) -> Evaluate:
    """Compile into a function of a prepared object, as fast as a function can be.

    It raises ValueFault when it can't work on what it gets, and Ignored when the
    expression says that the attribute or the object does not flow.
    """
    evaluate = _compiled(expression, setting)
    return evaluate if setting.watch is None else setting.watch(expression, evaluate)


def compile_expression(
    expression: Expression, setting: Setting = NOWHERE
) -> Callable[[Mapping[str, tuple[str, ...]]], Value]:
    """Compile into a function of an object's attributes, named in lower case.

    For one expression on few objects: each call prepares the object (see `prepared`).
    """
    evaluate = compile_prepared(expression, setting)
    return lambda attributes: evaluate(prepared(attributes))
