"""What a target may say about one object: an outcome, not an error of the cycle."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an outcome of one object
    """The target answered no. `reason` is a sentence without the object's values."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Conflict(Refusal):
    """Somebody already has a value that must be unique (409)."""


class NotThere(Refusal):
    """The resource does not exist, or no longer (404)."""


class AlreadyLinked(Exception):  # noqa: N818 - an outcome of one object
    """A resource of the target belongs to another object already."""
