"""Targets that need more than a token: OAuth 2.0, and client certificates."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from tests.servers.certificates import Certificates, issue
from tests.servers.hostile import HostileServer, Reply
from tests.servers.oauth import NAME, SCOPE, Client, OAuthServer
from tests.servers.scim_runner import provider_of_tests
from tests.servers.wsgi import served
from tests.support.canaries import assert_nowhere
from tests.support.installed import TOKEN, Installed
from tests.support.ldif_tree import assert_reported, export, ldif_tree, once

SECRET = "canary-secret & more"


@pytest.fixture
def behind_oauth(tmp_path: Path, oauth_server: OAuthServer) -> Installed:
    oauth_server.clients[NAME] = Client(SECRET)
    return _behind_oauth(tmp_path, oauth_server.url, oauth_server.token_url)


def _behind_oauth(folder: Path, url: str, token_url: str) -> Installed:
    oauth2 = (
        f"{{tokenUrl: '{token_url}', clientId: '{NAME}', scope: {SCOPE}, "
        f"clientSecret: {{env: {TOKEN}}}}}"
    )
    target = f"scim: '{url}', auth: {{oauth2: {oauth2}}}"
    cloudforest = ldif_tree(folder / "tree", export("ada", "bo"), target=target)
    cloudforest.variables[TOKEN] = SECRET
    return cloudforest


def test_people_are_written_with_a_token_of_the_server(
    behind_oauth: Installed, oauth_server: OAuthServer, tmp_path: Path
) -> None:
    assert behind_oauth.up_once()["counts"]["create"] == 2
    assert oauth_server.answers
    assert set(oauth_server.answers) == {200}
    assert_nowhere(tmp_path, "canary-secret", *oauth_server.tokens)


def test_changed_secret_is_reported_and_read_again(
    behind_oauth: Installed, oauth_server: OAuthServer, tmp_path: Path
) -> None:
    oauth_server.clients[NAME] = Client("canary-rotated")
    ran = once(behind_oauth)
    assert_reported(
        ran, 1, oauth_server.token_url, "401 invalid_client", 'Target "cloud"'
    )
    assert "canary" not in ran.out + ran.err
    assert_nowhere(tmp_path, "canary")
    behind_oauth.variables[TOKEN] = "canary-rotated"
    assert behind_oauth.up_once()["counts"]["create"] == 2


def test_token_endpoint_that_is_down_is_reported(
    oauth_server: OAuthServer,
    hostile_server: Callable[..., HostileServer],
    tmp_path: Path,
) -> None:
    down = hostile_server(lambda _: Reply(200))
    down.stop_listening()
    ran = once(_behind_oauth(tmp_path, oauth_server.url, f"{down.url}/token"))
    assert_reported(ran, 5, "The target cloud", f"{down.url}/token cannot be reached")


@pytest.fixture
def demanding(tmp_path: Path) -> Iterator[tuple[str, Certificates]]:
    files = issue(tmp_path, names=("localhost",), addresses=("127.0.0.1",))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(files.certificate, files.key)
    with served(WSGIApplication(InMemoryStorage(), provider_of_tests()), tls) as port:
        yield f"https://127.0.0.1:{port}/v2", files


def test_people_are_written_behind_a_client_certificate(
    demanding: tuple[str, Certificates], tmp_path: Path
) -> None:
    url, files = demanding
    mtls = "{certificate: certs/client.pem, key: {file: certs/client.key}}"
    target = f"scim: '{url}', auth: {{mtls: {mtls}}}"
    cloudforest = ldif_tree(tmp_path / "tree", export("ada", "bo"), target=target)
    cloudforest.variables["SSL_CERT_FILE"] = str(files.ca)
    assert_reported(once(cloudforest), 1, "certs/client.key", "Cannot read")
    folder = cloudforest.tree / "certs"
    folder.mkdir()
    shutil.copy(files.client, folder)
    shutil.copy(files.key, folder / "client.key")
    assert_reported(once(cloudforest), 1, "certs/client.pem", "belong together")
    shutil.copy(files.client_key, folder)
    assert cloudforest.up_once()["counts"]["create"] == 2
    key = files.client_key.read_text().splitlines()[1]
    assert_nowhere(cloudforest.state, key)
