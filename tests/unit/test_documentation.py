"""The site's pages agree with the code, with each other and with the navigation."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from scripts.check_site import navigation_faults
from scripts.reference.pages import stale, without_source

from cloudforest.model.cycles import Counts, LogEntry

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = ("start", "how-to", "reference", "explanation")
PAGES = sorted(path for each in SECTIONS for path in (DOCS / each).rglob("*.md"))
TEN_MINUTES = 1_800
"""Words that a person reads in ten minutes."""
_NOT_PROSE = re.compile(r"^```.*?^```|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
"""Code blocks, and where links lead."""


def test_generated_pages_say_what_the_code_says():
    """Else: `make reference`."""
    assert stale() == []
    assert without_source() == []


def test_every_page_is_in_the_navigation():
    assert list(navigation_faults()) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda each: str(each.relative_to(DOCS)))
def test_a_page_takes_ten_minutes_at_most(path: Path):
    prose = _NOT_PROSE.sub("", path.read_text(encoding="utf-8"))
    assert len(re.findall(r"[\w'-]{2,}", prose)) <= TEN_MINUTES


def test_every_count_of_a_cycle_is_documented():
    page = (DOCS / "reference/outputs/cycles.md").read_text(encoding="utf-8")
    counts = msgspec.to_builtins(Counts())
    assert [each for each in counts if f"`{each}`" not in page] == []


def test_every_field_of_a_log_entry_is_documented():
    page = (DOCS / "reference/outputs/logs.md").read_text(encoding="utf-8")
    fields = [each.encode_name for each in msgspec.structs.fields(LogEntry)]
    assert [each for each in fields if f"`{each}`" not in page] == []
