"""A client of the API that sends what no command sends: errors, and no bug reports."""

from __future__ import annotations

import aiohttp
import pytest

from cloudforest.control_plane.host import HostedControlPlane

HUGE = "9" * 30


async def ask(
    hosted: HostedControlPlane, method: str, path: str, **headers: str
) -> tuple[int, str]:
    """Return status and text of the answer; an operator's token is the default."""
    sent = {"Authorization": f"Bearer {hosted.token.reveal()}", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, hosted.url + path, headers=sent, data=b"{}") as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    "path",
    [
        f"/audit?after={HUGE}",
        "/audit?after=-1",
        "/audit?after=%D9%A3",
        f"/logs?after={HUGE}",
        "/logs?after=x%1B%5B2J",
        "/logs?since=0001-01-01T00:00:00%2B14:00",
        "/logs?until=9999-12-31T23:59:59-14:00",
        "/logs?since=x",
        f"/registration?revision={HUGE}",
    ],
)
async def test_number_or_time_out_of_range_is_an_error(hosted, path):
    status, text = await ask(hosted, "GET", path)
    assert status == 422, text
    assert text.isprintable()
    assert "Bug" not in text


async def test_revision_out_of_range_is_an_error(hosted):
    headers = {"If-Match": f'"{HUGE}"'}
    status, text = await ask(hosted, "PUT", "/registration", **headers)
    assert status == 422, text


@pytest.mark.parametrize("path", ["/status", "/scim/v2/Users"])
@pytest.mark.parametrize("token", ["Bearer é", "Bearer \udcff", "Bearer", "Basic x"])
async def test_token_that_none_of_us_made_is_refused(hosted, path, token):
    status, text = await ask(hosted, "GET", path, Authorization=token)
    assert status == 401, text
