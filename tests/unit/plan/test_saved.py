from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.plans import plan_between, registration

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import canonical_digest
from cloudforest.plan.saved import load_plan, make_saved_plan, save_plan


def test_saved_plan_is_loaded_unchanged(tmp_path: Path):
    plan = plan_between(None, registration())
    save_plan(tmp_path / "plan", make_saved_plan(plan, registration(), None))
    saved = load_plan(tmp_path / "plan")
    assert (saved.plan, saved.tree) == (plan, canonical_digest(registration()))
    assert (tmp_path / "plan").stat().st_mode & 0o777 == 0o600


def test_error_of_saving_names_the_path(tmp_path: Path):
    saved = make_saved_plan(plan_between(None, registration()), registration(), None)
    with pytest.raises(Misconfigured, match=f'"{tmp_path}"'):
        save_plan(tmp_path, saved)


@pytest.mark.parametrize("wrong", ["{}", "[", '"digest": "', None])
def test_file_that_is_not_a_saved_plan_is_refused(tmp_path: Path, wrong: str | None):
    path = tmp_path / "plan"
    if wrong is not None:
        path.write_text(wrong)
    with pytest.raises(Misconfigured, match="plan"):
        load_plan(path)


def test_edited_plan_is_refused(tmp_path: Path):
    path = tmp_path / "plan"
    plan = plan_between(None, registration())
    save_plan(path, make_saved_plan(plan, registration(), None))
    path.write_text(path.read_text().replace("contoso.com", "evil.com"))
    with pytest.raises(Misconfigured, match="was edited"):
        load_plan(path)


def test_plan_with_an_edited_digest_of_the_tree_is_refused(tmp_path: Path):
    path = tmp_path / "plan"
    plan = plan_between(None, registration())
    save_plan(path, make_saved_plan(plan, registration(), None))
    file = json.loads(path.read_text())
    file["saved"]["tree"] = canonical_digest(None)
    path.write_text(json.dumps(file))
    with pytest.raises(Misconfigured, match="was edited"):
        load_plan(path)
