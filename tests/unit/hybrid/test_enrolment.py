from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.hybrid import only_record, signing_request

from cloudforest.base.errors import Refused, Rejected, Unauthenticated
from cloudforest.model.identity import EnrolRequest, decode_token


async def test_a_token_becomes_a_certificate_in_the_agents_name(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    csr = signing_request(name="administrator")
    response = await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=csr))
    record = await only_record(hybrid)
    certificate = x509.load_pem_x509_certificate(response.certificate.encode())
    certificate.verify_directly_issued_by(hybrid.authority.certificate)
    assert certificate.subject.rfc4514_string() == f"CN={record.id}"
    assert (response.agent, record.certificate) == (record.id, response.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert not constraints.value.ca


async def test_the_store_holds_no_token(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    assert decode_token(token).secret not in str(hybrid.store.tokens)
    assert decode_token(token).fingerprint == hybrid.authority.fingerprint


async def test_a_token_is_refused_the_second_time(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    request = EnrolRequest(token=token, csr=signing_request())
    await hybrid.enrolment.enrol(request)
    with pytest.raises(Unauthenticated, match="was used"):
        await hybrid.enrolment.enrol(request)


async def test_a_token_is_refused_after_an_hour(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    hybrid.clock.now += timedelta(hours=1)
    with pytest.raises(Unauthenticated, match="older than an hour"):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=signing_request()))


@pytest.mark.parametrize("token", ["", "cfe1.e30=", "☃", "cfe1.%%%"])
async def test_what_is_no_token_is_refused(hybrid, token):
    with pytest.raises(Unauthenticated):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=signing_request()))


async def test_an_unregistered_agent_gets_no_token(hybrid):
    with pytest.raises(Refused, match="No agent sync09 is registered"):
        await hybrid.enrolment.issue_token("sync09")


@pytest.mark.parametrize(
    "csr",
    ["", "nonsense", signing_request(ec.generate_private_key(ec.SECP384R1()))],
)
async def test_a_bad_signing_request_is_rejected(hybrid, csr):
    token = await hybrid.enrolment.issue_token("sync01")
    with pytest.raises(Rejected):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=csr))
