"""The pages that people follow: short enough, and with documents that are valid."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for section in ("how-to", "explanation")
    for page in (ROOT / "docs" / section).glob("*.md")
)
IDS = [f"{each.parent.name}/{each.stem}" for each in PAGES]
MOST_WORDS = 1200
_YAML = re.compile(r"^ *```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def validator() -> Draft202012Validator:
    schemas = [json.loads(each.read_text()) for each in (ROOT / "schemas").iterdir()]
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in schemas
    )
    [tree] = [each for each in schemas if each["$id"].endswith("/tree.schema.json")]
    return Draft202012Validator(tree, registry=registry)


def documents(page: Path) -> Iterator[Any]:
    """Yield the documents of a page; parts of one, without `kind`, are left out."""
    for block in _YAML.findall(page.read_text(encoding="utf-8")):
        for each in YAML(typ="safe", pure=True).load_all(textwrap.dedent(block)):
            if isinstance(each, dict) and "kind" in each:
                yield each


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_documents_in_a_guide_have_valid_fields(page: Path):
    errors = [
        (each.json_path, each.message)
        for document in documents(page)
        for each in validator().iter_errors(document)
        if each.validator != "required"
    ]
    assert errors == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_guide_can_be_read_in_ten_minutes(page: Path):
    assert len(page.read_text(encoding="utf-8").split()) <= MOST_WORDS
