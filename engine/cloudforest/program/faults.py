"""What can be wrong with a text of ours, and with one object that it is applied to."""

from __future__ import annotations


class SyntaxFault(ValueError):  # noqa: N818 - a diagnostic in the making
    """A text can't be read. `offset` counts characters from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class ValueFault(Exception):  # noqa: N818 - an outcome of one object
    """A function can't work on what it got. `reason` is a sentence without values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RaisedFault(ValueFault):
    """A mapping's own Error; `message` may hold values, and is for its author only."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.message = message


class Ignored(Exception):  # noqa: N818 - an outcome of one object
    """The mapping says that something does not flow. `outcome` names it."""

    outcome = ""


class AttributeIgnored(Ignored):
    """An attribute is left as it is."""

    outcome = "attribute ignored"


class ObjectIgnored(Ignored):
    """An object is left as it is, and is not created."""

    outcome = "object ignored"


class MappingFault(Exception):  # noqa: N818 - an outcome of one object
    """One object can't be mapped. `reason` is a sentence without values."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def require_text(text: str, *, what: str, limit: int) -> None:
    """Raise SyntaxFault if a text is too long or holds a lone surrogate."""
    if len(text) > limit:
        raise SyntaxFault(f"The {what} is longer than {limit} characters.", limit)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SyntaxFault(
            f"The {what} holds a character that is not one.", error.start
        ) from error
