"""What is known about an expression without an object."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.model.program import Attribute, Call, Constant, Expression, Template
from cloudforest.program.expressions.catalog import FUNCTIONS

SELECT_UNIQUE_VALUE = "SelectUniqueValue"
"""The function that asks the target for free values."""
REDACT = "Redact"
"""The function whose value is never shown."""
NOW = "Now"
"""The function that returns the start of evaluation, the same for all objects."""
DEFAULT_DOMAIN = "DefaultDomain"
"""The function that the compiler replaces by the tenant's default domain."""


def find_calls(expression: Expression) -> Iterator[Call]:
    """Yield every call of a function or operator, the outermost first."""
    waiting: list[Expression] = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Call):
            yield each
            waiting += [inner for inner in reversed(each.arguments) if inner]


def find_expression_attributes(expression: Expression) -> frozenset[str]:
    """Return the attributes that an expression reads, in lower case."""
    match expression:
        case Constant():
            return frozenset()
        case Attribute(name=name):
            return frozenset({name.lower()})
        case Call(arguments=arguments):
            given = (each for each in arguments if each is not None)
            return frozenset[str]().union(*map(find_expression_attributes, given))
        case Template(reads=reads):
            return frozenset(name.lower() for name in reads)


def find_impure_functions(expression: Expression) -> tuple[str, ...]:
    """Return the functions that may return another value for the same object."""
    return tuple(
        dict.fromkeys(
            each.function
            for each in find_calls(expression)
            if each.function in FUNCTIONS and FUNCTIONS[each.function].impure
        )
    )


def uses_function(expression: Expression, function: str) -> bool:
    return any(each.function == function for each in find_calls(expression))


def replace_default_domain(expression: Expression, domain: str) -> Expression:
    """Replace DefaultDomain by the tenant's domain."""
    if not isinstance(expression, Call):
        return expression
    if expression.function == DEFAULT_DOMAIN:
        return Constant(value=domain)
    inner = expression.arguments
    arguments = tuple(each and replace_default_domain(each, domain) for each in inner)
    return Call(function=expression.function, arguments=arguments)


def is_constant(expression: Expression) -> bool:
    """Tell whether an expression has the same value for every object, always."""
    match expression:
        case Constant():
            return True
        case Attribute():
            return False
        case Template(reads=reads):
            return not reads
        case Call(function=name, arguments=arguments):
            function = FUNCTIONS.get(name)
            if function is None or function.impure or function.contextual:
                return False
            return all(is_constant(each) for each in arguments if each)
