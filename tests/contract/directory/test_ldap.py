"""What only a controller has: deltas, rights, fail-over, refusals."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import ldap3
import pytest
from tests.servers.certificates import issue
from tests.servers.contoso import BASE, GROUPS, NORMAL, PEOPLE, staff
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.adapters.ldap import controllers
from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.base.errors import Misconfigured, Rejected, Unavailable
from cloudforest.base.secrets import Secret
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import DirSyncCookie, Entry


async def cookie_of(directory: LdapDirectory, kind: str) -> str | None:
    async for item in directory.read_changes(kind, ["mail", "member"], None):
        if isinstance(item, DirSyncCookie):
            return item.value
    return pytest.fail("The read ended without a cookie.")


async def delta(directory: LdapDirectory, kind: str, cookie: str | None) -> list[Entry]:
    read = directory.read_changes(kind, ["mail", "title", "manager", "member"], cookie)
    return [item async for item in read if isinstance(item, Entry)]


def add_person(contoso: Contoso, name: str, *lines: str) -> str:
    dn = f"CN={name},{PEOPLE}"
    contoso.samba.add(
        "\n".join(
            [
                f"dn: {dn}",
                "objectClass: user",
                f"sAMAccountName: {name}",
                f"userAccountControl: {NORMAL}",
                *lines,
            ]
        )
    )
    return dn


async def test_delta_reports_changes_cleared_values_and_deletions(
    contoso: Contoso,
):
    directory = over_ldap(contoso)
    changed = add_person(contoso, "delta1", "mail: one@contoso.com", "title: Boss")
    gone = add_person(contoso, "delta2")
    guid = contoso.samba.guid(gone)
    cookie = await cookie_of(directory, "user")
    contoso.samba.modify(changed, mail=["two@contoso.com"], title=[])
    contoso.samba.delete(gone)

    entries = {
        each.object_guid: each for each in await delta(directory, "user", cookie)
    }

    assert set(entries) == {guid, contoso.samba.guid(changed)}
    assert entries[guid].is_deleted
    now = entries[contoso.samba.guid(changed)]
    assert now.is_partial
    assert now.type == "user"
    assert now.attributes == {"mail": ("two@contoso.com",), "title": ()}
    contoso.samba.delete(changed)


async def test_change_of_an_unrequested_attribute_is_not_reported(contoso: Contoso):
    directory = over_ldap(contoso)
    dn = add_person(contoso, "unasked", "mail: one@contoso.com")
    cookie = await cookie_of(directory, "user")
    contoso.samba.modify(dn, description=["Changed"])

    assert await delta(directory, "user", cookie) == []
    contoso.samba.delete(dn)


async def test_full_read_omits_tombstones_that_lookups_find(
    contoso: Contoso,
):
    dn = add_person(contoso, "tombstone")
    guid = contoso.samba.guid(dn)
    contoso.samba.delete(dn)
    directory = over_ldap(contoso)

    assert guid not in {
        each.object_guid for each in await delta(directory, "user", None)
    }
    read = directory.read_objects([Lookup(by="guid", value=guid)], ["mail"])
    [found] = [each async for each in read]
    assert found.is_deleted


async def test_added_and_removed_members_are_distinguished(contoso: Contoso):
    samba = contoso.samba
    group = f"CN=Changing,{GROUPS}"
    samba.add(
        f"dn: {group}\nobjectClass: group\nmember: {staff(4)}\nmember: {staff(5)}"
    )
    directory = over_ldap(contoso)
    cookie = await cookie_of(directory, "group")
    # A replacement would report the remaining members as added again.
    with samba.connection() as connection:
        connection.modify(
            group,
            {
                "member": [
                    (ldap3.MODIFY_DELETE, [staff(4)]),
                    (ldap3.MODIFY_ADD, [staff(6)]),
                ]
            },
        )

    [change] = await delta(directory, "group", cookie)

    assert change.members == (samba.guid(staff(6)),)
    assert change.former_members == (samba.guid(staff(4)),)
    [now] = [each for each in await delta(directory, "group", None) if each.dn == group]
    assert set(now.members) == {samba.guid(staff(5)), samba.guid(staff(6))}
    assert now.former_members == ()
    samba.delete(group)


async def test_circular_groups_are_followed_once(contoso: Contoso):
    one, two = f"CN=Ring 1,{GROUPS}", f"CN=Ring 2,{GROUPS}"
    samba = contoso.samba
    samba.add(f"dn: {one}\nobjectClass: group\nmember: {staff(4)}")
    samba.add(f"dn: {two}\nobjectClass: group\nmember: {staff(5)}\nmember: {one}")
    with samba.connection() as connection:
        connection.modify(one, {"member": [(ldap3.MODIFY_ADD, [two])]})

    found = await over_ldap(contoso).read_members(one.lower(), nested=True)

    assert found.ids == {samba.guid(dn) for dn in (one, two, staff(4), staff(5))}
    assert found.nested == {samba.guid(dn) for dn in (one, two)}
    assert found.is_complete
    for dn in (one, two):
        samba.delete(dn)


async def test_group_with_hidden_members_is_incomplete(contoso: Contoso):
    outer, inner = f"CN=Outer,{GROUPS}", f"CN=Inner,{GROUPS}"
    samba, directory = contoso.samba, over_ldap(contoso)
    samba.add(f"dn: {inner}\nobjectClass: group")
    samba.add(f"dn: {outer}\nobjectClass: group\nmember: {staff(5)}\nmember: {inner}")

    empty = await directory.read_members(outer, nested=True)
    samba.modify(inner, member=[staff(6)])
    samba.hide("svc-sync", "member", inner)
    hidden = await directory.read_members(outer, nested=True)
    alone = await directory.read_members(inner, nested=False)

    assert empty.ids == hidden.ids == {samba.guid(inner), samba.guid(staff(5))}
    assert (empty.is_complete, hidden.is_complete, alone.is_complete) == (
        True,
        False,
        False,
    )
    for dn in (outer, inner):
        samba.delete(dn)


async def test_account_without_replication_right_reads_what_it_may_see(
    contoso: Contoso,
):
    plain = contoso.unprivileged
    directory = over_ldap(
        contoso, username=plain.username, password=Secret(plain.password)
    )

    people = {each.dn for each in await delta(directory, "user", None)}

    assert staff(1) in people


async def test_next_controller_is_used_when_one_is_down(contoso: Contoso):
    directory = over_ldap(contoso, urls=["ldaps://127.0.0.101", contoso.samba.url])

    assert await directory.identify_domain() == contoso.samba.guid(BASE)


async def test_silent_controllers_are_skipped_once(
    contoso: Contoso, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(controllers, "CONNECT_SECONDS", 0.3)
    with ExitStack() as servers:
        silent = [
            servers.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(3)
        ]
        urls = [f"ldaps://127.0.0.1:{each.getsockname()[1]}" for each in silent]
        directory = over_ldap(contoso, urls=[*urls, contoso.samba.url])

        assert await directory.identify_domain() == contoso.samba.guid(BASE)
        for each in silent:
            each.accept()[0].close()
            each.settimeout(0)
        assert await directory.identify_domain() == contoso.samba.guid(BASE)

        for each in silent:
            with pytest.raises(BlockingIOError):
                each.accept()


@pytest.mark.parametrize(
    "controller",
    ["ldaps://127.0.0.1:99999", "ldaps://127.0.0.1:x", "ldaps://[::1", "ldaps://"],
)
async def test_invalid_controller_url_is_reported(contoso: Contoso, controller: str):
    with pytest.raises(Misconfigured, match=re.escape(f'"{controller}"')):
        await over_ldap(contoso, urls=[controller]).identify_domain()


async def test_invalid_host_name_is_unreachable(contoso: Contoso):
    controller = f"ldaps://{'a' * 70}.contoso.com"
    with pytest.raises(Unavailable, match="cannot be reached"):
        await over_ldap(contoso, urls=[controller]).identify_domain()


async def test_server_name_is_verified_instead_of_the_address(contoso: Contoso):
    directory = over_ldap(contoso, server_name="dc1.contoso.com")

    assert await directory.identify_domain() == contoso.samba.guid(BASE)


async def test_wrong_password_error_names_the_account_only(
    contoso: Contoso,
):
    directory = over_ldap(contoso, password=Secret("wrong-Passw0rd"))

    with pytest.raises(Rejected) as caught:
        await directory.identify_domain()

    assert contoso.samba.url in str(caught.value)
    assert "svc-sync@contoso.com" in str(caught.value)
    assert "password is wrong" in str(caught.value)
    assert "wrong-Passw0rd" not in str(caught.value)


async def test_refused_account_is_not_tried_at_another_controller(
    contoso: Contoso,
):
    url = contoso.samba.url
    directory = over_ldap(
        contoso, urls=[url, "ldaps://127.0.0.101"], password=Secret("wrong")
    )

    with pytest.raises(Rejected):
        await directory.identify_domain()


async def test_empty_password_is_never_sent(contoso: Contoso):
    with pytest.raises(Misconfigured, match="is empty"):
        await over_ldap(contoso, password=Secret("")).identify_domain()


async def test_unreachable_controller_is_reported(contoso: Contoso):
    directory = over_ldap(contoso, urls=["ldaps://127.0.0.101"])

    with pytest.raises(Unavailable, match=r"ldaps://127\.0\.0\.101 cannot be reached"):
        await directory.identify_domain()


async def test_certificate_of_another_ca_is_not_trusted(
    contoso: Contoso, tmp_path: Path
):
    other = issue(tmp_path, names=("dc1.contoso.com",), addresses=())

    with pytest.raises(Misconfigured, match=r"is not trusted .*tls\.ca"):
        await over_ldap(contoso, ca=str(other.ca)).identify_domain()
    with pytest.raises(Misconfigured, match=r"is not trusted .*tls\.ca"):
        await over_ldap(contoso, ca=None).identify_domain()


async def test_certificate_for_another_name_is_rejected(contoso: Contoso):
    with pytest.raises(Misconfigured, match=r"name dc9\.contoso\.com.*serverName"):
        await over_ldap(contoso, server_name="dc9.contoso.com").identify_domain()


async def test_verification_is_off_only_if_configured(contoso: Contoso):
    directory = over_ldap(contoso, ca=None, server_name="dc9", verify=False)

    assert await directory.identify_domain()


async def test_invalid_ca_file_is_reported(contoso: Contoso, tmp_path: Path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "missing.pem"):
        with pytest.raises(Misconfigured, match=path.name):
            await over_ldap(contoso, ca=str(path)).identify_domain()


async def test_plain_ldap_url_is_refused_before_connecting(contoso: Contoso):
    with pytest.raises(Misconfigured, match="ldaps://"):
        await over_ldap(contoso, urls=["ldap://127.0.0.101"]).identify_domain()


async def test_controller_of_another_domain_is_refused(contoso: Contoso):
    with pytest.raises(
        Misconfigured, match="serves DC=contoso,DC=com, not DC=fabrikam"
    ):
        await over_ldap(contoso, domain="fabrikam.com").identify_domain()


async def test_connection_lost_midway_is_unavailable(
    contoso: Contoso,
):
    with cut_after(12_000, contoso.samba.address) as port:
        directory = over_ldap(
            contoso,
            urls=[f"ldaps://127.0.0.1:{port}"],
            server_name="dc1.contoso.com",
        )
        with pytest.raises(Unavailable, match="stopped answering"):
            await delta(directory, "user", None)


@contextmanager
def cut_after(limit: int, address: str) -> Iterator[int]:
    """Relay one connection, and cut it after `limit` bytes of the answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay = threading.Thread(target=relay_once, args=(server, address, limit))
        relay.start()
        try:
            yield server.getsockname()[1]
        finally:
            relay.join()


