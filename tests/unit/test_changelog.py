"""The changelog has the form of Keep a Changelog, and is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudforest import __version__

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
LINES = CHANGELOG.read_text(encoding="utf-8").splitlines()
RELEASES = [line for line in LINES if line.startswith("## ")]
LONGEST = 240
"""Characters of an entry: about two sentences."""


def dated() -> list[tuple[tuple[int, ...], str]]:
    pattern = re.compile(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)")
    released = [each for each in RELEASES if each != "## [Unreleased]"]
    matches = [pattern.fullmatch(each) for each in released]
    assert all(matches), released
    return [
        (tuple(map(int, match.groups()[:3])), match[4]) for match in matches if match
    ]


def test_unreleased_stands_first_or_nowhere():
    assert "## [Unreleased]" not in RELEASES[1:]


def test_releases_descend_by_version_and_date():
    found = dated()
    assert found == sorted(found, reverse=True)
    assert len({version for version, _ in found}) == len(found)
    dates = [date for _, date in found]
    assert dates == sorted(dates, reverse=True)


def test_newest_release_is_this_version():
    newest = ".".join(map(str, dated()[0][0]))
    assert newest == __version__


def test_sections_are_known_and_in_order():
    for release in "\n".join(LINES).split("\n## ")[1:]:
        sections = re.findall(r"^### (.*)", release, re.MULTILINE)
        assert sections == [each for each in SECTIONS if each in sections], release[:40]


def test_every_line_of_a_release_is_an_entry():
    start = LINES.index(RELEASES[0])
    others = [
        line for line in LINES[start:] if line and not re.match(r"- \S|##{1,2} ", line)
    ]
    assert others == []


@pytest.mark.parametrize("line", [each for each in LINES if each.startswith("- ")])
def test_entry_is_short(line: str):
    assert len(line) <= LONGEST
    assert line.endswith(".")
