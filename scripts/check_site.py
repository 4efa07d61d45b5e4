"""Check the built site: `make docs` fails if something is missing from it.

The builder reports broken links between pages. It does not report missing images, pages
that are missing from the navigation, and resources that other hosts serve.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
DOCS = ROOT / "docs"
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}
"""Attributes that make a browser load something."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        canonical = ("rel", "canonical") in attrs
        self.found += [
            (tag, name, value)
            for name, value in attrs
            if name in {"src", "href"} and value and not canonical
        ]


def in_navigation(entry: Any) -> Iterator[str]:
    match entry:
        case str():
            yield entry
        case dict():
            for each in entry.values():
                yield from in_navigation(each)
        case list():
            for each in entry:
                yield from in_navigation(each)


def navigation_faults() -> Iterator[str]:
    """Yield the pages without an entry, and the entries without a page."""
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    named = set(in_navigation(config["project"]["nav"]))
    pages = {str(each.relative_to(DOCS)) for each in DOCS.rglob("*.md")}
    yield from (f"zensical.toml: nav lacks {each}" for each in pages - named)
    yield from (f"zensical.toml: nav names {each}, no page" for each in named - pages)


def link_faults() -> Iterator[str]:
    for page in SITE.rglob("*.html"):
        if page.name != "404.html":
            yield from _faults_of(page)


def _faults_of(page: Path) -> Iterator[str]:
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    for tag, name, value in links.found:
        parts = urlsplit(value)
        if parts.netloc and (tag, name) in LOADS:
            yield f"{page.relative_to(SITE)}: loads {value}"
        path = page.parent / unquote(parts.path)
        if not parts.netloc and not parts.scheme and not path.exists():
            yield f"{page.relative_to(SITE)}: {value} does not exist"


def main() -> int:
    faults = sorted({*navigation_faults(), *link_faults()})
    for each in faults:
        print(each, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
