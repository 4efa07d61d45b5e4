"""The built-in mappings and profiles are readable."""

from __future__ import annotations

import pytest
from tests.support.trees import registered

from cloudforest.base.files import find_shipped
from cloudforest.compiler.resolve import load_profile
from cloudforest.compiler.schemas import make_validator
from cloudforest.compiler.tree import load_built_in_mappings


@pytest.mark.parametrize("name", sorted(load_built_in_mappings()))
def test_every_built_in_mapping_has_the_right_shape_and_compiles(name, tmp_path):
    document = load_built_in_mappings()[name]
    assert not list(make_validator("Mapping").iter_errors(document.content))
    text = (find_shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    copy = text.replace(f"name: {name}", "name: copy")
    job = "---\nkind: Job\nname: copy\ndomain: contoso.com\nscope: everybody\n"
    tree = registered(tmp_path, copy=f"{copy}{job}mappings: [copy]\n")
    program, same = tree.programs["copy"].mappings[0], tree.programs["people"]
    assert program.rules in [each.rules for each in same.mappings]


def test_every_profile_is_readable():
    for path in (find_shipped("mappings") / "profiles").iterdir():
        assert load_profile(path.stem).name == path.stem
    assert load_profile("slack").requests_per_second == 3
    assert load_profile("aws-identity-center").page_size == 50
