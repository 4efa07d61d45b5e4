"""The directory object of an example, in the shapes that scopes and mappings take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudforest.model.ports import Entry
from cloudforest.model.program import ObjectType, Scalar, ScopeProgram
from cloudforest.model.provisioning import SourceRow
from cloudforest.program.digest import ANCHOR
from cloudforest.program.expressions.evaluate import NOWHERE, Setting
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.resolved import ResolvedScope

CLASSES: Mapping[ObjectType, frozenset[str]] = {
    "user": frozenset({"top", "person", "organizationalperson", "user"}),
    "group": frozenset({"top", "group"}),
    "contact": frozenset({"top", "person", "organizationalperson", "contact"}),
}
"""What an object is that does not say its objectClass."""
GUID = "objectguid"
"""Its name, in lower case; also what the object is called where it says none."""


@dataclass(frozen=True)
class Subject:
    """`attributes` are keyed in lower case; `groups` are those that it is in.

    `setting` is the moment at which it is mapped.
    """

    kind: ObjectType
    dn: str
    attributes: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...] = ()
    setting: Setting = NOWHERE

    @property
    def guid(self) -> str:
        return (self.attributes.get(GUID) or ("",))[0]

    def row(self) -> SourceRow:
        """Return the row of an import; without objectGUID, there is no anchor."""
        anchor = self.attributes.get(ANCHOR) or (self.guid,)
        return SourceRow(
            id=self.guid,
            type=self.kind,
            dn=self.dn,
            parent=None,
            anchor=anchor[0],
            attributes=dict(self.attributes),
        )

    def entry(self) -> Entry:
        classes = self.attributes.get("objectclass")
        return Entry(
            guid=self.guid or GUID,
            dn=self.dn,
            type=self.kind,
            classes=frozenset(map(str.lower, classes)) if classes else _classes(self),
            parent=None,
            deleted=False,
            attributes=self.attributes,
        )

    def resolved(self, scope: ScopeProgram) -> ResolvedScope:
        """Resolve the scope's groups to themselves, and this object to a member."""
        own, guid = _comparable(self.dn), self.guid or GUID
        held = frozenset(map(_comparable, self.groups))
        groups = {
            guid if _comparable(each) == own else each: frozenset(
                {guid} if _comparable(each) in held else ()
            )
            for each in scope.groups
        }
        return ResolvedScope(groups=groups)


def _classes(subject: Subject) -> frozenset[str]:
    return CLASSES[subject.kind]


def _comparable(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _text(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def subject_of(
    content: Mapping[str, Any], kind: ObjectType, setting: Setting = NOWHERE
) -> Subject:
    """Read the `object:` of an example."""
    written = content.get("attributes", {}).items()
    return Subject(
        kind=kind,
        dn=content["dn"],
        groups=tuple(content.get("groups", ())),
        setting=setting,
        attributes={
            name.lower(): tuple(
                map(_text, value if isinstance(value, list) else [value])
            )
            for name, value in written
        },
    )
