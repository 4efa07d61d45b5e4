"""A reviewer asks what a branch does to one person, and why."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from tests.support.exports import BASE, exported, group, guid_of, person
from tests.support.installed import Installed, Ran, eventually
from tests.support.served import ask, foresee, operator_token

STAFF = 'organizationalUnits: all, filters: {user: "userPrincipalName pr"}'
SALES_LEAVE = ('"userPrincipalName pr"', "'cn pr and department ne \"Sales\"'")
CLAUSE = 'leaves scope: filters.user clause 2: department ne "Sales"'
TITLED = "extends: ad-user-to-scim\nattributeMappings: {title: '[department]'}"
HIDDEN = """\
extends: ad-user-to-scim
attributeMappings: {nickName: {source: "[info]", sensitive: true}}
"""
PEOPLE = (
    person("anna", department="Sales"),
    person("bert", department="Sales", manager=f"CN=anna,{BASE}"),
    person("carl", department="Works", title="Clerk", info="canary"),
    group("team", "anna", "carl"),
)


def steps(ran: Ran) -> dict[str, dict[str, Any]]:
    assert ran.code == 0, ran
    assert [each["step"] for each in ran.json["steps"]] == [
        *("import", "scope", "match", "map", "act")
    ]
    assert all(set(each) == {"step", "result", "detail"} for each in ran.json["steps"])
    return {each["step"]: each for each in ran.json["steps"]}


def asked(cloudforest: Installed, who: str, job: str = "people") -> Ran:
    person = f"{who}@contoso.com"
    return cloudforest("explain", job, person, "--planned", ".", "--format", "json")


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "tree.yaml").read_text()
    assert old in text
    (folder / "tree.yaml").write_text(text.replace(old, new))


def synced(folder: Path) -> Installed:
    cloudforest = exported(folder, *PEOPLE, scope=STAFF)
    cloudforest.up_once()
    return cloudforest


def audited(cloudforest: Installed) -> list[str]:
    return cloudforest("logs", "--audit", "--format", "json").out.splitlines()


def test_explain_names_the_clause_that_would_remove_a_person(tmp_path: Path) -> None:
    cloudforest = synced(tmp_path)
    logged, audit = cloudforest("logs").out, audited(cloudforest)
    change(tmp_path, *SALES_LEAVE)

    leaver = steps(asked(cloudforest, "anna"))

    assert (leaver["scope"]["result"], leaver["act"]["result"]) == ("out", "disable")
    assert leaver["act"]["detail"]["because"] == CLAUSE
    assert leaver["act"]["detail"]["changes"] == [
        {"path": "active", "before": True, "after": False}
    ]
    assert steps(asked(cloudforest, "carl"))["act"]["result"] == "nothing"
    whole = ("explain", "people", guid_of("team"), "--planned", ".")
    told = steps(cloudforest(*whole, "--format", "json"))["act"]
    assert (told["result"], told["detail"]["members"]["remove"]) == ("members", 1)
    words = cloudforest("explain", "people", "anna@contoso.com", "--planned", ".")
    assert CLAUSE in words.out
    # The registered documents change nothing, and nothing was registered or written.
    now = cloudforest("explain", "people", "anna@contoso.com", "--format", "json")
    assert steps(now)["act"]["result"] == "nothing"
    assert (cloudforest("logs").out, audited(cloudforest)) == (logged, audit)


def test_explain_says_that_a_guard_would_stage_the_effect(tmp_path: Path) -> None:
    cloudforest = synced(tmp_path)
    change(tmp_path, *SALES_LEAVE)
    change(tmp_path, "scope: staff", "scope: staff\nguard: {disables: {max: 1}}")

    act = steps(asked(cloudforest, "anna"))["act"]

    assert act["result"] == "staged"
    assert "disables: 2 in this cycle" in act["detail"]["because"]
    assert act["detail"]["requests"] == []


def test_explain_shows_the_new_value_of_a_changed_mapping(tmp_path: Path) -> None:
    cloudforest = synced(tmp_path)
    change(tmp_path, "extends: ad-user-to-scim", TITLED)

    act = steps(asked(cloudforest, "carl"))["act"]

    assert act["result"] == "update"
    assert act["detail"]["changes"] == [
        {"path": "title", "before": "Clerk", "after": "Works"}
    ]


def test_explain_reads_all_people_of_an_unregistered_job(
    tmp_path: Path,
) -> None:
    """Managers and members are known although nobody was imported yet."""
    cloudforest = exported(tmp_path / "new", *PEOPLE, scope=STAFF)

    act = steps(asked(cloudforest, "bert"))["act"]

    assert act["result"] == "create"
    changes = {each["path"]: each["after"] for each in act["detail"]["changes"]}
    assert changes["userName"] == "bert@contoso.com"
    assert guid_of("anna") in str(changes), changes
    whole = ("explain", "people", guid_of("team"), "--planned", ".")
    told = steps(cloudforest(*whole, "--format", "json"))["act"]["detail"]
    assert told["members"]["add"] == 2
    assert cloudforest("job", "list", "--format", "json").json == {"jobs": []}


def test_explain_uses_the_links_of_a_renamed_job(tmp_path: Path) -> None:
    cloudforest = synced(tmp_path)
    change(
        tmp_path, "kind: Job\nname: people", "kind: Job\nname: all\nformerly: people"
    )

    told = steps(asked(cloudforest, "carl", "all"))

    assert (told["match"]["result"], told["act"]["result"]) == ("linked", "nothing")


def test_explain_of_a_branch_says_why_it_cannot_answer(tmp_path: Path) -> None:
    cloudforest = synced(tmp_path)

    mistyped = asked(cloudforest, "anna", "poeple")
    assert (mistyped.code, 'has no job "poeple". Its jobs: people' in mistyped.err) == (
        1,
        True,
    )
    nobody = asked(cloudforest, "nobody")
    assert (nobody.code, nobody.json["steps"][0]["result"]) == (1, "unknown")
    elsewhere = cloudforest("explain", "people", "anna", "--planned", "nowhere")
    assert (elsewhere.code, "nowhere" in elsewhere.err) == (1, True)
    change(tmp_path, "kind: Scope", "kind: Scoop")
    wrong = asked(cloudforest, "anna")
    assert (wrong.code, "unknown-kind" in wrong.err) == (1, True)


def _refused(url: str, token: str, body: dict[str, Any]) -> str:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(url, token, body)
    assert refused.value.code == 403
    said = json.load(refused.value)["error"]
    refused.value.close()
    return str(said)


@dataclass(frozen=True)
class Reader:
    """An operator with a token of role `read`, and the URL of the control plane."""

    cloudforest: Installed
    url: str
    token: str
    registration: dict[str, Any]

    def body(self, registration: dict[str, Any], who: str = "anna") -> dict[str, Any]:
        lookup = {"by": "attribute", "value": f"{who}@contoso.com"}
        return {"registration": registration, "lookup": lookup}

    @property
    def explain(self) -> str:
        return f"{self.url}/impact/people/explain"

    def refused(self, registration: dict[str, Any]) -> str:
        return _refused(self.explain, self.token, self.body(registration))

    def explained(self, registration: dict[str, Any], who: str) -> Any:
        return ask(self.explain, self.token, self.body(registration, who))

    def named(self, registration: dict[str, Any]) -> Any:
        named = f"{self.url}/impact?samples=names"
        [impact] = foresee(named, self.token, registration)["impacts"]
        return impact


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    cloudforest = exported(tmp_path, *PEOPLE, scope=STAFF, mapping=HIDDEN)
    cloudforest.up_once()
    with cloudforest.running("up") as up:
        assert up.stdout is not None
        assert any("Serving" in line for line in up.stdout)
        url = json.loads((cloudforest.state / "serve.json").read_text())["url"]
        token = operator_token(cloudforest, "read")
        registration = ask(f"{url}/registration", token)["registration"]
        found = Reader(cloudforest, url, token, registration)
        asking = (found.explain, token, found.body(registration))
        eventually(lambda: answered(*asking), "the agent's answer")
        yield found


def test_control_plane_explains_a_branch_by_role(reader: Reader) -> None:
    """A reader may ask, but only about the registered targets."""
    change(reader.cloudforest.tree, *SALES_LEAVE)
    told = steps(asked(reader.cloudforest, "anna"))
    assert told["act"]["detail"]["because"] == CLAUSE
    registration = reader.registration
    assert reader.explained(registration, "anna")["steps"][-1]["result"] == "nothing"
    plan = operator_token(reader.cloudforest, "plan")
    assert "`explain` needs `read`" in _refused(
        reader.explain, plan, reader.body(registration)
    )
    with pytest.raises(urllib.error.HTTPError, match="422") as unmapped:
        reader.explained(registration | {"programs": {}}, "anna")
    unmapped.value.close()
    registration["targets"][0]["scim"] = "https://elsewhere.example/v2"
    assert "role `apply`" in reader.refused(registration)


def test_reader_sees_no_more_of_people_than_is_registered(reader: Reader) -> None:
    assert reader.named(reader.registration)["counts"] is not None
    for changed, new in _programs_that_show_more(reader.registration):
        assert f"does not show {new}" in reader.refused(changed)
        impact = reader.named(changed)
        assert (impact["counts"], impact["failed"]) == (None, False)
        assert f"does not show {new}" in impact["unknown"]
    for changed in _programs_that_hide(reader.registration):
        assert "canary" not in json.dumps(reader.explained(changed, "carl"))


def _changed(
    registration: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a copy, its program for users, and the rules of that program by target."""
    copy = json.loads(json.dumps(registration))
    mappings = copy["programs"]["people"]["mappings"]
    [users] = [each for each in mappings if each["source"] == "user"]
    return copy, users, {each["target"]: each for each in users["rules"]}


