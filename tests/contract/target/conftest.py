"""A target for the contract suite: the SCIM client against each kind of server."""

from __future__ import annotations

import pytest
from tests.support.target import client_of


@pytest.fixture(params=["scim2-server", "embedded"])
def server(request):
    if request.param == "embedded":
        return request.getfixturevalue("tenant_server")
    return request.getfixturevalue("scim_server")()


@pytest.fixture
async def scim2_target(scim_server):
    """A target that is not ours, with its own extension of User."""
    server = scim_server()
    client = client_of(server.url, server.token)
    yield client
    await client.close()


@pytest.fixture
async def target(server):
    client = client_of(server.url, server.token)
    yield client
    await client.close()
