"""The built-in mappings and profiles are readable."""

from __future__ import annotations

import pytest
from tests.support.trees import registered

from cloudforest.base.files import shipped
from cloudforest.compiler.resolve import profile
from cloudforest.compiler.schemas import validator_of
from cloudforest.compiler.tree import built_in_mappings


@pytest.mark.parametrize("name", sorted(built_in_mappings()))
def test_every_built_in_mapping_has_the_right_shape_and_compiles(name, tmp_path):
    document = built_in_mappings()[name]
    assert not list(validator_of("Mapping").iter_errors(document.content))
    text = (shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    copy = text.replace(f"name: {name}", "name: copy")
    job = "---\nkind: Job\nname: copy\ndomain: contoso.com\nscope: everybody\n"
    tree = registered(tmp_path, copy=f"{copy}{job}mappings: [copy]\n")
    program, same = tree.programs["copy"].mappings[0], tree.programs["people"]
    assert program.rules in [each.rules for each in same.mappings]


def test_every_profile_is_readable():
    for path in (shipped("mappings") / "profiles").iterdir():
        assert profile(path.stem).name == path.stem
    assert profile("slack").requests_per_second == 3
    assert profile("aws-identity-center").page_size == 50
