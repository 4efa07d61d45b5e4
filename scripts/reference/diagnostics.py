"""The pages of the diagnostics: what each id means, with a case that has it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.reference.markdown import page, table

CASES = Path(__file__).parents[2] / "tests" / "cases"
MEANINGS = Path(__file__).parent / "diagnostics.toml"
INDEX = """\
# Diagnostics

`cloudforest validate` reads every document of the tree and prints every mistake in one
run. Each line has the file, line, column, severity, message and id:

![file, line, column, severity, message and id of a mistake](../../images/validate.svg)

- An **error** stops `validate`, `plan`, `apply` and `up` with exit code 1.
- A **warning** stops nothing.
- An id never changes its meaning. Search for it here.
- Lines that may hold a secret are not shown.

Validation continues after a mistake. Three checks wait until you fix other mistakes:
the rest of a file after a YAML error, checks of the whole tree (such as "no job uses
this scope"), and Examples."""
_LINE = re.compile(
    r"(?P<file>.*?)(:(?P<line>\d+):(?P<column>\d+))?: "
    r"(?P<severity>error|warning): .* \[(?P<id>[a-z-]+)\]"
)


def ids() -> set[str]:
    return {each for section in _sections() for each in section["ids"]}


def pages() -> dict[str, str]:
    sections = _sections()
    whole = {f"diagnostics/{each['page']}.md": _section(each) for each in sections}
    return {"diagnostics/index.md": page(INDEX, *_lists(sections)), **whole}


def _sections() -> list[dict[str, Any]]:
    loaded = tomllib.loads(MEANINGS.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = loaded["section"]
    return found


def _lists(sections: list[dict[str, Any]]) -> Iterator[str]:
    for each in sections:
        yield f"## [{each['title']}]({each['page']}.md)"
        rows = [
            (f"[`{id_}`]({each['page']}.md#{id_})", _severity(id_), _first(entry))
            for id_, entry in each["ids"].items()
        ]
        yield table(("id", "severity", "meaning"), rows)


def _first(entry: dict[str, str]) -> str:
    return re.split(r"(?<=\.) ", entry["means"])[0]


def _section(section: dict[str, Any]) -> str:
    parts = [
        part for id_, entry in section["ids"].items() for part in _entry(id_, entry)
    ]
    return page(f"# {section['title']}", *parts)


def _entry(id_: str, entry: dict[str, str]) -> Iterator[str]:
    yield f"## {id_}"
    yield f"**{_severity(id_).capitalize()}.** {entry['means']}"
    yield f"**Do this:** {entry['fix']}"
    yield from _example(id_)


def _told(id_: str) -> Iterator[re.Match[str]]:
    """Yield what the cases named for the id say of it, the plainest case first."""
    for path in sorted(CASES.glob(f"{id_}*.txt"), key=lambda each: each.stem):
        if path.name.split(".")[0] == id_:
            for line in path.read_text(encoding="utf-8").splitlines():
                found = _LINE.fullmatch(line)
                if found and found["id"] == id_:
                    yield found


def _severity(id_: str) -> str:
    return " or ".join(sorted({each["severity"] for each in _told(id_)}))


def _example(id_: str) -> Iterator[str]:
    for told in _told(id_):
        path = CASES / told["file"]
        if told["line"] and path.is_file():
            shown = f"{told[0]}\n{_excerpt(path, told)}".strip()
            yield f"```text\n{shown}\n```"
            return
    for told in _told(id_):
        yield f"```text\n{told[0]}\n```"
        return


def _excerpt(path: Path, told: re.Match[str]) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    number, column = int(told["line"]), int(told["column"])
    text = lines[number - 1] if number <= len(lines) else ""
    if not text or text.startswith("#"):
        return ""
    return f"{number:5} | {text}\n      | {' ' * (column - 1)}^"
