"""Coverage-guided fuzzing of the filter language (see `tests.fuzz.expressions`)."""

from __future__ import annotations

import atheris

with atheris.instrument_imports(
    include=["cloudforest.program", "cloudforest.compiler.rules", "scim2_filter_parser"]
):
    from tests.fuzz.filter_laws import hold
    from tests.fuzz.running import BETWEEN, attributes_in, fuzz
    from tests.fuzz.words import (
        COMPARISONS,
        FILTER_LITERALS,
        FILTER_NAMES,
        FILTER_WORDS,
    )

NAMES = (*FILTER_NAMES, "othermailbox")
"""The last name repeats one, which so has two values."""
VALUES = ("a", "A b", "514", "20261123120000.0Z", "é", "x")
NESTED = (
    'not (title eq "a" and (mail pr or title ne "b")) or mail co "@"',
    'othermailbox[value sw "a" and not (value ew "b")] and whencreated lt "2026-01-31"',
)


def once(raw: bytes) -> None:
    text, *values = raw.decode(errors="replace").split(BETWEEN)
    hold(text, attributes_in(NAMES, values))


def seeds() -> list[str]:
    """Return each comparison with each kind of value, and nested filters."""
    made = [
        f"{name} {operator} {literal}"
        for name in FILTER_NAMES
        for operator in COMPARISONS
        for literal in FILTER_LITERALS
    ]
    return [BETWEEN.join([each, *VALUES]) for each in [*made, *NESTED]]


if __name__ == "__main__":
    fuzz(once, seeds(), FILTER_WORDS)
