"""The resource types of the built-in directory, and its service provider config."""

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

SCIM_POLICY = ScimPolicy(
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
)
"""As tolerant of PATCH requests as Microsoft Entra needs."""


class Manager(scim2_models.Manager):
    """Makes `$ref`, required by RFC 7643, 4.3, optional: clients send only the id."""

    ref: Annotated[Reference[User[Any]] | None, Required.false] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Enterprise(EnterpriseUser):
    manager: Manager | None = None


class Contact(Resource[Any]):
    """A person who receives mail but never signs in."""

    __schema__ = URN("urn:cloudforest:2.0:Contact")

    display_name: Annotated[str | None, Required.true] = None
    name: Name | None = None
    emails: list[Email] | None = None


def normalize_exact(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def normalize_caseless(value: str) -> str:
    """Return the value as scim2-models compares it if it is not caseExact."""
    return normalize_exact(normalize_exact(value).lower())


@dataclass(frozen=True)
class ServedType:
    """A resource type; `index_keys` maps indexed attributes to their normalization."""

    name: str
    endpoint: str
    model: type[Resource[Any]]
    patch_model: type[PatchOp[Any]]
    unique_key: str | None = None
    index_keys: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    has_members: bool = False


COMMON_INDEX_KEYS = {"externalId": normalize_exact, "displayName": normalize_caseless}
USER_TYPE = ServedType(
    name="User",
    endpoint="Users",
    model=User[Enterprise],
    patch_model=PatchOp[User[Enterprise]],
    unique_key="userName",
    index_keys={"userName": normalize_caseless, **COMMON_INDEX_KEYS},
)
GROUP_TYPE = ServedType(
    name="Group",
    endpoint="Groups",
    model=Group,
    patch_model=PatchOp[Group],
    index_keys=COMMON_INDEX_KEYS,
    has_members=True,
)
CONTACT_TYPE = ServedType(
    name="Contact",
    endpoint="Contacts",
    model=Contact,
    patch_model=PatchOp[Contact],
    index_keys=COMMON_INDEX_KEYS,
)
_KINDS = (USER_TYPE, GROUP_TYPE, CONTACT_TYPE)
SERVED_TYPES = {each.name: each for each in _KINDS}


def make_search_model(kinds: tuple[ServedType, ...]) -> type[SearchRequest[Any]]:
    """Return the search request whose filters may use the attributes of these types."""
    models: list[Any] = [each.model for each in kinds]
    found: Any = SearchRequest.__class_getitem__(reduce(or_, models))
    return cast("type[SearchRequest[Any]]", found)


SCIM_PROVIDER = ScimProvider(
    models=[User, Enterprise, Group, Contact],
    resource_types=[ResourceType.from_resource(each.model) for each in _KINDS],
    policy=SCIM_POLICY,
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
