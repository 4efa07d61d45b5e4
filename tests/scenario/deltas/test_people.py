"""One person changes: the exact requests to the target, and its end state."""

from __future__ import annotations

from tests.servers.contoso import DISABLED, NORMAL
from tests.support.lab import Lab
from tests.support.sent import (
    MANAGER,
    change,
    cleared,
    disabled,
    enabled,
    new,
    patch,
    referred,
    renamed,
    these,
)


def test_new_person_is_created(lab: Lab) -> None:
    lab.person("bo")
    lab.cycle()
    anna = lab.person("anna", title="Engineer")

    assert lab.cycle() == [lab.created(anna, title="Engineer")]

    assert set(lab.users()) == {"anna", "bo"}
    lab.settled()


def test_only_changed_and_cleared_mapped_attributes_are_sent(lab: Lab) -> None:
    anna = lab.person("anna", title="Engineer")
    lab.cycle()

    lab.modify(anna, title=["Head"], telephoneNumber=["+49 30 1"])
    phones = new("phoneNumbers", [{"type": "work", "value": "+49 30 1"}])
    assert lab.cycle() == [patch("User", "anna", change("title", "Head"), phones)]
    assert lab.users()["anna"]["title"] == "Head"

    lab.modify(anna, description=["Nobody maps this"], info=["nor this"])
    assert lab.requests() == []

    lab.modify(anna, title=[])
    assert lab.cycle() == [patch("User", "anna", cleared("title"))]
    assert "title" not in lab.users()["anna"]
    lab.settled()


def test_reverted_change_sends_nothing(lab: Lab) -> None:
    anna = lab.person("anna", title="Engineer")
    lab.cycle()
    lab.modify(anna, title=["Head"])
    lab.modify(anna, title=["Engineer"])
    assert lab.requests() == []


def test_renamed_person_is_updated(lab: Lab) -> None:
    anna = lab.person("anna", displayName=None)
    bo = lab.person("bo")
    lab.cycle()
    assert lab.users()["anna"]["displayName"] == "anna"

    lab.rename(anna, "CN=anne")
    lab.rename(bo, "CN=bob")

    assert lab.cycle() == [renamed("anna", "anne")]
    lab.settled()


def test_changed_user_name_is_sent(lab: Lab) -> None:
    anna = lab.person("anna")
    lab.cycle()
    name = f"anna.married@{lab.name}.contoso.com"
    lab.modify(anna, userPrincipalName=[name])

    assert lab.cycle() == [patch("User", "anna", change("userName", name))]

    assert set(lab.users()) == {"anna.married"}
    lab.settled()


def test_scope_attribute_that_changes_no_decision_sends_nothing(lab: Lab) -> None:
    lab.declare(f"organizationalUnits: ['{lab.unit}'], filters: {{user: 'company pr'}}")
    anna = lab.person("anna", company="Contoso")
    lab.cycle()
    lab.modify(anna, company=["Fabrikam"])
    assert lab.requests() == []


def test_filter_change_disables_and_enables_a_person(lab: Lab) -> None:
    lab.declare(lab.staff)
    anna, cy = lab.person("anna", employeeType="staff"), lab.person("cy")
    lab.person("bo", employeeType="staff")
    lab.cycle()
    assert set(lab.users()) == {"anna", "bo"}

    lab.modify(anna, employeeType=["contractor"])
    assert lab.cycle() == [disabled("anna")]
    lab.settled()

    lab.modify(anna, employeeType=["staff"], title=["Engineer"])
    lab.modify(cy, employeeType=["staff"])
    assert lab.cycle() == these(
        patch("User", "anna", change("active", value=True), new("title", "Engineer")),
        lab.created(cy),
    )
    lab.settled()


def test_cleared_filter_attribute_disables_the_person(lab: Lab) -> None:
    lab.declare(lab.staff)
    anna = lab.person("anna", employeeType="staff")
    lab.person("bo", employeeType="staff")
    lab.cycle()
    lab.modify(anna, employeeType=[])
    assert lab.cycle() == [disabled("anna")]
    lab.settled()


