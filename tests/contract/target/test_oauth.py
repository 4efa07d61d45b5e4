"""Tokens by client credentials, of Authlib's server, in front of scim2-server."""

from __future__ import annotations

import asyncio

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
    Registration,
    SecretReference,
    Target,
    Tenant,
)

ZOE = {"userName": "zoe@contoso.com", "externalId": "anchor-of-zoe"}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def connect(oauth_server):
    """Return a target and its tokens; times of tokens are told by `clock`."""
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


async def test_one_token_serves_many_requests_at_once(oauth_server, connect):
    target = connect()
    people = [{**ZOE, "userName": f"{each}@contoso.com"} for each in range(20)]
    await asyncio.gather(*(target.create("User", each) for each in people))
    assert len(await everybody(target)) == 20
    assert oauth_server.answers == [200]


async def test_a_token_is_renewed_shortly_before_it_ends(oauth_server, connect):
    clock = Clock()
    target = connect(clock=clock)
    await everybody(target)
    clock.now += 3539
    await everybody(target)
    assert oauth_server.answers == [200]
    clock.now += 2
    await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_a_short_life_is_used_for_most_of_it(oauth_server, connect):
    clock, oauth_server.lifetime = Clock(), 50
    target = connect(clock=clock)
    await everybody(target)
    clock.now += 44
    await everybody(target)
    assert oauth_server.answers == [200]
    clock.now += 2
    await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_a_token_that_ended_before_its_time_is_asked_for_once(
    oauth_server, connect
):
    target = connect()
    await everybody(target)
    oauth_server.expire()
    people = [{**ZOE, "userName": f"{each}@contoso.com"} for each in range(8)]
    await asyncio.gather(*(target.create("User", each) for each in people))
    assert oauth_server.answers == [200, 200]
    assert len(await everybody(target)) == 8


async def test_a_token_that_is_never_let_in_is_a_credential_to_check(
    oauth_server, connect
):
    target = connect(scope="other")
    with pytest.raises(LockedOut, match=r"answered 401.*check `auth` of Target cloud"):
        await everybody(target)
    assert oauth_server.answers == [200, 200]


async def test_a_scope_may_be_left_to_the_server(oauth_server, connect):
    assert await everybody(connect(scope=None)) == []
    oauth_server.clients[NAME].scope = "other"
    with pytest.raises(LockedOut):
        await everybody(connect(scope=None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_secret": Secret("canary-wrong")}, "401 invalid_client"),
        ({"client_id": "nobody"}, "401 invalid_client"),
        ({"scope": "nothing"}, "400 invalid_scope"),
    ],
)
async def test_a_client_that_is_refused_is_told_by_name(
    oauth_server, connect, changes, said
):
    target = connect(**changes)
    with pytest.raises(Misconfigured) as error:
        await everybody(target)
    told = str(error.value)
    assert oauth_server.token_url in told
    assert said in told
    assert "check `auth.oauth2` of Target cloud" in told
    assert SECRET not in told
    assert "canary" not in told


async def test_a_secret_that_is_changed_at_the_server_is_noticed_with_the_next_token(
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


async def test_a_token_outlives_a_cycle_and_a_changed_secret_does_not_wait_for_its_end(
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
    registered = Registration(tenant=Tenant(name="x", scenario="x"), targets=(named,))
    targets = TargetOpener("", Secret(""), {}, tmp_path)

    async def cycle():
        target = targets.open(registered, "cloud")
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


async def test_a_token_endpoint_that_is_down_is_a_target_that_is_down(
    hostile_server, connect
):
    down = hostile_server(lambda _: Reply(200))
    down.stop_listening()
    scim = hostile_server(lambda _: Reply(204))
    target = connect(token_url=f"{down.url}/token", url=scim.url)
    with pytest.raises(TargetUnavailable, match=f"{down.url}/token can't be reached"):
        await target.create("User", ZOE)
    outcomes = await asyncio.gather(
        *(target.delete("User", str(each)) for each in range(FAILURE_THRESHOLD)),
        return_exceptions=True,
    )
    assert {type(each) for each in outcomes} == {TargetUnavailable}
    assert f"{FAILURE_THRESHOLD} requests in a row" in str(outcomes[-1])
    assert scim.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_token_endpoint_that_fails_is_asked_again(
    hostile_server, connect, status
):
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
async def test_what_is_no_token_is_not_taken_for_one(hostile_server, connect, reply):
    target = connect(token_url=hostile_server(lambda _: reply).url)
    with pytest.raises(Rejected, match="no bearer token; check that tokenUrl") as error:
        await everybody(target)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("status", [302, 404])
async def test_a_secret_is_not_carried_elsewhere(hostile_server, connect, status):
    server = hostile_server(lambda _: Reply(status, headers={"Location": "/token"}))
    with pytest.raises(Misconfigured, match=f"it answered {status}"):
        await everybody(connect(token_url=server.url))
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["https://localhost:99999/token", "https://a..b"])
async def test_an_url_that_is_none_is_told(connect, url):
    with pytest.raises(Misconfigured, match="can't be used as tokenUrl"):
        await everybody(connect(token_url=url))
    with pytest.raises(Misconfigured, match="URL that can't be used"):
        await everybody(connect(url=url))


async def test_a_token_endpoint_that_never_answers_is_not_awaited(
    hostile_server, connect, monkeypatch
):
    monkeypatch.setattr("cloudforest.adapters.target.credentials.TOKEN_TIMEOUT", 0.1)
    target = connect(token_url=hostile_server(lambda _: NEVER).url)
    with pytest.raises(TargetUnavailable, match="did not answer within"):
        await everybody(target)
