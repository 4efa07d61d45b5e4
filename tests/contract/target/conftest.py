"""A target for the contract suite: the SCIM client against each kind of server."""

from __future__ import annotations

import asyncio

import pytest

from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.secrets import Secret
from cloudforest.model.registration import Profile, Target


def client_of(url, token="a-token-for-tests", *, sleep=asyncio.sleep, **profile):
    settings = Profile(name="generic", **profile)
    target = Target(name="cloud", scim=url, profile=settings)
    credential = None if token is None else Secret(token)
    return ScimTarget(target, url, credential, sleep=sleep)


@pytest.fixture(params=["scim2-server", "embedded"])
def server(request):
    if request.param == "embedded":
        return request.getfixturevalue("tenant_server")
    return request.getfixturevalue("scim_server")()


@pytest.fixture
async def scim2_target(scim_server):
    """A target that is not ours, whose Users have an extension of its own."""
    server = scim_server()
    client = client_of(server.url, server.token)
    yield client
    await client.close()


@pytest.fixture
async def target(server):
    client = client_of(server.url, server.token)
    yield client
    await client.close()
