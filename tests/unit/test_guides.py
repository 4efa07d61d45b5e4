"""The pages that people follow: short enough, and with documents that are valid."""

from __future__ import annotations

import ast
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
MESSAGES = [
    (page, message)
    for page in ("how-to/troubleshoot.md", "start/your-own-directory.md")
    for cell in re.findall(
        r"^\| ([^|]*) \|",
        (ROOT / "docs" / page).read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    for message in re.findall(r'"([^"]+)"', cell)
]
"""What the first columns of tables quote, by page."""
HOLE = "\0"
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


@pytest.fixture(scope="module")
def engine_texts() -> str:
    """Return the string literals of the engine; a hole stands for `{…}`."""
    texts = []
    for path in (ROOT / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(_constant(each) for each in node.values))
            elif isinstance(node, ast.Constant):
                texts.append(_constant(node))
    return "\n".join(texts)


def _constant(node: ast.expr) -> str:
    value = node.value if isinstance(node, ast.Constant) else HOLE
    return value if isinstance(value, str) else HOLE


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


def test_both_pages_with_symptoms_quote_messages():
    assert len({page for page, _ in MESSAGES}) == 2


@pytest.mark.parametrize("message", [message for _, message in MESSAGES])
def test_message_in_a_table_is_one_that_the_engine_prints(
    message: str, engine_texts: str
):
    # A number stands for a value, as `…` does.
    fragments = [each.strip() for each in re.split(r"…|\d+", message)]
    assert [each for each in fragments if each not in engine_texts] == []


def test_commit_hook_validates_every_topology_with_documents():
    config = YAML(typ="safe", pure=True).load(ROOT / ".pre-commit-config.yaml")
    hooks = {each["id"]: each for repo in config["repos"] for each in repo["hooks"]}
    glob = re.search(r"for file in (\S+);", hooks["validate"]["entry"])
    assert glob is not None
    validated = {each.parent for each in ROOT.glob(glob[1])}
    assert validated == {each.parent for each in ROOT.glob("topologies/*/*.yaml")}
    assert validated
