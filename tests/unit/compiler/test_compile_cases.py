"""Every tree in tests/cases gives exactly its expected diagnostics."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloudforest.compiler.compile import compile_tree

CASES = Path(__file__).parents[2] / "cases"
NAMES = sorted(each.stem for each in CASES.glob("*.txt"))


def tree_of(name: str, folder: Path) -> Path:
    """Return the folder of a case, or one with its file beside the valid tree.

    A case without document or folder is a tree that does not exist. A file that begins
    with `# padded` is made too large. One with `# alone` has no valid tree beside it.
    """
    document = CASES / f"{name}.yaml"
    if not document.exists():
        return CASES / name
    shutil.copy(document, folder)
    if document.read_bytes().startswith(b"# padded"):
        (folder / document.name).write_bytes(document.read_bytes().ljust(5_000_000))
    if not document.read_bytes().startswith(b"# alone"):
        shutil.copy(CASES / "0-valid.yaml", folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_case_has_its_expected_diagnostics(name, tmp_path):
    result = compile_tree(tree_of(name, tmp_path))
    lines = "".join(f"{each}\n" for each in result.diagnostics)
    assert lines == (CASES / f"{name}.txt").read_text(encoding="utf-8")


def test_excerpt_of_a_block_is_the_line_at_fault(tmp_path):
    result = compile_tree(tree_of("expression-syntax.blocks", tmp_path))
    assert [str(each.excerpt).strip() for each in result.diagnostics] == [
        *("Uper([sn]))", "& Left([title])", "[sn])", "{{ sn | uper }}"),
    ]


def test_every_document_and_folder_has_its_expected_output():
    found = {each.stem for each in CASES.iterdir() if each.suffix != ".txt"}
    assert found <= set(NAMES)
