"""What is not reported while a document could not be read."""

from __future__ import annotations

import pytest
from tests.support.trees import VALID

from cloudforest.compiler.compile import compile_tree


def test_unread_file_suppresses_unknown_references(tmp_path):
    (tmp_path / "tree.yaml").write_text(VALID.replace("everybody\norg", "x\norg"))
    (tmp_path / "scopes.yaml").write_text("kind: [")
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["yaml-syntax"]


@pytest.mark.parametrize("kind", ["Tenant", "Target", "Forest", "Scope"])
def test_misspelt_kind_suppresses_unknown_references(kind, tmp_path):
    misspelt = VALID.replace(f"kind: {kind}\n", f"kind: {kind}x\n")
    (tmp_path / "tree.yaml").write_text(misspelt)
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["unknown-kind"]
