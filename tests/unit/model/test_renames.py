from __future__ import annotations

from tests.support.renames import PROGRAM, job, target, tree

from cloudforest.model.registration import (
    Agent,
)
from cloudforest.model.renames import (
    Rename,
    find_renames,
    list_jobs_to_lock,
    with_former_names,
)


def agent(name: str, *, formerly: str | None = None) -> Agent:
    return Agent(name=name, domains=("contoso.com",), run="local", formerly=formerly)


OLD = tree(target("cloud"), target("other"), agent("sync01"), job("people"))


def test_registered_former_name_is_a_rename():
    new = tree(
        target("new", formerly="cloud"),
        agent("berlin", formerly="sync01"),
        job("staff", target="new", formerly="people"),
    )
    assert find_renames(OLD, new) == (
        Rename(kind="Target", before="cloud", after="new"),
        Rename(kind="Agent", before="sync01", after="berlin"),
        Rename(kind="Job", before="people", after="staff"),
    )


def test_rename_happens_once():
    new = tree(job("staff", formerly="people"))
    assert find_renames(new, new) == ()
    assert find_renames(None, new) == ()
    assert find_renames(tree(), new) == ()


def test_name_in_use_is_not_a_former_name():
    assert find_renames(OLD, tree(job("people"), job("staff", formerly="people"))) == ()


def test_former_name_applies_to_the_same_kind_only():
    assert find_renames(OLD, tree(target("staff", formerly="people"))) == ()


def test_state_is_found_under_former_names():
    new = tree(
        target("new", formerly="cloud"),
        agent("berlin", formerly="sync01"),
        job("staff", target="new", formerly="people"),
        job("more", target="new"),
    )

    kept = with_former_names(OLD, new)

    assert [each.name for each in kept.targets] == ["cloud"]
    assert [each.name for each in kept.agents] == ["sync01"]
    assert [(each.name, each.target) for each in kept.jobs] == [
        ("people", "cloud"),
        ("more", "cloud"),
    ]
    assert kept.programs == {"people": PROGRAM, "more": PROGRAM}


def test_jobs_whose_state_changes_are_locked():
    people, groups = job("people"), job("groups")
    before = tree(target("cloud"), people, groups)
    staff = job("staff", formerly="people")
    assert list_jobs_to_lock(before, tree(target("cloud"), staff, groups)) == {"people"}
    assert list_jobs_to_lock(before, tree(target("cloud"), groups)) == {"people"}
    moved = tree(target("cloud"), job("people", target="other"), groups)
    assert list_jobs_to_lock(before, moved) == {"people"}
    new = target("new", formerly="cloud")
    renamed = tree(new, job("people", target="new"), job("groups", target="new"))
    assert list_jobs_to_lock(before, renamed) == {"people", "groups"}
    assert list_jobs_to_lock(before, before) == frozenset()
    assert list_jobs_to_lock(None, before) == frozenset()
