"""What the control plane accepts and holds while names change."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.support.renames import job, target, tree

from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Busy, Misconfigured
from cloudforest.control_plane.api.registration import require_whole
from cloudforest.control_plane.runs import Runs
from cloudforest.model.registration import Domain, Forest, Registration, Source


def whole(*nouns) -> Registration:
    domain = Domain(name="contoso.com", source=Source(ldif="a.ldif"))
    return replace(tree(*nouns), forests=(Forest(name="contoso", domains=(domain,)),))


@pytest.mark.parametrize(
    "nouns",
    [
        (target("cloud", formerly="cloud"),),
        (target("cloud"), target("new", formerly="cloud")),
        (target("a", formerly="old"), target("b", formerly="old")),
        (target("cloud"), job("a", formerly="people"), job("b", formerly="people")),
    ],
)
def test_a_name_that_two_have_or_had_is_refused(nouns):
    with pytest.raises(Misconfigured, match="same name"):
        require_whole(whole(*nouns))


def test_a_former_name_of_one_is_accepted():
    registration = whole(target("cloud", formerly="people"), job("a", formerly="b"))
    assert require_whole(registration) is registration


def held_runs() -> Runs:
    return Runs(store=None, targets=None, clock=system_clock)  # type: ignore[arg-type]


def test_a_job_that_is_held_starts_no_cycle():
    runs = held_runs()
    with runs.held({"people", "groups"}), pytest.raises(Busy, match="people"):
        runs.turns.take("people").__enter__()
    with runs.turns.take("people"):
        pass


def test_a_job_that_runs_is_not_held_and_neither_are_the_others():
    runs = held_runs()
    with (
        runs.turns.take("people"),
        pytest.raises(Busy, match="people"),
        runs.held(["groups", "people"]),
    ):
        pytest.fail("it was held")
    assert not runs.turns.taken("groups")
