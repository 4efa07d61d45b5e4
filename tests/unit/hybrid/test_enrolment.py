from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.hybrid import only_record, signing_request

from cloudforest.base.errors import Refused, Rejected, Unauthenticated
from cloudforest.model.identity import EnrolRequest, decode_token


async def test_token_is_exchanged_for_a_certificate_in_the_name_of_the_agent(hybrid):
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


async def test_store_has_no_token_in_clear_text(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    assert decode_token(token).secret not in str(hybrid.store.tokens)
    assert decode_token(token).fingerprint == hybrid.authority.fingerprint


async def test_token_is_refused_the_second_time(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    request = EnrolRequest(token=token, csr=signing_request())
    await hybrid.enrolment.enrol(request)
    with pytest.raises(Unauthenticated, match="was used"):
        await hybrid.enrolment.enrol(request)


async def test_token_is_refused_after_an_hour(hybrid):
    token = await hybrid.enrolment.issue_token("sync01")
    hybrid.clock.now += timedelta(hours=1)
    with pytest.raises(Unauthenticated, match="older than an hour"):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=signing_request()))


@pytest.mark.parametrize("token", ["", "cfe1.e30=", "☃", "cfe1.%%%"])
async def test_malformed_token_is_refused(hybrid, token):
    with pytest.raises(Unauthenticated):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=signing_request()))


async def test_unregistered_agent_gets_no_token(hybrid):
    with pytest.raises(Refused, match='"sync09" is not registered'):
        await hybrid.enrolment.issue_token("sync09")


@pytest.mark.parametrize(
    "csr",
    ["", "nonsense", signing_request(ec.generate_private_key(ec.SECP384R1()))],
)
async def test_invalid_signing_request_is_rejected(hybrid, csr):
    token = await hybrid.enrolment.issue_token("sync01")
    with pytest.raises(Rejected):
        await hybrid.enrolment.enrol(EnrolRequest(token=token, csr=csr))
