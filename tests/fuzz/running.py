"""Fuzzing of a language with libFuzzer, with seeds and words in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

BETWEEN = "\0"
"""Separates the text of the language and the values of the object."""


def attributes_in(
    names: Iterable[str], values: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Assign values to names in turn; a repeated name has several values."""
    attributes: dict[str, tuple[str, ...]] = {}
    for name, value in zip(names, values, strict=False):
        attributes[name] = (*attributes.get(name, ()), value)
    return attributes


def _prepare(folder: Path, seeds: Iterable[str], words: Iterable[str]) -> Path:
    """Write the seeds and the dictionary; return the dictionary's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed{number}").write_text(seed, encoding="utf-8")
    dictionary = folder.with_suffix(".dict")
    escaped = [each.replace("\\", "\\\\").replace('"', '\\"') for each in words]
    dictionary.write_text("".join(f'"{each}"\n' for each in escaped if each.isascii()))
    return dictionary


def fuzz(
    once: Callable[[bytes], None], seeds: Iterable[str], words: Iterable[str]
) -> None:
    """Fuzz with the arguments `FOLDER [OPTION…]`; the options are libFuzzer's."""
    folder = Path(sys.argv[1])
    dictionary = _prepare(folder, seeds, words)
    options = (f"-dict={dictionary}", "-max_len=2000", "-timeout=60")
    atheris.Setup([sys.argv[0], str(folder), *options, *sys.argv[2:]], once)
    atheris.Fuzz()
