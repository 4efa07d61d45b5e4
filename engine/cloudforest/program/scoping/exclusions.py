"""What always keeps an object out, whatever the scope says."""

from __future__ import annotations

from cloudforest.model.ports import Entry

READS = frozenset({"admindescription", "iscriticalsystemobject", "useraccountcontrol"})
"""The attributes that decide it, in lower case."""

_SERVICE_ACCOUNTS = frozenset(
    {
        "msds-delegatedmanagedserviceaccount",
        "msds-groupmanagedserviceaccount",
        "msds-managedserviceaccount",
    }
)
CLASSES = _SERVICE_ACCOUNTS | {"computer"}
"""What is left out for its objectClass, in lower case."""
_INTERDOMAIN_TRUST = 0x800
_MACHINE = 0x1000 | 0x2000
"""Workstation and server trust accounts (MS-ADTS 2.2.16)."""
_WRITTEN_BACK = ("user_", "group_")
_CONFLICT = "\ncnf:"
"""What replication puts, with a GUID, behind the name of the object that lost."""


def _first(entry: Entry, name: str) -> str:
    values = entry.attributes.get(name)
    return values[0].strip().lower() if values else ""


def _flags(entry: Entry) -> int:
    try:
        return int(_first(entry, "useraccountcontrol") or "0")
    except ValueError:
        return 0


def _by_attributes(entry: Entry) -> str | None:
    flags = _flags(entry)
    if _first(entry, "iscriticalsystemobject") == "true":
        return "isCriticalSystemObject"
    if not _SERVICE_ACCOUNTS.isdisjoint(entry.classes):
        return "managedServiceAccount"
    if "computer" in entry.classes or flags & _MACHINE:
        return "computer"
    if flags & _INTERDOMAIN_TRUST:
        return "interdomainTrustAccount"
    if _first(entry, "admindescription").startswith(_WRITTEN_BACK):
        return "adminDescription"
    return None


def exclusion(entry: Entry, names: tuple[str, ...] | None) -> str | None:
    """Return the reason, for example `computer`; None: it is not excluded.

    `names` is its DN, parsed; None where that is not possible.
    """
    if reason := _by_attributes(entry):
        return reason
    if names is None:
        return "distinguishedName"
    is_conflict = bool(names) and _CONFLICT in names[0]
    return "replicationConflict" if is_conflict else None
