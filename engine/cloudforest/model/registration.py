"""The registration: what the documents of a tree declare, with defaults filled."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.program import (
    Deprovision,
    FlowBehavior,
    FlowType,
    JobProgram,
    Scalar,
    ValueType,
)


class SecretReference(Value, frozen=True):
    """Where a process finds a secret: an environment variable or a file, not both."""

    env: str | None = None
    file: str | None = None


class BasicAuth(Value, frozen=True):
    username: str
    password: SecretReference


class OAuth2(Value, frozen=True):
    """OAuth 2.0 client credentials (RFC 6749, 4.4)."""

    token_url: str
    client_id: str
    client_secret: SecretReference
    scope: str | None = None


class MutualTls(Value, frozen=True):
    """`certificate` is a file, relative to the tree."""

    certificate: str
    key: SecretReference


class Auth(Value, frozen=True):
    """The credentials for a target: exactly one field is set."""

    bearer: SecretReference | None = None
    basic: BasicAuth | None = None
    oauth2: OAuth2 | None = None
    mtls: MutualTls | None = None


class Profile(Value, frozen=True):
    """The limits of a SCIM service, from `mappings/profiles`; `timeout` in seconds."""

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
"""By schema URN, then by path in it: `attribute` or `attribute.subAttribute`."""


class Target(Value, frozen=True):
    """`scim` is `embedded` or the base URL of a SCIM 2.0 service.

    `extensions` are the target's extension schemas. For `formerly`, see
    `model.renames`.
    """

    name: str
    scim: str
    profile: Profile
    auth: Auth | None = None
    extensions: Extensions = msgspec.field(default_factory=dict)
    formerly: str | None = None


class Tls(Value, frozen=True):
    """`ca` is a file, relative to the tree; None for the machine's authorities."""

    ca: str | None = None
    server_name: str | None = None
    verify: Literal["on", "off"] = "on"


class Bind(Value, frozen=True):
    username: str
    password: SecretReference


class ActiveDirectory(Value, frozen=True):
    controllers: tuple[str, ...]
    tls: Tls
    bind: Bind


class Source(Value, frozen=True):
    """Where a domain is read: exactly one is set; `ldif` is relative to the tree."""

    active_directory: ActiveDirectory | None = None
    ldif: str | None = None


class Domain(Value, frozen=True):
    name: str
    source: Source


class Forest(Value, frozen=True):
    name: str
    domains: tuple[Domain, ...]


class Agent(Value, frozen=True):
    name: str
    domains: tuple[str, ...]
    run: Literal["local", "remote"]
    formerly: str | None = None


class OneLevel(Value, frozen=True):
    """An OU without the OUs below it."""

    one_level: str


class Scope(Value, frozen=True):
    """`organizational_units` are DNs of subtrees, or `all`."""

    name: str
    organizational_units: tuple[str | OneLevel, ...] | Literal["all"]
    excepted: tuple[str, ...] = msgspec.field(name="except", default=())
    groups: tuple[str, ...] = ()
    nested_groups: bool = False
    filters: dict[str, str] = msgspec.field(default_factory=dict)


class AttributeMapping(Value, frozen=True):
    """One entry of `attributeMappings`; has a source, a constant or a template."""

    source: str | None = None
    constant: Scalar = None
    template: str | None = None
    matching_priority: int = 0
    flow_type: FlowType = "Always"
    flow_behavior: FlowBehavior = "FlowWhenChanged"
    export_missing_references: bool = False
    default_value: Scalar = None
    when_null: Literal["clear", "keep"] = "clear"
    sensitive: bool = False


class Mapping(Value, frozen=True):
    name: str
    source_object_name: str
    target_object_name: str
    attribute_mappings: dict[str, AttributeMapping]
    deprovision: Deprovision


class Mail(Value, frozen=True):
    server: str
    port: int
    tls: Literal["starttls", "implicit", "off"]
    sender: str = msgspec.field(name="from")
    ca: str | None = None
    auth: BasicAuth | None = None


class ConnectSync(Value, frozen=True):
    """What another tool syncs; only the compiler reads it, for warnings."""

    forests: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Tenant(Value, frozen=True):
    """`log_retention` is the age in seconds at which log entries are deleted.

    `default_domain` is the value of DefaultDomain in expressions.
    """

    name: str
    scenario: str
    notify: tuple[str, ...] = ()
    log_retention: int = 30 * 86400
    mail: Mail | None = None
    default_domain: str | None = None
    connect_sync: ConnectSync | None = None


class Budget(Value, frozen=True):
    """At most `min(max, ceil(percent of max(managed, base)))` in `window` seconds."""

    max: int = 500
    percent: float = 20.0
    base: int = 50
    window: int = 86400


class Job(Value, frozen=True):
    """`interval` is in seconds."""

    name: str
    domain: str
    target: str
    scope: str
    mappings: tuple[str, ...]
    interval: int
    enabled: bool = True
    guard: dict[str, Budget] = msgspec.field(default_factory=dict)
    notify: tuple[str, ...] = ()
    formerly: str | None = None


class Registration(Value, frozen=True):
    """A whole tree; lists are sorted by name. `programs` is keyed by job."""

    tenant: Tenant
    targets: tuple[Target, ...] = ()
    forests: tuple[Forest, ...] = ()
    agents: tuple[Agent, ...] = ()
    scopes: tuple[Scope, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    jobs: tuple[Job, ...] = ()
    programs: dict[str, JobProgram] = msgspec.field(default_factory=dict)
    version: Literal[1] = 1

    def find_job(self, name: str) -> Job | None:
        return next((each for each in self.jobs if each.name == name), None)

    def find_target(self, name: str) -> Target | None:
        return next((each for each in self.targets if each.name == name), None)

    def domains_by_name(self) -> dict[str, Domain]:
        return {
            domain.name: domain for forest in self.forests for domain in forest.domains
        }


class Revision(Value, frozen=True):
    """A registration, the operator who applied it, and when."""

    number: int
    registration: Registration
    operator: str
    time: str