def _programs_that_show_more(
    registration: dict[str, Any],
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield programs that show more than the registered one, and what they show."""
    unhidden, _, rules = _changed(registration)
    rules["nickName"]["sensitive"] = False
    yield unhidden, "info"
    named, users, rules = _changed(registration)
    users["reads"].append("pager")
    rules["userName"]["expression"] = {"node": "attribute", "name": "pager"}
    yield named, "pager"
    imported, users, _ = _changed(registration)
    users["reads"].append("pager")
    yield imported, "pager"
    forgotten, users, rules = _changed(registration)
    users["rules"].remove(rules["nickName"])
    yield forgotten, "info"
    before, users, rules = _changed(registration)
    other = rules["displayName"]["expression"]
    rules["nickName"] |= {"sensitive": False, "expression": other}
    users["reads"].remove("info")
    yield before, "nickName"


def _programs_that_hide(registration: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield programs that try to show a hidden value and cannot."""
    template, _, rules = _changed(registration)
    text = "{{ info | default('none') }}"
    expression = {"node": "template", "text": text, "reads": []}
    rules["displayName"]["expression"] = expression
    yield template
    removed, users, rules = _changed(registration)
    users["rules"].remove(rules["nickName"])
    users["reads"].remove("info")
    yield removed


def answered(url: str, token: str, body: dict[str, Any]) -> Any:
    """Ask; return None while the agent of the tree does not listen yet."""
    try:
        return ask(url, token, body)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return None


def test_plan_previews_a_disabled_job_as_if_enabled(
    tmp_path: Path,
) -> None:
    """The pilot topology says: review first, then write `enabled: true`."""
    disabled = "enabled: false\nguard: {creates: {max: 0}}"
    cloudforest = exported(tmp_path, *PEOPLE, scope=STAFF, more=disabled)

    text = cloudforest("plan")
    plan = cloudforest("plan", "--format", "json")
    assert (text.code, plan.code, plan.json["guards"]) == (0, 0, [])
    counts = "disabled, previewed as if enabled; initial cycle, 4 of 4 objects in scope"
    assert f"people: {counts}; " in text.out
    assert "Would be blocked: 4 creates exceed the limit of 0 " in text.out
    impact = plan.json["impact"]["people"]
    assert (impact["enabled"], impact["staged"]) == (False, 4)
    assert not plan.json["blocked"]

    change(tmp_path, "enabled: false", "enabled: true")
    assert cloudforest("plan").code == 3
    assert cloudforest("up", "--once").code == 3
    [job] = cloudforest("status", "--format", "json").json["jobs"]
    assert (job["state"], job["staged"]) == ("blocked", 4)


def test_plan_counts_the_linked_objects_of_a_job_that_is_disabled(
    tmp_path: Path,
) -> None:
    cloudforest = exported(tmp_path, *PEOPLE, scope=STAFF, more="enabled: true")
    cloudforest.up_once()
    change(tmp_path, "enabled: true", "enabled: false")
    plan = cloudforest("plan", "--format", "json")
    [said] = plan.json["consequences"]
    assert (said["removed"], said["created"], plan.code) == ("cycles", 4, 0)
    assert said["sentence"].startswith('Job "people" is disabled. 4 linked objects ')


def test_plan_without_impact_says_so(tmp_path: Path) -> None:
    cloudforest = exported(tmp_path, *PEOPLE, scope=STAFF)
    for each in ("text", "markdown", "html"):
        told = cloudforest("plan", "--no-impact", "--format", each).out
        assert "The impact was not evaluated (--no-impact)." in told
    told = cloudforest("plan", "--no-impact", "--format", "json").json
    assert (told["impactEvaluated"], told["impact"]) == (False, {})
