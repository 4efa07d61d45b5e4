"""The target: how to log on, what it does its own way, what it has of its own.

Secrets by reference, and what is proved with them.

Forests, their domains and the agents that read these.

Scopes and mappings.

The tenant, and who is told by mail.

Jobs and their budgets.

All that is registered, together.
"""

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
    """Where a secret is found by the process that needs it: exactly one is set."""

    env: str | None = None
    file: str | None = None


class BasicAuth(Value, frozen=True):
    username: str
    password: SecretReference


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


class Tls(Value, frozen=True):
    """`ca` is a file, relative to the tree; None: the machine's own authorities."""

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
    """Where a domain is read: exactly one is set. `ldif` is relative to the tree."""

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
    """An OU of which only what lies directly in it is meant."""

    one_level: str


class Scope(Value, frozen=True):
    """`organizational_units` is a list of DNs, each of a subtree, or `all`."""

    name: str
    organizational_units: tuple[str | OneLevel, ...] | Literal["all"]
    excepted: tuple[str, ...] = msgspec.field(name="except", default=())
    groups: tuple[str, ...] = ()
    nested_groups: bool = False
    filters: dict[str, str] = msgspec.field(default_factory=dict)


class AttributeMapping(Value, frozen=True):
    """One entry of `attributeMappings`; one of source, constant, template is set."""

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
    """What another tool goes on syncing; nothing here acts on it."""

    forests: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Tenant(Value, frozen=True):
    """`log_retention` is how long the provisioning log is kept, in seconds.

    `default_domain` is what DefaultDomain gives in expressions.
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
    """What was registered, by whom and when."""

    number: int
    registration: Registration
    operator: str
    time: str
