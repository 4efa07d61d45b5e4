"""The base of every value that crosses a process or is stored."""

from __future__ import annotations

import msgspec


class Value(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """A frozen record whose JSON has camelCase names and is checked when read."""
