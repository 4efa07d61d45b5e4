"""What a document that was not read might have declared."""

from __future__ import annotations

import pytest
from tests.support.trees import VALID

from cloudforest.compiler.compile import compile_tree


def test_a_file_that_was_not_read_silences_what_it_might_have_declared(tmp_path):
    (tmp_path / "tree.yaml").write_text(VALID.replace("everybody\norg", "x\norg"))
    (tmp_path / "scopes.yaml").write_text("kind: [")
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["yaml-syntax"]


@pytest.mark.parametrize("kind", ["Tenant", "Target", "Forest", "Scope"])
def test_a_misspelt_kind_silences_what_it_might_have_declared(kind, tmp_path):
    misspelt = VALID.replace(f"kind: {kind}\n", f"kind: {kind}x\n")
    (tmp_path / "tree.yaml").write_text(misspelt)
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["unknown-kind"]
