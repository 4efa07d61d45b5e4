"""The ways in which an operation can fail."""

from __future__ import annotations

from typing import ClassVar


class CloudforestError(Exception):
    """An operation did not happen; the message is a sentence for a person."""

    exit_code: ClassVar[int] = 1


class Refused(CloudforestError):  # noqa: N818 - named for what happened
    """The request is not allowed now."""


class Stale(Refused):
    """The request was made for a state that changed since."""


class Busy(Refused):
    """Something else is already doing it."""


class Unauthenticated(Refused):
    """The caller did not prove its identity (HTTP 401)."""


class Rejected(CloudforestError):  # noqa: N818 - named for what happened
    """The other side answered no."""


class CredentialRejected(Rejected):
    """It rejected our credentials; trying again may lock the account."""


class Unavailable(CloudforestError):  # noqa: N818 - named for what happened
    """The other side did not answer."""

    exit_code = 5


class Interrupted(Unavailable):
    """The other side stopped in the middle of its answer; another agent may not."""


class TargetUnavailable(Unavailable):
    """The target as a whole did not answer; this affects all its jobs."""


class LockedOut(TargetUnavailable):
    """The target rejected our credentials."""


class Misconfigured(CloudforestError):  # noqa: N818 - named for what happened
    """A setting, file or document cannot be used."""
