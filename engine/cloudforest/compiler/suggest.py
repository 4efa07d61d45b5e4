"""What was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` resembles most, if any does."""
    by_lower = {each.lower(): each for each in sorted(candidates)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def hint(word: str, candidates: Iterable[str]) -> str:
    """Return the end of a sentence that says what was meant, or what there is."""
    known = sorted(set(candidates))
    found = closest(word, known)
    if found is not None:
        return f'did you mean "{found}"?'
    if not known:
        return "there is none yet; declare it first."
    return f"there is {listed(known)}."


def listed(words: Iterable[str], *, most: int = 8) -> str:
    """Return words in quotes, with commas; `…` stands for those beyond `most`."""
    known = list(words)
    shown = ", ".join(f'"{each}"' for each in known[:most])
    return f"{shown}, …" if len(known) > most else shown
