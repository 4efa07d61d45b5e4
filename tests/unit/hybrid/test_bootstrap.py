from __future__ import annotations

import base64
import uuid
from datetime import timedelta

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.hybrid import NOW, new_authority, only_record, signing_request

from cloudforest.base.errors import Refused, Unauthenticated
from cloudforest.base.inputs import MAX_TEXT
from cloudforest.model.identity import (
    ASSERTION_AUDIENCE,
    BootstrapRequest,
    EnrolRequest,
)


async def enrolled(hybrid):
    key = ec.generate_private_key(ec.SECP256R1())
    token = await hybrid.enrolment.issue_token("sync01")
    response = await hybrid.enrolment.enrol(
        EnrolRequest(token=token, csr=signing_request(key))
    )
    return key, x509.load_pem_x509_certificate(response.certificate.encode())


def asserted(key, certificate, now=NOW, **changes) -> BootstrapRequest:
    name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    claims = {
        "iss": name[0].value,
        "aud": ASSERTION_AUDIENCE,
        "jti": uuid.uuid4().hex,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=60)).timestamp()),
    }
    der = certificate.public_bytes(serialization.Encoding.DER)
    token = jwt.encode(
        {**claims, **changes},
        key,
        algorithm="ES256",
        headers={"x5c": [base64.b64encode(der).decode()]},
    )
    return BootstrapRequest(assertion=token, nkey="UKEY", version="0.1.0")


async def test_bootstrap_returns_configuration_and_bus_access(hybrid):
    response = await hybrid.bootstrap.bootstrap(asserted(*await enrolled(hybrid)))
    record = await only_record(hybrid)
    assert response.agent.name == "sync01"
    assert [each.name for each in response.domains] == ["contoso.test"]
    assert response.bus.jwt == f"{record.id} contoso.test UKEY"
    assert (record.last_bootstrap, record.version) == (NOW, "0.1.0")


async def test_bootstrap_names_credentials_without_their_references(hybrid):
    response = await hybrid.bootstrap.bootstrap(asserted(*await enrolled(hybrid)))
    assert response.credentials == {"contoso.test": "contoso.test/bind"}
    password = response.domains[0].source.active_directory.bind.password
    assert (password.env, password.file) == (None, None)


async def test_words_of_an_agent_are_printable_bounded_and_about_its_domains(hybrid):
    request = msgspec.structs.replace(
        asserted(*await enrolled(hybrid)),
        version="1\x1b[2J",
        troubles={"contoso.test": "down\nAll is well. " + "x" * 5000, "b.test": "gone"},
    )
    await hybrid.bootstrap.bootstrap(request)
    record = await only_record(hybrid)
    assert record.version == "1\\x1b[2J"
    [(domain, trouble)] = record.troubles.items()
    assert (domain, len(trouble)) == ("contoso.test", MAX_TEXT)
    assert trouble.startswith("down\\nAll is well.")


async def test_assertion_is_valid_once(hybrid):
    request = asserted(*await enrolled(hybrid))
    await hybrid.bootstrap.bootstrap(request)
    with pytest.raises(Unauthenticated, match="used before"):
        await hybrid.bootstrap.bootstrap(request)


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_assertion_of_another_time_is_refused(hybrid, minutes):
    held = await enrolled(hybrid)
    request = asserted(*held, now=NOW + timedelta(minutes=minutes))
    with pytest.raises(Unauthenticated, match="clocks"):
        await hybrid.bootstrap.bootstrap(request)


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another"},
        {"iss": "another"},
        {"exp": 4102444800},
        {"exp": 10**30},
        {"exp": "abc"},
        {"exp": 253402300799},
        {"iat": [1]},
        {"iat": -(10**12)},
        {"jti": "j" * 65},
        {"jti": 7},
    ],
    ids=str,
)
async def test_assertion_with_wrong_claims_is_refused(hybrid, change):
    request = asserted(*await enrolled(hybrid), **change)
    with pytest.raises(Unauthenticated):
        await hybrid.bootstrap.bootstrap(request)


async def test_assertion_signed_by_another_key_is_refused(hybrid):
    _, certificate = await enrolled(hybrid)
    thief = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Unauthenticated, match="Invalid assertion"):
        await hybrid.bootstrap.bootstrap(asserted(thief, certificate))


async def test_certificate_of_another_authority_is_refused(hybrid):
    key, _ = await enrolled(hybrid)
    record = await only_record(hybrid)
    forged = new_authority(NOW).issue_agent_certificate(
        signing_request(key), record.id, NOW
    )
    with pytest.raises(Unauthenticated, match="Another control plane"):
        await hybrid.bootstrap.bootstrap(asserted(key, forged))


async def test_old_certificate_is_refused_after_a_new_enrolment(hybrid):
    first = await enrolled(hybrid)
    await enrolled(hybrid)
    with pytest.raises(Unauthenticated, match="enrolled again"):
        await hybrid.bootstrap.bootstrap(asserted(*first))


async def test_expired_certificate_is_refused(hybrid):
    held = await enrolled(hybrid)
    hybrid.clock.now += timedelta(days=90)
    with pytest.raises(Unauthenticated, match="expired on"):
        await hybrid.bootstrap.bootstrap(asserted(*held, now=hybrid.clock.now))


async def test_removed_agent_is_refused(hybrid):
    held = await enrolled(hybrid)
    hybrid.store.records.clear()
    with pytest.raises(Refused):
        await hybrid.bootstrap.bootstrap(asserted(*held))


@pytest.mark.parametrize("assertion", ["", "a.b.c", jwt.encode({}, "k" * 32)])
async def test_malformed_assertion_is_refused(hybrid, assertion):
    request = BootstrapRequest(assertion=assertion, nkey="U", version="0")
    with pytest.raises(Unauthenticated):
        await hybrid.bootstrap.bootstrap(request)
