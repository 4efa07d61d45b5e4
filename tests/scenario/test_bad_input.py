"""Mistakes are reported plainly: the cause, the next step and the exit code."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers.certificates import issue
from tests.servers.contoso import PEOPLE
from tests.servers.hostile import DIE, Asked, Hostile, HostileServer, Reply
from tests.servers.samba import Contoso
from tests.servers.scim import ScimServer
from tests.support.installed import (
    PASSWORD,
    TOKEN,
    Installed,
    Ran,
    active_directory,
    scim_target,
    write_tree,
)
from tests.support.ldif_tree import assert_reported, export, ldif_tree, once, person

STAFF = f"organizationalUnits: ['{PEOPLE}']"
LIST = {"totalResults": 0, "Resources": []}


@pytest.fixture
def from_directory(tmp_path: Path, contoso: Contoso) -> Callable[..., Installed]:
    def make(**changes: str) -> Installed:
        samba = contoso.samba
        values = {
            "url": samba.url,
            "ca": str(samba.ca),
            "username": contoso.delegated.username,
            "password": contoso.delegated.password,
            "scope": STAFF,
            **changes,
        }
        source = active_directory(values["url"], values["ca"], values["username"])
        write_tree(
            tmp_path / "tree",
            source=source,
            target="scim: embedded, profile: generic",
            scope=values["scope"],
        )
        return Installed(tmp_path / "tree", {PASSWORD: values["password"]})

    return make


def assert_nothing_lost(ran: Ran, state: str = "failed") -> None:
    [cycle] = ran.json["jobs"]
    assert cycle["state"] == state
    assert not any(cycle["counts"][each] for each in ("disable", "delete", "blank"))


def test_wrong_password_is_reported(from_directory: Callable[..., Installed]) -> None:
    ran = once(from_directory(password="canary-wrong"))
    assert_reported(ran, 5, "svc-sync@contoso.com", '"sync01" reports', "password")
    assert "canary-wrong" not in ran.err + ran.out
    assert_nothing_lost(ran)


def test_missing_password_variable_is_reported(
    from_directory: Callable[..., Installed],
) -> None:
    cloudforest = from_directory()
    cloudforest.variables.clear()
    assert_reported(once(cloudforest), 5, PASSWORD, "is not set")


def test_unreachable_controller_is_reported(
    from_directory: Callable[..., Installed],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ran = once(from_directory(url=f"ldaps://127.0.0.1:{port}"))
    assert_reported(ran, 5, f"127.0.0.1:{port}")
    assert_nothing_lost(ran)


def test_untrusted_certificate_is_reported(
    from_directory: Callable[..., Installed], contoso: Contoso, tmp_path: Path
) -> None:
    other = issue(tmp_path, names=("dc1.contoso.com",), addresses=("127.0.0.1",))
    ran = once(from_directory(ca=str(other.ca)))
    assert_reported(ran, 5, contoso.samba.url, "certificate")
    assert_nothing_lost(ran)


def test_unknown_ou_of_a_scope_is_reported(
    from_directory: Callable[..., Installed],
) -> None:
    scope = "organizationalUnits: ['OU=Nobody,DC=contoso,DC=com']"
    ran = once(from_directory(scope=scope))
    assert_reported(ran, 5, "OU=Nobody,DC=contoso,DC=com", "Correct the scope")
    assert_nothing_lost(ran)


def test_malformed_ldif_line_is_reported(tmp_path: Path) -> None:
    text = export("anna", "bert").replace("cn: bert", "cn bert")
    ran = once(ldif_tree(tmp_path, text))
    assert_reported(ran, 5, "contoso.ldif:17")
    assert_nothing_lost(ran)


def test_truncated_ldif_is_reported(
    tmp_path: Path, scim_server: Callable[[], ScimServer]
) -> None:
    target = scim_server()
    whole = export("anna", "bert", "carl")
    cloudforest = ldif_tree(tmp_path, whole, target=scim_target(target.url))
    cloudforest.variables[TOKEN] = target.token
    assert cloudforest.up_once()["counts"]["create"] == 3
    before = target.users()
    writes = target.writes()
    cut = whole.replace(person("carl") + "\n\n", "")
    (tmp_path / "contoso.ldif").write_text(cut)

    ran = once(cloudforest)

    assert_reported(ran, 5, "contoso.ldif", "4")
    assert_nothing_lost(ran)
    assert target.users() == before
    (tmp_path / "contoso.ldif").write_text(whole)
    assert cloudforest.up_once()["counts"]["unchanged"] == 3
    assert target.writes() == writes


def test_object_whose_mapping_fails_stops_nobody_else(tmp_path: Path) -> None:
    cloudforest = ldif_tree(
        tmp_path,
        export("anna", "bert", "carl"),
        mapping=(
            "extends: ad-user-to-scim\n"
            "attributeMappings:\n"
            '  title: \'IIF(BitAnd([employeeNumber], 1) = 1, "odd", "even")\''
        ),
    )
    text = (tmp_path / "contoso.ldif").read_text()
    (tmp_path / "contoso.ldif").write_text(
        text.replace("cn: bert", "cn: bert\nemployeeNumber: canary-value")
    )
    ran = once(cloudforest)
    assert ran.code == 4, ran
    [cycle] = ran.json["jobs"]
    assert cycle["counts"]["create"] == 2
    assert cycle["counts"]["escrow"] == 1
    log = cloudforest("logs", "--format", "json")
    assert "title" in log.out
    assert "canary-value" not in log.out


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=401), ("401", "auth")),
        (Reply(status=500), ("500",)),
        (DIE, ("without an answer",)),
        (Reply(429, headers={"Retry-After": "99999"}), ("429",)),
    ],
    ids=["401", "500", "no-answer", "429"],
)
def test_target_that_rejects_our_credentials_is_reported(
    reply: Reply,
    words: tuple[str, ...],
    tmp_path: Path,
    hostile_server: Callable[[Hostile], HostileServer],
) -> None:
    server = hostile_server(lambda _asked: reply)
    people = [f"p{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    cloudforest = ldif_tree(tmp_path, export(*people), target=scim_target(server.url))
    ran = once(cloudforest)
    assert_reported(ran, 5, server.url, *words)
    assert "canary-token" not in ran.err + ran.out
    assert_nothing_lost(ran)

    resources = iter(range(100))

    def recovered(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(200, LIST)
        return Reply(201, {"id": str(next(resources))})

    server.answer = recovered
    assert cloudforest.up_once()["counts"]["create"] == len(people)


def test_retry_after_of_a_target_is_obeyed(
    tmp_path: Path, hostile_server: Callable[[Hostile], HostileServer]
) -> None:
    def busy(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(200, LIST)
        posts = [each for each in server.asked if each.method == "POST"]
        if len(posts) == 1:
            return Reply(429, headers={"Retry-After": "1"})
        return Reply(201, {"id": str(asked.number)})

    server = hostile_server(busy)
    cloudforest = ldif_tree(
        tmp_path, export("anna", "bert"), target=scim_target(server.url)
    )
    cycle = cloudforest.up_once()
    assert cycle["counts"]["create"] == 2
    assert cycle["seconds"] >= 1


def test_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        cloudforest = Installed(tmp_path)
        ran = cloudforest("serve", "--listen", address)
    assert_reported(ran, 1, address, "--listen")


def test_second_control_plane_on_one_state_is_refused(topology: Installed) -> None:
    state = str(topology.state)
    with topology.running("up", "--state", state) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Serving" in line:
                break
        ran = topology("serve", "--state", state)
        assert_reported(ran, 1, str(process.pid), "--state")


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("plan", "--nonsense"),
        ("job", "run"),
        ("explain", "one"),
        ("job", "restart", "one", "--reset", "Wrong"),
        ("serve", "--listen", "0.0.0.0:1"),
        ("serve", "--store", "nonsense"),
        ("logs", "--audit", "--since", "2h"),
        ("logs", "--audit", "--follow"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_64(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert Installed(tmp_path)(*arguments).code == 64


def test_advice_of_an_error_names_the_state(tmp_path: Path) -> None:
    ran = Installed(tmp_path)("status", "--state", "else where")
    assert_reported(ran, 1, "`cloudforest apply --state 'else where'`")


def test_wrong_documents_exit_1_and_all_mistakes_are_shown(tmp_path: Path) -> None:
    (tmp_path / "tree.yaml").write_text("kind: Job\nname: 1\nnonsense: 2\n")
    ran = Installed(tmp_path)("validate", "--format", "json")
    assert ran.code == 1
    assert not ran.json["valid"]
    assert len(ran.json["diagnostics"]) > 1
    places = {(each["file"], each["line"]) for each in ran.json["diagnostics"]}
    assert ("tree.yaml", 3) in places
    assert Installed(tmp_path)("plan").code == 1
