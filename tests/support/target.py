"""A SCIM client for a test server."""

from __future__ import annotations

import asyncio

from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.secrets import Secret
from cloudforest.model.registration import Profile, Target


def client_of(url, token="a-token-for-tests", *, sleep=asyncio.sleep, **profile):
    settings = Profile(name="generic", **profile)
    target = Target(name="cloud", scim=url, profile=settings)
    credential = None if token is None else Secret(token)
    return ScimTarget(target, url, credential, sleep=sleep)
