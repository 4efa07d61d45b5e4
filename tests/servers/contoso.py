"""The people and groups of the small test forest, and the rights to delegate."""

from __future__ import annotations

from dataclasses import dataclass

BASE = "DC=contoso,DC=com"
PEOPLE = f"OU=People,{BASE}"
CONTRACTORS = f"OU=Contractors,{BASE}"
GROUPS = f"OU=Groups,{BASE}"
NORMAL, DISABLED = 544, 546
"""An account without password, enabled or disabled."""

GRANT = """
import sys
import ldb
from samba.auth import system_session
from samba.ndr import ndr_pack, ndr_unpack
from samba.dcerpc import security
from samba.param import LoadParm
from samba.samdb import SamDB

folder, base, account, *entries = sys.argv[1:]
lp = LoadParm()
lp.load(f"{folder}/etc/smb.conf")
db = SamDB(f"{folder}/private/sam.ldb", session_info=system_session(lp), lp=lp)
[found] = db.search(base, expression=f"(sAMAccountName={account})", attrs=["objectSid"])
sid = str(ndr_unpack(security.dom_sid, found["objectSid"][0]))

def append(dn, ace):
    controls = ["show_deleted:1", "sd_flags:1:4"]
    names = ["nTSecurityDescriptor"]
    [head] = db.search(dn, ldb.SCOPE_BASE, attrs=names, controls=controls)
    held = ndr_unpack(security.descriptor, head["nTSecurityDescriptor"][0])
    domain = security.dom_sid(db.get_domain_sid())
    sddl = held.as_sddl(domain)
    # What is denied goes first.
    sddl = sddl.replace("(", ace + "(", 1) if "D;" in ace else sddl + ace
    change = ldb.Message(head.dn)
    change["sd"] = ldb.MessageElement(
        ndr_pack(security.descriptor.from_sddl(sddl, domain)),
        ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
    db.modify(change, controls)

for entry in entries:
    dn, ace = entry.split("|")
    append(dn, ace.replace("{sid}", sid))
"""
"""Appends entries to DACLs: each is DN|SDDL, where `{sid}` is the account's."""

REPLICATE = "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})"
"""Replicating Directory Changes."""
SEE_DELETED = "(A;CI;RPLCLORC;;;{sid})"
USER_CLASS = "bf967aba-0de6-11d0-a285-00aa003049e2"


MORE = (
    "title: Engineer",
    "department: Research & Development",
    "employeeID: 100002",
    "telephoneNumber: +353 1 555 0102",
    "mobile: +353 85 555 0102",
)
"""Additional attributes of the second person."""


@dataclass(frozen=True)
class Account:
    username: str
    password: str


def _entry(dn: str, *lines: str) -> str:
    return "\n".join([f"dn: {dn}", *lines])


def _units() -> list[str]:
    units = [PEOPLE, f"OU=Berlin,{PEOPLE}", CONTRACTORS, GROUPS]
    return [_entry(dn, "objectClass: organizationalUnit") for dn in units]


def _name(number: int) -> str:
    special = {1: "Zoë Ångström", 2: "Seán O'Brien", 3: "Lee\\, Kim"}
    return special.get(number, f"Person {number:02}")


def _person(number: int) -> str:
    return _entry(
        staff(number),
        "objectClass: user",
        f"sAMAccountName: p{number:02}",
        f"userPrincipalName: p{number:02}@contoso.com",
        f"givenName: {_name(number).split()[0].strip(',').replace(chr(92), '')}",
        f"sn: {_name(number).split()[-1]}",
        f"displayName: {_name(number).replace(chr(92), '')}",
        f"mail: p{number:02}@contoso.com",
        "employeeType: staff",
        f"userAccountControl: {DISABLED if number == 24 else NORMAL}",
        *(MORE if number == 2 else []),
        *([f"manager: {staff(1)}"] if 1 < number < 20 else []),
    )


def _people() -> list[str]:
    return [_person(number) for number in range(1, 25)]


def _contractors() -> list[str]:
    entries = [
        _entry(
            contractor(number),
            "objectClass: user",
            f"sAMAccountName: c{number:02}",
            f"userPrincipalName: c{number:02}@contoso.com",
            f"displayName: Contractor {number:02}",
            "employeeType: contractor",
            f"userAccountControl: {NORMAL}",
        )
        for number in range(1, 5)
    ]
    managed = _entry(
        f"CN=Managed Outside,{PEOPLE}",
        "objectClass: user",
        "sAMAccountName: outside",
        "userPrincipalName: outside@contoso.com",
        "displayName: Managed Outside",
        "employeeType: staff",
        f"userAccountControl: {NORMAL}",
        f"manager: {contractor(1)}",
    )
    return [*entries, managed]


def _others() -> list[str]:
    computer = _entry(
        f"CN=PC01,{PEOPLE}",
        "objectClass: computer",
        "sAMAccountName: PC01$",
        "userAccountControl: 4096",
    )
    gmsa = _entry(
        f"CN=gmsa01,{PEOPLE}",
        "objectClass: msDS-GroupManagedServiceAccount",
        "sAMAccountName: gmsa01$",
        "dNSHostName: gmsa01.contoso.com",
        "msDS-ManagedPasswordInterval: 30",
        "userAccountControl: 4096",
    )
    contact = _entry(
        f"CN=Partner One,{PEOPLE}",
        "objectClass: contact",
        "displayName: Partner One",
        "mail: partner@fabrikam.com",
    )
    return [computer, gmsa, contact]


def _group(name: str, *members: str) -> str:
    return _entry(
        f"CN={name},{GROUPS}",
        "objectClass: group",
        f"sAMAccountName: {name}",
        f"description: The group {name}",
        *members,
    )


def _groups() -> list[str]:
    everybody = [f"member: {staff(number)}" for number in range(1, 25)]
    return [
        _group("Cloud Staff", *everybody, f"member: {contractor(1)}"),
        _group("Berlin", *everybody[::2]),
        _group("All of it", f"member: CN=Cloud Staff,{GROUPS}"),
        _group("Empty"),
    ]


def population() -> str:
    """Return LDIF without folds: 24 staff, 4 contractors, groups, and other objects."""
    return "\n\n".join([*_units(), *_people(), *_contractors(), *_others(), *_groups()])


def staff(number: int) -> str:
    """Return the DN of a member of staff, 1 to 24; the odd ones work in Berlin."""
    unit = f"OU=Berlin,{PEOPLE}" if number % 2 else PEOPLE
    return f"CN={_name(number)},{unit}"


def contractor(number: int) -> str:
    return f"CN=Contractor {number:02},{CONTRACTORS}"
