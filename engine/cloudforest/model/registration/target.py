"""The target: how to log on, what it does its own way, what it has of its own."""

from __future__ import annotations

import msgspec

from cloudforest.model.program import ValueType
from cloudforest.model.registration.secrets import BasicAuth, SecretReference
from cloudforest.model.value import Value


class OAuth2(Value, frozen=True):
    """Client credentials, for which a server gives bearer tokens."""

    token_url: str
    client_id: str
    client_secret: SecretReference
    scope: str | None = None


class MutualTls(Value, frozen=True):
    """`certificate` is a file, relative to the tree."""

    certificate: str
    key: SecretReference


class Auth(Value, frozen=True):
    """How we prove ourselves to a target: exactly one is set."""

    bearer: SecretReference | None = None
    basic: BasicAuth | None = None
    oauth2: OAuth2 | None = None
    mtls: MutualTls | None = None


class Profile(Value, frozen=True):
    """What a SCIM service does its own way (a file of `mappings/profiles`)."""

    name: str
    page_size: int = 100
    max_members_per_request: int = 100
    concurrency: int = 8
    requests_per_second: float | None = None
    timeout: float = 30.0


class ExtensionAttribute(Value, frozen=True):
    type: ValueType
    multi_valued: bool = False


Extensions = dict[str, dict[str, ExtensionAttribute]]
"""By schema URN, and by the path within it: `attribute` or `attribute.subAttribute`."""


class Target(Value, frozen=True):
    """`scim` is `embedded` or the base URL of a SCIM 2.0 service.

    `extensions` are schemas of the target's own, with the types of their attributes.
    `formerly`, here and below: see `model.renames`.
    """

    name: str
    scim: str
    profile: Profile
    auth: Auth | None = None
    extensions: Extensions = msgspec.field(default_factory=dict)
    formerly: str | None = None
