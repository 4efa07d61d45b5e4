"""Moments, as texts of a filter or of a directory, in FILETIME's unit.

That is 100 ns since 1601, in UTC ([MS-DTYP] 2.3.3). A filter writes `2026-01-31`,
`2026-01-31T08:00Z` or `2026-01-31T08:00:00Z` (ISO 8601; without a zone: UTC), a
directory also generalized time (RFC 4517, 3.3.13), or a FILETIME.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ZONE = r"[+-](?:[01]\d|2[0-3])"
_ISO8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    rf"([Zz]|{_ZONE}:[0-5]\d)?)?",
    re.ASCII,
)
_GENERALIZED = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,9}))?"
    rf"(Z|{_ZONE}[0-5]\d)",
    re.ASCII,
)
_FILETIME = re.compile(r"-?[0-9]{1,19}")
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIT = timedelta(microseconds=1)
SECOND = 10_000_000
NEVER = 2**63 - 1
"""A FILETIME that is none, like 0: an account that does not expire holds either."""


def _offset(zone: str | None) -> int:
    if zone in {None, "Z", "z"}:
        return 0
    digits = str(zone).replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-minutes if digits[0] == "-" else minutes) * 60 * SECOND


def moment(text: str) -> int | None:
    """Return the moment that a date, or a date and time, says; None: it is no such."""
    found = _ISO8601.fullmatch(text) or _GENERALIZED.fullmatch(text)
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    try:
        whole = datetime(*(int(each or 0) for each in parts), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six parts
    except ValueError:
        return None
    ticks = (whole - _EPOCH) // _UNIT * 10
    return ticks + int((fraction or "0").ljust(7, "0")[:7]) - _offset(zone)


def is_moment(value: object) -> bool:
    """Tell whether a value in a filter is compared as a moment."""
    return isinstance(value, str) and moment(value) is not None


def is_tick(value: object) -> bool:
    """Tell whether a value in a filter can be a FILETIME."""
    if isinstance(value, str):
        return is_filetime(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_filetime(text: str) -> bool:
    return _FILETIME.fullmatch(text) is not None


def filetime(text: str) -> int | None:
    """Return the moment; None for 0, for `NEVER` and for what is none."""
    ticks = int(text)
    return ticks if 0 < ticks < NEVER else None
