"""The SCIM client against services that fail."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.servers.hostile import DIE, NEVER, Reply
from tests.support.target import client_of

from cloudforest.adapters.target.connection import FAILURE_THRESHOLD
from cloudforest.adapters.target.credentials import BasicCredential
from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.errors import Rejected, Unavailable
from cloudforest.base.secrets import Secret
from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Profile, Target

CHANGE = [Change(path="title", before="Boss", after="Chief")]
ZOE = {"userName": "zoe@contoso.com", "externalId": "anchor-of-zoe"}


def listed(*resources, total=None):
    count = len(resources) if total is None else total
    return Reply(200, {"totalResults": count, "Resources": list(resources)})


@pytest.fixture
async def connect():
    """Return a client that does not really sleep, and the waits it asked for."""
    clients, slept = [], []

    async def sleep(seconds):
        slept.append(seconds)

    def start(url, **profile):
        client = client_of(url, sleep=sleep, **profile)
        clients.append(client)
        return client, slept

    yield start
    for each in clients:
        await each.close()


@pytest.mark.parametrize("status", [401, 403])
async def test_rejected_credentials_name_the_service(hostile_server, connect, status):
    server = hostile_server(lambda _: Reply(status))
    target, _ = connect(server.url)
    with pytest.raises(Unavailable) as error:
        await _first(target)
    assert server.url in str(error.value)
    assert f"({status})" in str(error.value)
    assert '`auth` of Target "cloud"' in str(error.value)
    assert len(server.asked) == 1


async def _first(target):
    return [each async for each in target.list_resources("User", ("userName",))]


ASKS = {
    "a list": _first,
    "a look-up": lambda target: target.find("User", "userName", "zoe", ()),
    "a change": lambda target: target.modify("User", "1", CHANGE),
    "a creation": lambda target: target.create("User", ZOE),
    "a group": lambda target: target.list_member_ids("Group", "1"),
    "another type": lambda target: target.create("Contact", {"displayName": "C"}),
}


@pytest.mark.parametrize("ask", ["a list", "a look-up"])
async def test_forbidden_reads_are_a_failure_of_the_service(
    hostile_server, connect, ask
):
    target, _ = connect(hostile_server(lambda _: Reply(403)).url)
    with pytest.raises(Unavailable, match=r"\(403\).*`auth`"):
        await ASKS[ask](target)


@pytest.mark.parametrize("ask", ["a change", "a creation", "a group"])
async def test_forbidden_write_is_the_outcome_of_the_object(
    hostile_server, connect, ask
):
    target, _ = connect(hostile_server(lambda _: Reply(403)).url)
    with pytest.raises(Refusal, match="answered 403 to") as refusal:
        await ASKS[ask](target)
    assert refusal.value.status == 403


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("body", [b"<html>Sign in</html>", [1], '"x"'])
async def test_success_without_a_scim_body_is_rejected(
    hostile_server, connect, ask, body
):
    server = hostile_server(lambda _: Reply(200, body))
    target, _ = connect(server.url)
    with pytest.raises(Rejected, match="base URL of a SCIM") as error:
        await ASKS[ask](target)
    assert server.url in str(error.value)


@pytest.mark.parametrize("ask", ["a list", "a look-up", "another type"])
@pytest.mark.parametrize(
    "body",
    [{}, {"id": "1"}, {"Resources": "ab"}, {"totalResults": 1, "Resources": ["a"]}],
)
async def test_list_answer_must_be_a_list(hostile_server, connect, ask, body):
    target, _ = connect(hostile_server(lambda _: Reply(200, body)).url)
    with pytest.raises(Rejected, match="base URL of a SCIM"):
        await ASKS[ask](target)


@pytest.mark.parametrize("body", [{"members": ["a", "b"]}, {"members": "ab"}, None])
async def test_group_answer_must_be_a_group(hostile_server, connect, body):
    target, _ = connect(hostile_server(lambda _: Reply(200, body)).url)
    with pytest.raises(Rejected, match="base URL of a SCIM"):
        await target.list_member_ids("Group", "1")


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("ask", ["a list", "a look-up"])
async def test_service_without_list_endpoint_is_not_scim(
    hostile_server, connect, ask, status
):
    target, _ = connect(hostile_server(lambda _: Reply(status)).url)
    with pytest.raises(Rejected, match=f"answered {status} .*base URL of a SCIM"):
        await ASKS[ask](target)


@pytest.mark.parametrize("status", [400, 501])
async def test_refused_filter_is_the_outcome_of_its_object(
    hostile_server, connect, status
):
    target, _ = connect(hostile_server(lambda _: Reply(status)).url)
    with pytest.raises(Refusal, match=f"answered {status}"):
        await ASKS["a look-up"](target)


async def test_every_request_has_user_agent_media_type_and_token(
    hostile_server, connect
):
    server = hostile_server(lambda _: Reply(204))
    target, _ = connect(server.url)
    await target.modify("User", "a/b c", CHANGE)
    (asked,) = server.asked
    assert asked.path == "/Users/a%2Fb%20c"
    assert asked.headers["User-Agent"] == "cloudforest"
    assert asked.headers["Content-Type"] == "application/scim+json"
    assert asked.headers["Authorization"] == "Bearer a-token-for-tests"


async def test_user_name_and_password_are_sent_as_basic(hostile_server):
    server = hostile_server(lambda _: listed())
    named = Target(name="c", scim=server.url, profile=Profile(name="generic"))
    target = ScimTarget(named, server.url, BasicCredential("zoë", Secret("p:w")))
    await _first(target)
    await target.close()
    assert server.asked[0].headers["Authorization"] == "Basic em/DqzpwOnc="


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(hostile_server, connect, status):
    server = hostile_server(
        lambda asked: (
            Reply(status, headers={"Retry-After": "7"})
            if asked.number == 1
            else Reply(201, {"id": "1"})
        )
    )
    target, slept = connect(server.url)
    assert await target.create("User", ZOE) == "1"
    assert slept == [pytest.approx(7, abs=0.5)]


async def test_retry_after_date_is_honoured(hostile_server, connect):
    until = datetime.now(UTC) + timedelta(seconds=60)
    header = {"Retry-After": format_datetime(until, usegmt=True)}
    server = hostile_server(
        lambda asked: Reply(429, headers=header) if asked.number == 1 else Reply(204)
    )
    target, slept = connect(server.url)
    await target.modify("User", "1", CHANGE)
    assert 20 < slept[0] <= 61


async def test_too_long_retry_after_is_unavailable(hostile_server, connect):
    server = hostile_server(lambda _: Reply(429, headers={"Retry-After": "3600"}))
    target, slept = connect(server.url)
    with pytest.raises(Unavailable, match="asks to wait for 3600 s"):
        await target.modify("User", "1", CHANGE)
    assert slept == []


async def test_temporary_failure_is_retried(hostile_server, connect):
    server = hostile_server(
        lambda asked: (Reply(500), DIE, Reply(204))[asked.number - 1]
    )
    target, slept = connect(server.url)
    await target.modify("User", "1", CHANGE)
    assert slept == [0.25, 0.5]


async def test_persistent_failure_is_the_outcome_of_the_object(hostile_server, connect):
    server = hostile_server(lambda _: Reply(500, {"detail": "zoe@contoso.com"}))
    target, _ = connect(server.url)
    with pytest.raises(Refusal) as refusal:
        await target.modify("User", "1", CHANGE)
    assert refusal.value.status == 500
    assert "zoe" not in refusal.value.reason
    assert len(server.asked) == 3


async def test_breaker_stops_requests_to_a_failing_service(hostile_server, connect):
    server = hostile_server(lambda _: Reply(500))
    target, _ = connect(server.url)
    outcomes = await asyncio.gather(
        *(target.modify("User", str(each), CHANGE) for each in range(50)),
        return_exceptions=True,
    )
    down = [each for each in outcomes if isinstance(each, Unavailable)]
    assert len(down) > 40
    assert "answered 500" in str(down[-1])
    assert server.url in str(down[-1])
    assert len(server.asked) <= FAILURE_THRESHOLD + 8


async def test_unreachable_service_is_reported(hostile_server, connect):
    server = hostile_server(lambda _: Reply(200))
    server.stop_listening()
    target, _ = connect(server.url)
    for attempt in (
        _first(target),
        target.create("User", ZOE),
        target.modify("User", "1", CHANGE),
    ):
        with pytest.raises(Unavailable, match=f"{server.url}.* cannot be reached"):
            await attempt


async def test_silent_service_times_out(hostile_server, connect):
    server = hostile_server(lambda _: NEVER)
    target, _ = connect(server.url, timeout=0.1)
    start = time.monotonic()
    with pytest.raises(Refusal, match=r"did not answer within 0\.1 s") as refusal:
        await target.modify("User", "1", CHANGE)
    assert refusal.value.status == 0
    with pytest.raises(Unavailable, match="did not answer"):
        await _first(target)
    assert time.monotonic() - start < 5


async def test_unanswered_creation_is_looked_up(hostile_server, connect):
    server = hostile_server(
        lambda asked: DIE if asked.method == "POST" else listed({"id": "7", **ZOE})
    )
    target, _ = connect(server.url)
    assert await target.create("User", ZOE) == "7"
    assert [each.method for each in server.asked] == ["POST", "GET"]
    assert server.asked[1].query["filter"] == 'externalId eq "anchor-of-zoe"'


async def test_lost_creation_is_not_repeated(hostile_server, connect):
    server = hostile_server(lambda asked: DIE if asked.method == "POST" else listed())
    target, _ = connect(server.url)
    with pytest.raises(Refusal, match="0 resources match"):
        await target.create("User", ZOE)
    assert [each.method for each in server.asked] == ["POST", "GET"]


async def test_resource_with_the_same_name_is_not_the_lost_creation(
    hostile_server, connect
):
    named = {"userName": ZOE["userName"]}
    server = hostile_server(
        lambda asked: DIE if asked.method == "POST" else listed({"id": "7", **named})
    )
    target, _ = connect(server.url)
    with pytest.raises(Refusal, match="0 resources match"):
        await target.create("User", named)


@pytest.mark.parametrize("look_up", [DIE, NEVER, Reply(400), Reply(401), Reply(503)])
async def test_failed_look_up_leaves_the_creation_open(
    hostile_server, connect, look_up
):
    """A plain refusal, or a target that is down, would say that."""
    server = hostile_server(lambda asked: DIE if asked.method == "POST" else look_up)
    target, _ = connect(server.url, timeout=0.5)
    with pytest.raises(Refusal) as refusal:
        await target.create("User", ZOE)
    assert not 400 <= refusal.value.status < 500


async def test_creation_answered_without_id_is_looked_up(hostile_server, connect):
    server = hostile_server(
        lambda asked: (
            Reply(201) if asked.method == "POST" else listed({"id": "7", **ZOE})
        )
    )
    target, _ = connect(server.url)
    assert await target.create("User", ZOE) == "7"


async def test_pages_that_never_advance_are_rejected(hostile_server, connect):
    page = [{"id": str(each), "userName": str(each)} for each in range(10)]
    server = hostile_server(lambda _: listed(*page, total=100))
    target, _ = connect(server.url)
    with pytest.raises(Rejected, match="stopped after 10 of 100"):
        [each async for each in target.list_resources("User", ())]
    assert len(server.asked) == 2


async def test_short_pages_are_read_to_the_end(hostile_server, connect):
    every = [{"id": str(each), "userName": str(each)} for each in range(10)]

    def answer(asked):
        start = int(asked.query["startIndex"]) - 1
        return listed(*every[start : start + 3], total=10)

    target, _ = connect(hostile_server(answer).url, page_size=50)
    found = [each.id async for each in target.list_resources("User", ())]
    assert found == [each["id"] for each in every]


async def test_ignored_filter_matches_only_the_right_resource(hostile_server, connect):
    everybody = ({"id": "1", "userName": "a"}, {"id": "2", "userName": "B"})
    target, _ = connect(hostile_server(lambda _: listed(*everybody)).url)
    found = await target.find("User", "userName", "b", ())
    assert [each.id for each in found] == ["2"]
    assert await target.find("User", "userName", "c", ()) == ()


async def test_redirect_is_not_followed(hostile_server, connect):
    server = hostile_server(lambda _: Reply(301, headers={"Location": "/elsewhere"}))
    target, _ = connect(server.url)
    with pytest.raises(Rejected, match=r"redirect \(301\)"):
        await _first(target)
    assert len(server.asked) == 1


async def test_resources_that_moved_up_are_read(hostile_server, connect):
    every = [{"id": str(each), "userName": str(each)} for each in range(250)]

    def answer(asked):
        start, count = int(asked.query["startIndex"]), int(asked.query["count"])
        reply = listed(*every[start - 1 : start - 1 + count], total=len(every))
        if asked.number == 1:
            every.pop(0)
        return reply

    target, _ = connect(hostile_server(answer).url, page_size=100)
    found = {each.id for each in await _first(target)}
    assert found == {str(each) for each in range(250)}


async def test_unknown_resource_type_is_rejected(hostile_server, connect):
    types = listed({"id": "User", "name": "User", "endpoint": "/Users"})
    target, _ = connect(hostile_server(lambda _: types).url)
    with pytest.raises(Rejected, match='resource type "Contact"'):
        await target.create("Contact", {"displayName": "C"})


async def test_requests_are_spread_evenly(hostile_server, connect):
    server = hostile_server(lambda _: Reply(204))
    target, slept = connect(server.url, requests_per_second=10.0)
    await asyncio.gather(
        *(target.modify("User", str(each), CHANGE) for each in range(5))
    )
    assert max(slept) == pytest.approx(0.4, abs=0.1)


async def test_concurrency_is_limited_by_the_profile(hostile_server, connect):
    running, most = 0, 0

    def answer(_asked):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return Reply(204)

    target, _ = connect(hostile_server(answer).url, concurrency=3)
    await asyncio.gather(
        *(target.modify("User", str(each), CHANGE) for each in range(12))
    )
    assert most == 3
