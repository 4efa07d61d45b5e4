"""An account with fewer rights: the fallback works and loses nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import ldap3
import pytest
from tests.servers.contoso import Account
from tests.servers.samba import Contoso
from tests.servers.scim import ScimServer
from tests.support.lab import Lab, make_lab
from tests.support.sent import change, disabled, patch, these
from tests.support.service import Service, running, tree_of
from tests.support.stored import forget_asking, forget_watermark

SEE_DELETED = "read and list CN=Deleted Objects"
REPLICATE = "Replicating Directory Changes"


@pytest.fixture(scope="module")
def replicating(contoso: Contoso) -> Account:
    """An account that may replicate and cannot see deleted objects."""
    account = contoso.samba.account("svc-blind")
    contoso.samba.let_replicate("svc-blind")
    return account


@pytest.fixture(scope="module", params=["replicating", "unprivileged"])
def poor(
    request: pytest.FixtureRequest,
    contoso: Contoso,
    replicating: Account,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    account = replicating
    if request.param == "unprivileged":
        account = contoso.unprivileged
    folder = tmp_path_factory.mktemp(request.param) / "tree"
    with running(tree_of(folder, contoso.samba, account)) as service:
        yield service


@pytest.fixture
def poor_lab(
    poor: Service,
    administrator: ldap3.Connection,
    scim_server: Callable[[], ScimServer],
    tmp_path: Path,
) -> Lab:
    return make_lab(poor, scim_server(), administrator, tmp_path)


def test_missing_right_is_reported_and_changes_still_arrive(
    poor_lab: Lab, request: pytest.FixtureRequest
) -> None:
    lab = poor_lab
    anna, bo = lab.person("anna", title="Engineer"), lab.person("bo")
    lab.cycle()

    lab.modify(anna, title=["Head"])
    cy = lab.person("cy")
    assert lab.cycle() == these(
        lab.created(cy), patch("User", "anna", change("title", "Head"))
    )

    guid = lab.guid(bo)
    lab.delete(bo)
    assert lab.requests() == []
    status = lab.service.status(lab.name)
    assert status["deletions"] == "unseen"
    plain = "unprivileged" in request.node.name
    assert set(status["lacks"]) == {SEE_DELETED, *([REPLICATE] if plain else [])}

    forget_asking(lab)
    assert lab.requests() == []
    status = lab.service.status(lab.name)
    assert status["unknown"] == 1
    assert status["unknownObjects"] == [guid]
    assert lab.users()["bo"]["active"] is True


def test_account_with_all_rights_sees_deletions(lab: Lab) -> None:
    lab.person("anna")
    lab.cycle()
    status = lab.service.status(lab.name)
    assert status["deletions"] == "seen"
    assert status["lacks"] == []
    assert status["unknown"] == 0


def test_people_hidden_by_an_inherited_deny_are_unknown_and_stay(lab: Lab) -> None:
    hidden = lab.ou("hidden")
    people = [lab.person(f"h{number}", hidden) for number in range(5)]
    lab.people("anna", "bo")
    lab.group("team", *people)
    lab.cycle()

    with lab.service.samba.denied("svc-sync", hidden, "(D;CI;LCLO;;;{sid})"):
        assert lab.requests() == []
        forget_watermark(lab)
        assert lab.requests() == []
        assert lab.last["cycle"] == "initial"
        assert all(each["active"] for each in lab.users().values())
        assert len(lab.groups()["team"]) == 5
        assert lab.service.status(lab.name)["unknown"] == 5
        lab.settled()
    forget_asking(lab)
    assert lab.requests() == []
    assert lab.service.status(lab.name)["unknown"] == 0


def test_hidden_scope_attribute_does_not_count_as_cleared(lab: Lab) -> None:
    lab.declare(lab.staff)
    hidden = lab.ou("hidden")
    anna = lab.person("anna", hidden, employeeType="staff")
    lab.person("bo", employeeType="staff")
    lab.cycle()

    lab.service.samba.hide("svc-sync", "employeeType", hidden, inherited=True)
    forget_watermark(lab)
    assert lab.requests() == []
    lab.modify(anna, title=["Head"])
    assert lab.requests() == []
    status = lab.service.status(lab.name)
    assert (status["unknown"], status["unknownObjects"]) == (1, [lab.guid(anna)])

    lab.modify(anna, employeeType=["STAFF"])
    assert lab.requests() == []
    assert lab.users()["anna"]["active"] is True
    assert lab.service.status(lab.name)["unknownObjects"] == [lab.guid(anna)]

    lab.modify(f"CN=bo,{lab.unit}", employeeType=[])
    assert lab.cycle() == [disabled("bo")]
