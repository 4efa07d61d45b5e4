"""Faults: of a text that cannot be read, and of one object that it is applied to."""

from __future__ import annotations


class SyntaxFault(ValueError):  # noqa: N818 - a diagnostic in the making
    """A text cannot be read. `offset` counts characters from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class ValueFault(Exception):  # noqa: N818 - an outcome of one object
    """A function cannot use its arguments. `reason` is a sentence without values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RaisedFault(ValueFault):
    """The Error function was called.

    `message` may contain values, so show it to the author of the mapping only.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.message = message


class Ignored(Exception):  # noqa: N818 - an outcome of one object
    """The mapping skips an attribute or an object. `outcome` says which."""

    outcome = ""


class AttributeIgnored(Ignored):
    """The attribute stays unchanged."""

    outcome = "attribute ignored"


class ObjectIgnored(Ignored):
    """The object stays unchanged, and is not created."""

    outcome = "object ignored"


class MappingFault(Exception):  # noqa: N818 - an outcome of one object
    """One object cannot be mapped. `reason` is a sentence without values."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def require_text(text: str, *, what: str, limit: int) -> None:
    """Raise SyntaxFault if a text is too long or contains a lone surrogate."""
    if len(text) > limit:
        raise SyntaxFault(f"The {what} is longer than {limit} characters.", limit)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SyntaxFault(
            f"The {what} contains an invalid Unicode character.", error.start
        ) from error