def test_deleted_person_is_disabled_and_enabled_after_reanimation(lab: Lab) -> None:
    anna = lab.person("anna", title="Engineer")
    lab.person("bo")
    lab.cycle()
    guid = lab.guid(anna)

    lab.delete(anna)
    assert lab.cycle() == [disabled("anna")]
    assert lab.users()["anna"]["active"] is False
    lab.settled()

    lab.reanimate(guid, anna)
    lab.restore(anna)
    assert lab.cycle() == [
        patch("User", "anna", change("active", value=True), cleared("title"))
    ]
    assert lab.users()["anna"]["active"] is True
    lab.settled()


def test_person_created_and_deleted_between_cycles_is_ignored(lab: Lab) -> None:
    lab.person("bo")
    lab.cycle()
    lab.delete(lab.person("anna"))
    assert lab.requests() == []
    assert set(lab.users()) == {"bo"}


def test_disabled_and_enabled_account_is_followed(lab: Lab) -> None:
    anna = lab.person("anna")
    lab.cycle()
    lab.modify(anna, userAccountControl=[DISABLED])
    assert lab.cycle() == [disabled("anna")]
    assert lab.last["counts"]["disable"] == 1
    lab.modify(anna, userAccountControl=[NORMAL])
    assert lab.cycle() == [enabled("anna")]
    assert lab.last["counts"]["enable"] == 1
    lab.settled()


def test_moves_within_out_of_and_into_the_scope(lab: Lab) -> None:
    inside, outside = lab.ou("inside"), lab.ou("outside")
    berlin = lab.ou("berlin", inside)
    lab.declare(f"organizationalUnits: ['{inside}']")
    anna = lab.person("anna", inside)
    bo = lab.person("bo", outside)
    lab.cycle()

    anna = lab.move(anna, berlin)
    assert lab.requests() == []

    anna, bo = lab.move(anna, outside), lab.move(bo, berlin)
    assert lab.cycle() == these(disabled("anna"), lab.created(bo))
    lab.settled()

    lab.move(anna, inside)
    assert lab.cycle() == [enabled("anna")]
    lab.settled()


def test_two_people_swap_their_user_names(lab: Lab) -> None:
    anna, bo, _ = lab.people("anna", "bo", "cy")
    lab.cycle()
    before = {name: each["id"] for name, each in lab.users().items()}
    names = [f"{each}@{lab.name}.contoso.com" for each in ("anna", "bo", "parked")]
    lab.modify(anna, userPrincipalName=[names[2]])
    lab.modify(bo, userPrincipalName=[names[0]])
    lab.modify(anna, userPrincipalName=[names[1]])

    sent = lab.cycle()

    assert {each.path for each in sent} == {"/Users/anna", "/Users/bo"}
    after = {name: each["id"] for name, each in lab.users().items()}
    assert after == {
        "anna": before["bo"],
        "bo": before["anna"],
        "cy": before["cy"],
    }
    lab.settled()


def test_manager_is_sent_once_in_scope_and_cleared_after_deletion(lab: Lab) -> None:
    lab.declare(lab.staff)
    boss = lab.person("boss")
    lab.person("anna", employeeType="staff", manager=boss)
    lab.cycle()
    assert set(lab.users()) == {"anna"}

    lab.modify(boss, employeeType=["staff"])
    assert lab.cycle() == these(lab.created(boss), referred("anna", "boss"))
    lab.settled()

    lab.delete(boss)
    assert lab.cycle() == these(
        disabled("boss"), patch("User", "anna", cleared(MANAGER))
    )
    lab.settled()


def test_missing_source_anchor_is_escrowed_until_it_is_set(lab: Lab) -> None:
    anna = lab.person("anna")
    lab.person("bo")
    lab.cycle()
    lab.modify(anna, mS_DS_ConsistencyGuid=[b"0123456789abcdef"], title=["Head"])

    assert lab.cycle("partial") == []

    assert lab.last["counts"]["escrow"] == 1
    entries = lab.service.ask("GET", f"/logs?job={lab.name}&object={lab.guid(anna)}")
    assert "anchor-changed" in str(entries[-1]), entries


def test_change_during_a_cycle_is_written_by_the_next(lab: Lab) -> None:
    people = lab.people(*(f"p{number:02}" for number in range(40)))
    with lab.running(writes=5):
        for each in people:
            lab.modify(each, title=["Late"])

    lab.cycle()

    assert {each.get("title") for each in lab.users().values()} == {"Late"}
    assert len(lab.users()) == len(people)
    lab.settled()
