"""All pages of docs/reference that are made from the code, by path."""

from __future__ import annotations

from pathlib import Path

from scripts.reference import (
    commands,
    diagnostics,
    exit_codes,
    language,
    man,
    outputs,
)
from scripts.reference.markdown import filled

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
WHOLE = ("commands", "diagnostics")
"""Folders in which every page is generated."""


def generated() -> dict[Path, str]:
    """Return the text of each page; some have prose around what is generated."""
    whole = {**language.pages(), **commands.pages(), **diagnostics.pages()}
    whole["commands/cloudforest.1"] = man.page()
    pages = {REFERENCE / name: text for name, text in whole.items()}
    blocks = {**language.blocks(), **exit_codes.blocks(), **outputs.blocks()}
    for name, block in blocks.items():
        path = REFERENCE / name
        pages[path] = filled(path.read_text(encoding="utf-8"), block)
    return pages


def stale() -> list[Path]:
    """Return the pages that say something else than the code."""
    return [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def without_source() -> list[Path]:
    """Return the generated pages whose command or section no longer exists."""
    pages = generated()
    found = [each for folder in WHOLE for each in (REFERENCE / folder).glob("*.md")]
    return [each for each in found if each not in pages]
