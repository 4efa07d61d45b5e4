"""The resource types that the tenant directory serves, and what it announces."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Annotated, Any, cast

import scim2_models
from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Email,
    EnterpriseUser,
    ETag,
    Filter,
    Group,
    Name,
    Patch,
    PatchOp,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
    User,
)

MAX_RESULTS = 1000
DEFAULT_RESULTS = 100

POLICY = ScimPolicy(
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
)
"""As tolerant of a PATCH as the clients in the field need (Microsoft Entra)."""


class Manager(scim2_models.Manager):
    """RFC 7643, 4.3 requires `$ref`; the clients in the field name the id alone."""

    ref: Annotated[Reference[User[Any]] | None, Required.false] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Enterprise(EnterpriseUser):
    manager: Manager | None = None


class Contact(Resource[Any]):
    """A person whom one may write to, and who never signs in."""

    __schema__ = URN("urn:cloudforest:2.0:Contact")

    display_name: Annotated[str | None, Required.true] = None
    name: Name | None = None
    emails: list[Email] | None = None


def exact(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def caseless(value: str) -> str:
    """Return the value as scim2-models compares one that is not caseExact."""
    return exact(exact(value).lower())


@dataclass(frozen=True)
class Kind:
    """A resource type. `keys` says which top attributes are indexed, and how."""

    name: str
    endpoint: str
    model: type[Resource[Any]]
    patch: type[PatchOp[Any]]
    unique: str | None = None
    keys: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    has_members: bool = False


KEYS = {"externalId": exact, "displayName": caseless}
USER = Kind(
    name="User",
    endpoint="Users",
    model=User[Enterprise],
    patch=PatchOp[User[Enterprise]],
    unique="userName",
    keys={"userName": caseless, **KEYS},
)
GROUP = Kind(
    name="Group",
    endpoint="Groups",
    model=Group,
    patch=PatchOp[Group],
    keys=KEYS,
    has_members=True,
)
CONTACT = Kind(
    name="Contact",
    endpoint="Contacts",
    model=Contact,
    patch=PatchOp[Contact],
    keys=KEYS,
)
KINDS = {each.name: each for each in (USER, GROUP, CONTACT)}


def searching(kinds: tuple[Kind, ...]) -> type[SearchRequest[Any]]:
    """Return the search request whose filters may name what these types have."""
    models: list[Any] = [each.model for each in kinds]
    found: Any = SearchRequest.__class_getitem__(reduce(or_, models))
    return cast("type[SearchRequest[Any]]", found)


PROVIDER = ScimProvider(
    models=[User, Enterprise, Group, Contact],
    resource_types=[ResourceType.from_resource(each.model) for each in KINDS.values()],
    policy=POLICY,
    config=ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MAX_RESULTS),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token in the Authorization header (RFC 6750).",
            )
        ],
    ),
)
