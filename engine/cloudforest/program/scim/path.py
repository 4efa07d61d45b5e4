"""SCIM attribute paths (RFC 7644, 3.5.2), with one spelling for each."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from cloudforest.program.faults import SyntaxFault, require_text

MAX_LENGTH = 500
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE_PREFIX = "urn:ietf:params:scim:schemas:core:2.0:"
MANAGER = f"{ENTERPRISE}:manager"

_CORE_NAMES = (
    "active addresses country costCenter department display displayName division emails"
    " employeeNumber entitlements externalId familyName formatted givenName groups"
    " honorificPrefix honorificSuffix id ims locale locality manager members meta"
    " middleName name nickName organization password phoneNumbers photos postalCode"
    " preferredLanguage primary profileUrl region roles schemas streetAddress timezone"
    " title type userName userType value x509Certificates"
)
_SPELLING_BY_LOWER = {name.lower(): name for name in _CORE_NAMES.split()}
MULTI_VALUED_ATTRIBUTES = frozenset(
    (
        *("addresses", "emails", "entitlements", "ims", "phoneNumbers", "photos"),
        *("roles", "x509Certificates"),
    )
)
"""Multi-valued complex attributes of the core schema."""

_PATH = re.compile(
    r"""
    (?:(?P<schema>urn:[A-Za-z0-9:._-]+|enterprise):)?
    (?P<attribute>[A-Za-z$][A-Za-z0-9_$-]*)
    (?:\[\s*(?P<key>[A-Za-z$][A-Za-z0-9_$-]*)\s+[Ee][Qq]\s+
       (?P<key_value>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"|true|false)
       \s*\])?
    (?:\.(?P<sub>[A-Za-z$][A-Za-z0-9_$-]*))?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class ScimPath:
    """`schema:attribute[key eq key_value].sub`; the core schema is None."""

    schema: str | None
    attribute: str
    key: str | None = None
    key_value: str | bool = ""
    sub: str | None = None

    @property
    def element(self) -> str:
        """The path of the value that the sub-attribute belongs to."""
        if self.key is None:
            return self.attribute_path
        literal = json.dumps(self.key_value, ensure_ascii=False)
        return f"{self.attribute_path}[{self.key} eq {literal}]"

    @property
    def attribute_path(self) -> str:
        """The path of the attribute with all its values."""
        return (
            self.attribute if self.schema is None else f"{self.schema}:{self.attribute}"
        )

    @property
    def name_in_schema(self) -> str:
        """The attribute and sub-attribute, without schema and value filter."""
        return self.attribute if self.sub is None else f"{self.attribute}.{self.sub}"

    @property
    def is_whole_multi_valued(self) -> bool:
        return self.is_multi_valued and self.key is None and self.sub is None

    @property
    def is_manager(self) -> bool:
        return self.schema == ENTERPRISE and self.attribute == "manager"

    @property
    def is_custom_extension(self) -> bool:
        """Whether the path belongs to an extension that the target defines."""
        return self.schema not in {None, ENTERPRISE}

    @property
    def is_multi_valued(self) -> bool:
        return self.schema is None and self.attribute in MULTI_VALUED_ATTRIBUTES

    def __str__(self) -> str:
        return self.element if self.sub is None else f"{self.element}.{self.sub}"


def _normalize_schema(found: str | None) -> str | None:
    if found is None or found.lower().startswith(CORE_PREFIX.lower()):
        return None
    is_enterprise = found.lower() in {"enterprise", ENTERPRISE.lower()}
    return ENTERPRISE if is_enterprise else found


def _require_valid(path: ScimPath, text: str) -> ScimPath:
    if path.key is not None and path.sub is None:
        raise SyntaxFault(
            f'"{text}" selects a value, but no sub-attribute. Add one, such as .value.',
            len(text),
        )
    if path.key is not None and path.key == path.sub:
        raise SyntaxFault(
            f'"{text}" writes the sub-attribute that it filters by. Choose another one.'
        )
    if path.is_multi_valued and path.sub is not None and path.key is None:
        raise SyntaxFault(
            f'"{text}" does not select one of the several values. Write'
            f' {path.attribute}[type eq "work"].{path.sub}.'
        )
    return path


@functools.lru_cache(maxsize=4096)
def parse_path(text: str) -> ScimPath:
    """Parse a path; names of the core schema get their usual spelling.

    `enterprise:` is short for the URN of the enterprise extension, and `manager` for
    the attribute of that extension. Raises SyntaxFault.
    """
    require_text(text, what="SCIM path", limit=MAX_LENGTH)
    found = _PATH.fullmatch(text.strip())
    if found is None:
        raise SyntaxFault(
            f'Invalid SCIM path "{text}". Examples: name.givenName, '
            'emails[type eq "work"].value, enterprise:department.'
        )
    schema = _normalize_schema(found["schema"])
    attribute, sub = found["attribute"], found["sub"]
    key = found["key"]
    if schema in {None, ENTERPRISE}:
        attribute, key, sub = (
            each and _SPELLING_BY_LOWER.get(each.lower(), each)
            for each in (attribute, key, sub)
        )
    if attribute == "manager" and key is None and sub in {None, "value"}:
        schema, sub = schema or ENTERPRISE, None
    key_value = json.loads(found["key_value"]) if key else ""
    return _require_valid(ScimPath(schema, attribute, key, key_value, sub), text)


def canonical_path(text: str) -> str:
    """Return the canonical spelling of a SCIM path; raises SyntaxFault."""
    return str(parse_path(text))


def to_wire_value(path: ScimPath, value: Any) -> Any:
    """Return a value as JSON: references and plain lists become complex values."""
    if path.is_manager:
        return {"value": value}
    if path.is_multi_valued and path.key is None and isinstance(value, list):
        return [each if isinstance(each, dict) else {"value": each} for each in value]
    return value


def from_wire_value(path: ScimPath, value: Any) -> Any:
    """Undo `to_wire_value`."""
    if path.is_manager and isinstance(value, dict):
        return value.get("value")
    if path.is_multi_valued and path.key is None and isinstance(value, list):
        return [each.get("value") if isinstance(each, dict) else each for each in value]
    return value


def parse_path_or_none(text: str) -> ScimPath | None:
    try:
        return parse_path(text)
    except SyntaxFault:
        return None
