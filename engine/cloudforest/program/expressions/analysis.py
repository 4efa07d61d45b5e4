"""What is known of an expression without any object."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.model.program import Attribute, Call, Expression, Literally, Template
from cloudforest.program.expressions.catalog import FUNCTIONS
from cloudforest.program.expressions.function import Kind

UNIQUE = "SelectUniqueValue"
"""The function that asks the target."""
REDACT = "Redact"
"""The function whose value is shown nowhere."""
NOW = "Now"
"""The function that gives the moment it is told, and so the same to all at once."""
DOMAIN = "DefaultDomain"
"""The function that the compiler replaces by what the tenant says."""


def calls(expression: Expression) -> Iterator[Call]:
    """Yield every call of a function or operator, from the outside."""
    waiting: list[Expression] = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Call):
            yield each
            waiting += [inner for inner in reversed(each.arguments) if inner]


def impure_functions(expression: Expression) -> tuple[str, ...]:
    """Name the functions in it that may give something else for the same object."""
    return tuple(
        dict.fromkeys(
            each.function
            for each in calls(expression)
            if each.function in FUNCTIONS and FUNCTIONS[each.function].impure
        )
    )


def uses(expression: Expression, function: str) -> bool:
    return any(each.function == function for each in calls(expression))


def with_domain(expression: Expression, domain: str) -> Expression:
    """Return it with the tenant's domain in place of DefaultDomain."""
    if not isinstance(expression, Call):
        return expression
    if expression.function == DOMAIN:
        return Literally(value=domain)
    arguments = (each and with_domain(each, domain) for each in expression.arguments)
    return Call(function=expression.function, arguments=tuple(arguments))


def is_constant(expression: Expression) -> bool:
    """Tell whether it gives the same for every object, always."""
    match expression:
        case Literally():
            return True
        case Attribute():
            return False
        case Template(reads=reads):
            return not reads
        case Call(function=name, arguments=arguments):
            function = FUNCTIONS.get(name)
            if function is None or function.impure or function.build is None:
                return False
            return all(each is None or is_constant(each) for each in arguments)


def kind_of(expression: Expression) -> Kind:
    """Return what kind of value it gives."""
    match expression:
        case Literally(value=bool()):
            return "boolean"
        case Literally(value=int() | float()):
            return "number"
        case Attribute():
            return "values"
        case Call(function=name) if name in FUNCTIONS:
            return FUNCTIONS[name].gives
        case _:
            return "text"
