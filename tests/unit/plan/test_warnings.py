"""What a plan says of new names, and of what is no longer there."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.plans import JOB, plan_between, registration

from cloudforest.model.program import (
    Attribute,
    AttributeProgram,
    CompiledAttributeMapping,
    Deprovision,
    JobProgram,
    ScopeProgram,
)
from cloudforest.model.registration import Registration
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import ImpactReport, make_plan
from cloudforest.plan.warnings import UncountedOrphans, find_orphans


def mapped(source: str, *targets: str) -> AttributeProgram:
    rules = tuple(
        CompiledAttributeMapping(
            target=each, expression=Attribute(name="x"), text="[x]"
        )
        for each in targets
    )
    keep = Deprovision(out_of_scope="keep", deleted="keep")
    return AttributeProgram(
        mapping=source,
        source=source,  # type: ignore[arg-type]
        target="User",
        rules=rules,
        reads=("x",),
        deprovision=keep,
    )


def programmed(*mappings: AttributeProgram, **changes: object) -> Registration:
    scope = ScopeProgram(types=("user",), organizational_units=None)
    whole = registration(**changes)
    program = JobProgram(scope=scope, mappings=mappings)
    return replace(whole, programs={each.name: program for each in whole.jobs})


BEFORE = programmed(mapped("user", "userName", "title"), mapped("group", "displayName"))


@pytest.mark.parametrize("kind", ["targets", "agents", "jobs"])
def test_a_rename_that_looks_like_a_removal_and_a_creation_is_warned_of(kind: str):
    [noun] = getattr(registration(), kind)
    plan = plan_between(
        registration(), registration(**{kind: (replace(noun, name="new"),)})
    )
    [warning] = plan.warnings
    assert f'"{noun.name}" is removed and' in warning
    assert f'`formerly: {noun.name}` in {kind[:-1].title()} "new"' in warning
    assert plan.to_shape()["warnings"] == [warning]
    assert warning in render_markdown(plan)
    assert f"formerly: {noun.name}" in render_html(plan)


def test_each_removal_is_taken_for_one_creation_only():
    jobs = (replace(JOB, name="a"), replace(JOB, name="b"))
    plan = plan_between(registration(), registration(jobs=jobs))
    assert len(plan.warnings) == 1


def test_a_job_is_recognised_although_its_target_is_renamed():
    [cloud] = registration().targets
    after = registration(
        targets=(replace(cloud, name="new", formerly="cloud"),),
        jobs=(replace(JOB, name="staff", target="new"),),
    )
    [warning] = plan_between(registration(), after).warnings
    assert "formerly: people" in warning


def test_what_differs_is_not_taken_for_a_rename():
    other = replace(JOB, name="staff", scope="contractors")
    assert plan_between(registration(), registration(jobs=(other,))).warnings == ()


def test_a_target_that_moves_keeps_its_links_and_that_is_warned_of():
    [cloud] = registration().targets
    moved = replace(cloud, scim="https://scim.example.com/v2")
    plan = plan_between(registration(), registration(targets=(moved,)))
    [warning] = plan.warnings
    assert "https://scim.example.com/v2 instead of embedded" in warning


def test_nothing_is_removed_when_nothing_is():
    assert list(find_orphans(BEFORE, BEFORE)) == []
    assert list(find_orphans(None, BEFORE)) == []


def test_a_removed_job_and_target_are_counted_apart():
    after = replace(BEFORE, targets=(), jobs=(), programs={})
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(("cloud", None), "target", "cloud"),
        UncountedOrphans(("cloud", "people"), "job", "cloud", "people"),
    ]


def test_a_job_that_gets_another_target_leaves_the_first():
    after = replace(BEFORE, jobs=(replace(JOB, target="elsewhere"),))
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(("cloud", "people"), "job", "cloud", "people")
    ]


def test_attributes_and_types_that_are_no_longer_mapped_are_told_under_new_names():
    [cloud] = BEFORE.targets
    after = programmed(
        mapped("user", "userName", "nickName"),
        targets=(replace(cloud, name="new", formerly="cloud"),),
        jobs=(replace(JOB, name="staff", target="new", formerly="people"),),
    )
    links = ("cloud", "people")
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(links, "attributes", "new", "staff", "user", ("title",)),
        UncountedOrphans(links, "type", "new", "staff", "group"),
    ]


@pytest.mark.parametrize(
    ("removal", "sentence"),
    [
        (
            UncountedOrphans(("cloud", "people"), "job", "cloud", "people"),
            (
                "Job people no longer writes to target cloud: 1,203 linked objects "
                "(1,200 created, 3 adopted) stay there as they are."
            ),
        ),
        (
            UncountedOrphans(("cloud", None), "target", "cloud"),
            (
                "Target cloud is removed: its links are forgotten, and 1,203 linked "
                "objects (1,200 created, 3 adopted) stay there as they are."
            ),
        ),
        (
            UncountedOrphans(("cloud", "people"), "type", "cloud", "people", "group"),
            (
                "Job people no longer maps the type group: 1,203 linked objects "
                "(1,200 created, 3 adopted) stay in target cloud as they are, no "
                "longer managed."
            ),
        ),
        (
            UncountedOrphans(
                ("cloud", "people"),
                "attributes",
                "cloud",
                "people",
                "user",
                ("nickName", "title"),
            ),
            (
                "Job people no longer maps nickName, title of the type user: the "
                "values stay in target cloud as they are, no longer managed, of 1,203 "
                "linked objects (1,200 created, 3 adopted)."
            ),
        ),
    ],
)
def test_a_consequence_is_told_with_numbers_in_every_format(
    removal: UncountedOrphans, sentence: str
):
    consequence = removal.with_counts(created=1200, adopted=3)
    assert consequence.sentence == sentence
    foreseen = ImpactReport(consequences=(consequence,))
    plan = make_plan(base=1, registered=BEFORE, desired=BEFORE, report=foreseen)
    assert sentence in render_markdown(plan)
    assert sentence in render_html(plan)
    [told] = msgspec.json.decode(msgspec.json.encode(plan.to_shape()))["consequences"]
    assert (told["created"], told["adopted"]) == (1200, 3)
    assert (told["job"], told["target"]) == (removal.job, "cloud")
    assert (told["removed"], told["sentence"]) == (removal.removed, sentence)
