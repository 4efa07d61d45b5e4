"""Bodies of requests, and errors as they reach the command."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from cloudforest.adapters.control import _error_from_response
from cloudforest.base import errors
from cloudforest.base.errors import CloudforestError, Misconfigured
from cloudforest.control_plane.api.http import (
    BodyTooLarge,
    error_response,
    read_body,
    read_bounded_body,
)
from cloudforest.model.identity import EnrolRequest

LIMIT = 1000


class Body:
    """A request whose body comes in `parts`; `read` counts those that were taken."""

    def __init__(self, *parts: bytes, length: int | None = None) -> None:
        self.parts, self.read = parts, 0
        header = [] if length is None else [(b"content-length", b"%d" % length)]
        scope = {"type": "http", "method": "POST", "headers": header}
        self.request = Request(scope, self.receive)

    async def receive(self):
        part = self.parts[self.read]
        self.read += 1
        more = self.read < len(self.parts)
        return {"type": "http.request", "body": part, "more_body": more}


@pytest.mark.parametrize("length", [None, 2, LIMIT])
async def test_body_counts_as_it_arrives_whatever_length_it_states(length):
    body = Body(b"x" * LIMIT, b"x", b"never read", length=length)
    with pytest.raises(BodyTooLarge, match="1000 bytes"):
        await read_bounded_body(body.request, LIMIT)
    assert body.read == 2


async def test_body_that_states_too_large_a_length_is_not_read():
    body = Body(b"x", length=LIMIT + 1)
    with pytest.raises(BodyTooLarge):
        await read_bounded_body(body.request, LIMIT)
    assert body.read == 0


async def test_body_up_to_the_limit_is_returned():
    body = Body(b"x" * (LIMIT - 1), b"y", length=LIMIT)
    assert await read_bounded_body(body.request, LIMIT) == b"x" * (LIMIT - 1) + b"y"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"token": "\xff", "csr": ""}', b'{"token": ' + b"[" * 100_000],
    ids=["nothing", "another type", "no UTF-8", "depth"],
)
async def test_malformed_body_is_an_error_and_no_bug(body):
    with pytest.raises(Misconfigured, match="not a valid EnrolRequest"):
        await read_body(Body(body).request, EnrolRequest)


def list_errors(kind: type[CloudforestError] = CloudforestError):
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
        yield from list_errors(each)


@pytest.mark.parametrize("kind", sorted(set(list_errors()), key=str))
async def test_each_error_reaches_the_command_with_its_exit_code(kind):
    error = kind("Nothing works. Try again.")
    response = await error_response(Body(b"").request, error)
    received = _error_from_response(bytearray(response.body), response.status_code)
    assert (str(received), received.exit_code) == (str(error), error.exit_code)
