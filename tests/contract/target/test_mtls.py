"""Client certificates, against scim2-server over TLS that requires one.

The server uses OpenSSL directly: asyncio closes the connection without an alert.
"""

from __future__ import annotations

import shutil
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from tests.servers.certificates import issue
from tests.servers.scim_runner import provider_of_tests
from tests.servers.wsgi import served

from cloudforest.adapters.target.credentials import ClientCertificate
from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.errors import LockedOut, Misconfigured, TargetUnavailable
from cloudforest.base.secrets import Secret
from cloudforest.model.registration import Profile, Target

ZOE = {"userName": "zoe@contoso.com", "externalId": "anchor-of-zoe"}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Certificates of a CA that the client and the server trust."""
    made = issue(tmp_path, names=("localhost",), addresses=("127.0.0.1",))
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
    return made


@pytest.fixture
def other(tmp_path):
    """Certificates of a CA that the server does not know."""
    (tmp_path / "other").mkdir()
    return issue(tmp_path / "other", names=("localhost",), addresses=())


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def url(request, files):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.minimum_version = tls.maximum_version = request.param
    tls.load_cert_chain(files.certificate, files.key)
    with served(WSGIApplication(InMemoryStorage(), provider_of_tests()), tls) as port:
        yield f"https://127.0.0.1:{port}/v2"


@pytest.fixture
async def connect():
    opened = []

    async def no_sleep(_seconds):
        pass

    def open_(url, certificate, key):
        credential = ClientCertificate(certificate, Secret(key.read_text()))
        named = Target(name="cloud", scim=url, profile=Profile(name="generic"))
        opened.append(ScimTarget(named, url, credential, sleep=no_sleep))
        return opened[-1]

    yield open_
    for each in opened:
        await each.close()


async def everybody(target):
    return [each async for each in target.list_resources("User", ("userName",))]


async def test_client_certificate_is_accepted(url, files, connect):
    target = connect(url, files.client, files.client_key)
    await target.create("User", ZOE)
    assert [each.values for each in await everybody(target)] == [
        {"userName": "zoe@contoso.com"}
    ]


async def test_client_certificate_of_another_ca_is_refused(url, connect, other):
    with pytest.raises(TargetUnavailable, match=r"`(auth\.)?mtls`") as error:
        await everybody(connect(url, other.client, other.client_key))
    assert 'of Target "cloud"' in str(error.value)


@pytest.mark.parametrize("url", VERSIONS[:1], indirect=True)
@pytest.mark.parametrize("ask", ["a list", "a creation"])
async def test_tls_alert_is_part_of_the_error(url, connect, other, ask):
    target = connect(url, other.client, other.client_key)
    asked = everybody(target) if ask == "a list" else target.create("User", ZOE)
    with pytest.raises(LockedOut, match=r'unknown ca.*Target "cloud".*`mtls`'):
        await asked


@pytest.mark.parametrize("url", VERSIONS[:1], indirect=True)
async def test_missing_client_certificate_is_reported(url, files, monkeypatch):
    trusting = ssl.create_default_context(cafile=files.ca)
    monkeypatch.setattr(
        "cloudforest.adapters.target.connection.target_tls", lambda _: trusting
    )
    named = Target(name="cloud", scim=url, profile=Profile(name="generic"))
    target = ScimTarget(named, url, Secret("t"))
    with pytest.raises(LockedOut, match=r'TLS alert .*Target "cloud".*`mtls`'):
        await everybody(target)
    await target.close()


async def test_certificate_files_are_read_again_for_each_target(
    url, files, connect, other
):
    with pytest.raises(TargetUnavailable):
        await everybody(connect(url, other.client, other.client_key))
    shutil.copy(files.client, other.client)
    shutil.copy(files.client_key, other.client_key)
    assert await everybody(connect(url, other.client, other.client_key)) == []


async def test_server_certificate_is_still_verified(url, files, connect, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(TargetUnavailable, match="certificate that is not trusted"):
        await everybody(connect(url, files.client, files.client_key))


def test_missing_certificate_file_is_reported(files, connect, tmp_path):
    with pytest.raises(Misconfigured, match=r"nothing\.pem cannot be read"):
        connect("https://localhost", tmp_path / "nothing.pem", files.client_key)


def test_key_of_another_certificate_is_rejected(files, connect):
    with pytest.raises(Misconfigured, match=r"client\.pem .*belong together"):
        connect("https://localhost", files.client, files.key)


def test_key_with_a_passphrase_is_rejected_without_a_prompt(files, connect, tmp_path):
    key = serialization.load_pem_private_key(files.client_key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"canary"),
        )
    )
    with pytest.raises(Misconfigured, match="without a passphrase") as error:
        connect("https://localhost", files.client, locked)
    assert "PRIVATE KEY" not in str(error.value)
