"""The ways in which an operation can fail to happen.

CloudforestError
├── Refused          the request was understood and is not allowed as things stand
│   ├── Stale              it was made against a state that has moved since
│   ├── Busy               something else is already doing it
│   └── Unauthenticated    the caller did not prove who it is
├── Rejected         the other side answered, and its answer was no
│   └── CredentialRejected it does not accept our proof of who we are
├── Unavailable      the other side did not answer
│   ├── Interrupted        it began to, and broke off
│   └── TargetUnavailable  it is a target, as a whole
│       └── LockedOut        it does not accept our credential
└── Misconfigured    what we were given can't be used
"""

from __future__ import annotations

from typing import ClassVar


class CloudforestError(Exception):
    """An operation did not happen. The message is a whole sentence for a person."""

    exit_code: ClassVar[int] = 1


class Refused(CloudforestError):  # noqa: N818 - named for what happened
    """The request was understood and is not allowed as things stand."""


class Stale(Refused):
    """The request was made against a state that has moved since."""


class Busy(Refused):
    """Something else is already doing it."""


class Unauthenticated(Refused):
    """The caller did not prove who it is; over HTTP that is a 401."""


class Rejected(CloudforestError):  # noqa: N818 - named for what happened
    """The other side answered, and its answer was no."""


class CredentialRejected(Rejected):
    """It does not accept our proof of who we are; to insist may lock the account."""


class Unavailable(CloudforestError):  # noqa: N818 - named for what happened
    """The other side did not answer."""

    exit_code = 5


class Interrupted(Unavailable):
    """Who answered broke off; to ask again may reach somebody who does not."""


class TargetUnavailable(Unavailable):
    """The target as a whole did not answer; it concerns all jobs that write to it."""


class LockedOut(TargetUnavailable):
    """The target does not let us in with the credential that we have."""


class Misconfigured(CloudforestError):  # noqa: N818 - named for what happened
    """What we were given can't be used."""