def relay_once(server: socket.socket, address: str, limit: int) -> None:
    near, _ = server.accept()
    with near, socket.create_connection((address, 636)) as far:
        asking = threading.Thread(target=copy, args=(near, far, None))
        asking.start()
        copy(far, near, limit)
        for each in (near, far):
            each.shutdown(socket.SHUT_RDWR)
        asking.join()


def copy(source: socket.socket, target: socket.socket, limit: int | None) -> None:
    copied = 0
    with suppress(OSError):
        while (limit is None or copied < limit) and (data := source.recv(1_024)):
            copied += len(data)
            target.sendall(data)


async def test_idle_connection_is_reused_until_the_controller_closes_it(
    contoso: Contoso,
):
    counted: list[socket.socket] = []
    with relayed(contoso.samba.address, counted) as port:
        directory = over_ldap(
            contoso,
            urls=[f"ldaps://127.0.0.1:{port}"],
            server_name="dc1.contoso.com",
        )
        for _ in range(3):
            assert await directory.identify_domain()
        assert len(counted) == 1

        counted[0].shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(0.5)
        assert await directory.identify_domain()
        assert len(counted) == 2
        await directory.close()


@contextmanager
def relayed(address: str, accepted: list[socket.socket]) -> Iterator[int]:
    """Relay two connections; `accepted` collects them."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def relay() -> None:
            for _ in range(2):
                near, _ = server.accept()
                accepted.append(near)
                far = socket.create_connection((address, 636))
                for source, target in ((near, far), (far, near)):
                    thread = threading.Thread(target=copy, args=(source, target, None))
                    thread.start()
                    copying.append((thread, source))

        copying: list[tuple[threading.Thread, socket.socket]] = []
        accepting = threading.Thread(target=relay)
        accepting.start()
        yield server.getsockname()[1]
        accepting.join(30)
        for _, source in copying:
            with suppress(OSError):
                source.shutdown(socket.SHUT_RDWR)
        for thread, source in copying:
            thread.join(30)
            source.close()
