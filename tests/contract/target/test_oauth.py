"""OAuth 2.0 client credentials, with Authlib's server in front of scim2-server."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.servers.hostile import NEVER, Reply
from tests.servers.oauth import NAME, SCOPE, SECRET

from cloudforest.adapters.target.connection import FAILURE_THRESHOLD
from cloudforest.adapters.target.credentials import ClientCredentials, TokenCache
from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.errors import (
    LockedOut,
    Misconfigured,
    Rejected,
    TargetUnavailable,
)
from cloudforest.base.secrets import Secret
from cloudforest.control_plane.runs import TargetOpener
from cloudforest.model.registration import (
    Auth,
    OAuth2,
    Profile,
    SecretReference,
    Target,
)

ZOE = {"userName": "zoe@contoso.com", "externalId": "anchor-of-zoe"}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def connect(oauth_server):
    """Return a target with a token cache that uses `clock`."""
    opened = []

    async def no_sleep(_seconds):
        pass

    def open_(*, clock=None, url=None, **changes):
        values = {
            "token_url": oauth_server.token_url,
            "client_id": NAME,
            "client_secret": Secret(SECRET),
            "scope": SCOPE,
            **changes,
        }
        tokens = TokenCache(
            "cloud", ClientCredentials(**values), monotonic=clock or Clock()
        )
        url = url or oauth_server.url
        named = Target(name="cloud", scim=url, profile=Profile(name="generic"))
        opened.append(ScimTarget(named, url, tokens, sleep=no_sleep))
        return opened[-1]

    yield open_
    for each in opened:
        await each.close()


async def everybody(target):
    return [each async for each in target.list_resources("User", ("userName",))]


async def test_one_token_serves_concurrent_requests(oauth_server, connect):
    target = connect()
    people = [{**ZOE, "userName": f"{each}@contoso.com"} for each in range(20)]
    await asyncio.gather(*(target.create("User", each) for each in people))
    assert len(await everybody(target)) == 20
    assert oauth_server.answers == [200]


async def test_token_is_renewed_shortly_before_it_expires(oauth_server, connect):
    clock = Clock()
    target = connect(clock=clock)
    await everybody(target)
    clock.now += 3539
    await everybody(target)
    assert oauth_server.answers == [200]
    clock.now += 2
    await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_short_lived_token_is_used_for_most_of_its_life(oauth_server, connect):
    clock, oauth_server.lifetime = Clock(), 50
    target = connect(clock=clock)
    await everybody(target)
    clock.now += 44
    await everybody(target)
    assert oauth_server.answers == [200]
    clock.now += 2
    await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_token_revoked_early_is_requested_again_once(oauth_server, connect):
    target = connect()
    await everybody(target)
    oauth_server.expire()
    people = [{**ZOE, "userName": f"{each}@contoso.com"} for each in range(8)]
    await asyncio.gather(*(target.create("User", each) for each in people))
    assert oauth_server.answers == [200, 200]
    assert len(await everybody(target)) == 8


async def test_token_that_the_target_rejects_is_a_credential_error(
    oauth_server, connect
):
    target = connect(scope="other")
    with pytest.raises(LockedOut, match=r'\(401\).*`auth` of Target "cloud"'):
        await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_scope_is_optional(oauth_server, connect):
    assert await everybody(connect(scope=None)) == []
    oauth_server.clients[NAME].scope = "other"
    with pytest.raises(LockedOut):
        await everybody(connect(scope=None))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_secret": Secret("canary-wrong")}, "401 invalid_client"),
        ({"client_id": "nobody"}, "401 invalid_client"),
        ({"scope": "nothing"}, "400 invalid_scope"),
    ],
)
async def test_refused_client_is_reported_without_its_secret(
    oauth_server, connect, changes, reason
):
    target = connect(**changes)
    with pytest.raises(Misconfigured) as error:
        await everybody(target)
    message = str(error.value)
    assert oauth_server.token_url in message
    assert reason in message
    assert '`auth.oauth2` of Target "cloud"' in message
    assert SECRET not in message
    assert "canary" not in message


async def test_secret_changed_at_the_server_is_noticed_with_the_next_token(
    oauth_server, connect
):
    target = connect()
    await everybody(target)
    oauth_server.clients[NAME].secret = "rotated"
    await everybody(target)
    oauth_server.expire()
    with pytest.raises(Misconfigured, match="invalid_client"):
        await everybody(target)
    await everybody(connect(client_secret=Secret("rotated")))


async def test_token_is_kept_between_cycles_until_the_secret_changes(
    oauth_server, tmp_path
):
    file = tmp_path / "secret"
    oauth2 = OAuth2(
        token_url=oauth_server.token_url,
        client_id=NAME,
        client_secret=SecretReference(file=file.name),
    )
    named = Target(
        name="cloud",
        scim=oauth_server.url,
        profile=Profile(name="generic"),
        auth=Auth(oauth2=oauth2),
    )
    targets = TargetOpener("", Secret(""), tmp_path)

    async def cycle():
        target = targets.open(named)
        await everybody(target)
        await target.close()

    file.write_text(SECRET + "\n")
    await cycle()
    await cycle()
    assert oauth_server.answers == [200]
    file.write_text("rotated")
    oauth_server.clients[NAME].secret = "rotated"
    await cycle()
    assert oauth_server.answers == [200, 200]


async def test_target_is_down_if_its_token_endpoint_is_down(hostile_server, connect):
    down = hostile_server(lambda _: Reply(200))
    down.stop_listening()
    scim = hostile_server(lambda _: Reply(204))
    target = connect(token_url=f"{down.url}/token", url=scim.url)
    with pytest.raises(TargetUnavailable, match=f"{down.url}/token cannot be reached"):
        await target.create("User", ZOE)
    outcomes = await asyncio.gather(
        *(target.delete("User", str(each)) for each in range(FAILURE_THRESHOLD)),
        return_exceptions=True,
    )
    assert {type(each) for each in outcomes} == {TargetUnavailable}
    assert f"{FAILURE_THRESHOLD} requests in a row" in str(outcomes[-1])
    assert scim.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_failing_token_endpoint_is_retried(hostile_server, connect, status):
    issued = {"access_token": "t", "token_type": "bearer"}
    server = hostile_server(
        lambda asked: Reply(status) if asked.number == 1 else Reply(200, issued)
    )
    target = connect(token_url=server.url)
    with pytest.raises(LockedOut):
        await everybody(target)
    assert [each.headers["Content-Type"] for each in server.asked[:1]] == [
        "application/x-www-form-urlencoded"
    ]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Sign in</html>"),
        Reply(200, {"access_token": "t"}),
        Reply(200, {"access_token": "t\r\nX: y", "token_type": "Bearer"}),
        Reply(200, {"access_token": "canary", "token_type": "mac"}),
    ],
)
async def test_answer_without_bearer_token_is_rejected(hostile_server, connect, reply):
    target = connect(token_url=hostile_server(lambda _: reply).url)
    with pytest.raises(Rejected, match=r"bearer token.*`tokenUrl`") as error:
        await everybody(target)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("status", [302, 404])
async def test_client_secret_does_not_follow_redirects(hostile_server, connect, status):
    server = hostile_server(lambda _: Reply(status, headers={"Location": "/token"}))
    with pytest.raises(Misconfigured, match=rf"\({status}\)"):
        await everybody(connect(token_url=server.url))
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["https://localhost:99999/token", "https://a..b"])
async def test_invalid_url_is_reported(connect, url):
    with pytest.raises(Misconfigured, match=re.escape(url)):
        await everybody(connect(token_url=url))
    with pytest.raises(Misconfigured, match="invalid URL"):
        await everybody(connect(url=url))


async def test_silent_token_endpoint_times_out(hostile_server, connect, monkeypatch):
    monkeypatch.setattr("cloudforest.adapters.target.credentials.TOKEN_TIMEOUT", 0.1)
    target = connect(token_url=hostile_server(lambda _: NEVER).url)
    with pytest.raises(TargetUnavailable, match="did not answer within"):
        await everybody(target)
