"""The environment that templates run in: few filters, and none that multiplies."""

from __future__ import annotations

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

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


def _join(value: object, separator: str = "") -> str:
    values = _values(value)
    if len(separator) * len(values) > MAX_VALUE:
        raise ValueFault(TOO_LONG)
    return separator.join(values)


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.globals.clear()
    environment.filters |= {
        "replace": _replace,
        "join": _join,
        "first": lambda value: _values(value)[0],
        "last": lambda value: _values(value)[-1],
    }
    return environment


ENVIRONMENT = _environment()
