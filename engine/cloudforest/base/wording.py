"""Word suggestions and choices of names in messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def find_similar(word: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Return the candidates that are similar to `word`, in any case, the best first."""
    by_lower = {each.lower(): each for each in sorted(candidates)}
    return [by_lower[each] for each in get_close_matches(word.lower(), by_lower, most)]


def find_closest(word: str, candidates: Iterable[str]) -> str | None:
    return next(iter(find_similar(word, candidates, most=1)), None)


def ask_if_meant(name: str) -> str:
    return f'Did you mean "{name}"?'


def suggest(word: str, candidates: Iterable[str], otherwise: str) -> str:
    """Return a question that names the closest candidate; `otherwise` without one."""
    found = find_closest(word, candidates)
    return otherwise if found is None else ask_if_meant(found)


def suggest_names(word: str, candidates: Iterable[str]) -> str:
    """Return a sentence that suggests the closest candidate, or lists them all."""
    known = sorted(set(candidates))
    return suggest(word, known, list_choices(known)) if known else "Declare it first."


def list_choices(names: Iterable[str], *, limit: int = 8) -> str:
    known = list(names)
    opening = "Choose one of: " if len(known) > 1 else "The only choice is "
    return f"{opening}{quote_names(known, limit=limit)}."


def quote_names(words: Iterable[str], *, limit: int = 8) -> str:
    """Return words in quotes, with commas; `…` stands for those beyond `limit`."""
    known = list(words)
    shown = ", ".join(f'"{each}"' for each in known[:limit])
    return f"{shown}, …" if len(known) > limit else shown
