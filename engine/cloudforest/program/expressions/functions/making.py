"""Functions that make what was not there: random texts and GUIDs."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Sequence

from cloudforest.program.expressions.functions.values import Value, integer, text
from cloudforest.program.faults import ValueFault

LONGEST = 256
"""Characters of a random text, at most (documented)."""
_CLASSES = (
    string.digits,
    string.punctuation,
    string.ascii_uppercase,
    string.ascii_lowercase,
)


def guid() -> Value:
    return str(uuid.uuid4())


def _count(value: Value) -> int:
    count = 0 if value is None else integer(value)
    if count < 0:
        raise ValueFault("RandomString needs numbers that are not negative.")
    return count


def _chosen(alphabets: Sequence[str], counts: Sequence[int], length: int) -> list[str]:
    made = []
    for alphabet, count in zip(alphabets, counts, strict=True):
        if count and not alphabet:
            raise ValueFault("RandomString may use no character of a kind it needs.")
        made += [secrets.choice(alphabet) for _ in range(count)]
    everything = "".join(alphabets)
    if len(made) < length and not everything:
        raise ValueFault("RandomString may use no character at all.")
    return made + [secrets.choice(everything) for _ in range(length - len(made))]


def random_string(
    length: Value,
    *minimums: Value,
) -> Value:
    """Make a text with at least so many digits, special, upper and lower letters.

    The last argument, the fifth behind the length, holds characters to avoid.
    """
    wanted = _count(length)
    if wanted > LONGEST:
        raise ValueFault(f"RandomString makes at most {LONGEST} characters.")
    counts = [_count(each) for each in minimums[: len(_CLASSES)]]
    if sum(counts) > wanted:
        raise ValueFault("RandomString needs a length that its minimums fit into.")
    avoided = set(text(minimums[-1])) if len(minimums) > len(_CLASSES) else set()
    alphabets = ["".join(c for c in each if c not in avoided) for each in _CLASSES]
    made = _chosen(alphabets, counts, wanted)
    secrets.SystemRandom().shuffle(made)
    return "".join(made)
