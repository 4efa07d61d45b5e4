from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from tests.support.agent import Host, running, until
from tests.support.hybrid import (
    NOW,
    Hybrid,
    new_authority,
    signing_request,
    with_an_agent,
)

from cloudforest.agent.identity import agent_folder, enrol, load_identity
from cloudforest.base.errors import Misconfigured, Refused, Rejected, Unauthenticated
from cloudforest.hybrid.authority import certificate_pem
from cloudforest.model.identity import BootstrapRequest


@pytest.fixture
def hybrid():
    return with_an_agent()


async def test_enrolled_agent_proves_its_identity_after_a_restart(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    first = await enrol(hybrid.enrolment, folder, token)
    identity = load_identity(folder)
    assert identity.id == first.id
    response = await hybrid.bootstrap.bootstrap(
        BootstrapRequest(
            assertion=identity.make_assertion(NOW),
            nkey=identity.bus_key.public_key,
            version="0.1.0",
        )
    )
    assert response.agent.name == "sync01"


async def test_each_process_has_its_own_bus_key_and_each_assertion_is_unique(
    hybrid, tmp_path
):
    folder = agent_folder(tmp_path, "sync01")
    await enrol(hybrid.enrolment, folder, await hybrid.enrolment.issue_token("sync01"))
    one, two = load_identity(folder), load_identity(folder)
    assert one.bus_key.public_key != two.bus_key.public_key
    assert one.make_assertion(NOW) != one.make_assertion(NOW)


async def test_only_the_owner_may_read_the_folder_of_the_agent(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    await enrol(hybrid.enrolment, folder, await hybrid.enrolment.issue_token("sync01"))
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(each.stat().st_mode) for each in folder.path.iterdir()}
    assert modes == {0o600}
    assert folder.is_enrolled


async def test_control_plane_with_another_ca_is_rejected(hybrid, tmp_path):
    token = await hybrid.enrolment.issue_token("sync01")
    impostor = Hybrid(hybrid.store, hybrid.clock, new_authority(NOW))
    folder = agent_folder(tmp_path, "sync01")
    with pytest.raises(Rejected, match="Another control plane"):
        await enrol(impostor.enrolment, folder, token)
    assert not folder.is_enrolled


async def test_used_token_leaves_the_old_identity_unchanged(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    await enrol(hybrid.enrolment, folder, token)
    before = folder.key.read_bytes()
    with pytest.raises(Unauthenticated):
        await enrol(hybrid.enrolment, folder, token)
    assert folder.key.read_bytes() == before


def test_missing_key_names_the_command_to_enrol(tmp_path):
    with pytest.raises(Misconfigured, match=r"key\.pem. is missing.*token sync01"):
        load_identity(agent_folder(tmp_path, "sync01"))


async def test_certificate_of_another_key_is_refused(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    for _ in range(2):
        certificate = folder.certificate.read_bytes() if folder.is_enrolled else b""
        token = await hybrid.enrolment.issue_token("sync01")
        await enrol(hybrid.enrolment, folder, token)
    folder.write(folder.certificate, certificate)
    with pytest.raises(Misconfigured, match="does not match the key"):
        load_identity(folder)


async def test_repr_of_an_identity_has_no_secret(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    identity = await enrol(hybrid.enrolment, folder, token)
    assert "PrivateKey" not in repr(identity)


async def bootstrapped(hybrid, identity):
    now = hybrid.clock()
    return await hybrid.bootstrap.bootstrap(
        BootstrapRequest(
            assertion=identity.make_assertion(now),
            nkey=identity.bus_key.public_key,
            version="0.1.0",
            csr=identity.renewal_request(now),
        )
    )


async def test_certificate_is_renewed_in_the_last_third_of_its_life(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    first = await enrol(hybrid.enrolment, folder, token)

    hybrid.clock.now += timedelta(days=59)
    assert (await bootstrapped(hybrid, first)).certificate is None
    hybrid.clock.now += timedelta(days=2)
    response = await bootstrapped(hybrid, first)
    second = first.with_certificate(response.certificate)
    hybrid.clock.now += timedelta(days=50)
    third = load_identity(folder)

    assert (second.id, second.bus_key) == (first.id, first.bus_key)
    assert third.certificate == second.certificate != first.certificate
    assert (await bootstrapped(hybrid, third)).agent.name == "sync01"
    [record] = await hybrid.store.list_agents()
    assert record.certificate_expires == second.certificate.not_valid_after_utc


async def test_agent_can_renew_again_if_the_first_renewal_got_lost(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    identity = await enrol(hybrid.enrolment, folder, token)
    hybrid.clock.now += timedelta(days=61)

    assert (await bootstrapped(hybrid, identity)).certificate
    assert (await bootstrapped(hybrid, identity)).certificate


async def test_certificate_is_renewed_only_for_the_same_key(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    identity = await enrol(hybrid.enrolment, folder, token)
    request = BootstrapRequest(
        assertion=identity.make_assertion(NOW),
        nkey=identity.bus_key.public_key,
        version="0.1.0",
        csr=signing_request(name=identity.id),
    )

    with pytest.raises(Refused, match="only for the same key"):
        await hybrid.bootstrap.bootstrap(request)


async def test_renewed_certificate_of_another_authority_is_not_stored(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    identity = await enrol(hybrid.enrolment, folder, token)
    before = folder.certificate.read_bytes()
    hybrid.clock.now += timedelta(days=61)
    csr = identity.renewal_request(hybrid.clock())
    forged = new_authority(NOW).issue_agent_certificate(csr, identity.id, NOW)

    with pytest.raises(Rejected, match="no valid certificate"):
        identity.with_certificate(certificate_pem(forged))

    assert folder.certificate.read_bytes() == before


async def test_agent_stores_the_certificate_from_bootstrap(hybrid, tmp_path):
    folder = agent_folder(tmp_path, "sync01")
    token = await hybrid.enrolment.issue_token("sync01")
    identity = await enrol(hybrid.enrolment, folder, token)
    hybrid.clock.now += timedelta(days=61)
    host = Host(clock=hybrid.clock)
    host.bootstrap = hybrid.bootstrap.bootstrap

    async with running(host, identity=identity):
        await until(lambda: load_identity(folder).certificate != identity.certificate)
