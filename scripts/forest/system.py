"""What every domain has in addition to people: containers, system objects, machines."""

from __future__ import annotations

from forest.ldif import (
    BASE,
    COMPUTERS,
    CONTRACTORS,
    DISABLED,
    DOMAIN,
    GLOBAL_SECURITY,
    GROUPS,
    NORMAL,
    PEOPLE,
    SERVICES,
    USERS,
    WORKSTATION,
    Attributes,
    Forest,
    unescaped,
)
from forest.people import UNITS


def write_containers(forest: Forest) -> None:
    forest.entry(
        BASE,
        "domain domainDNS",
        [("dc", "contoso"), ("isCriticalSystemObject", "TRUE")],
        rid=0,
    )
    for name in ("Users", "Builtin", "System"):
        critical: Attributes = [("isCriticalSystemObject", "TRUE")]
        forest.entry(f"CN={name},{BASE}", "container", critical, rid=0)
    units = [PEOPLE, CONTRACTORS, GROUPS, COMPUTERS, SERVICES]
    for department, teams in UNITS.items():
        units.append(f"OU={department},{PEOPLE}")
        units += [f"OU={team},OU={department},{PEOPLE}" for team in teams]
    for dn in units:
        name = unescaped(dn.split("=", 1)[1])
        forest.entry(dn, "organizationalUnit", [("ou", name)], rid=0)


def write_system_objects(forest: Forest) -> None:
    for name, rid, control in (
        ("Administrator", 500, NORMAL),
        ("Guest", 501, DISABLED),
        ("krbtgt", 502, DISABLED),
    ):
        forest.entry(
            f"CN={name},{USERS}",
            "person organizationalPerson user",
            [
                ("cn", name),
                ("sAMAccountName", name),
                ("userAccountControl", control),
                ("isCriticalSystemObject", "TRUE"),
            ],
            rid=rid,
        )
    for name, rid in (
        ("Domain Admins", 512),
        ("Domain Users", 513),
        ("Domain Computers", 515),
        ("Schema Admins", 518),
        ("Enterprise Admins", 519),
    ):
        members: Attributes = [("member", f"CN=Administrator,{USERS}")]
        forest.entry(
            f"CN={name},{USERS}",
            "group",
            [
                ("cn", name),
                ("sAMAccountName", name),
                ("groupType", GLOBAL_SECURITY),
                ("isCriticalSystemObject", "TRUE"),
                *(members if name.endswith("Admins") else []),
            ],
            rid=rid,
        )


def write_machines(forest: Forest) -> None:
    """Write what has the class `user` and is nobody, some of it among the people."""
    for number in range(1, 21):
        name = f"PC{number:03}"
        where = COMPUTERS if number % 4 else f"OU=Engineering,{PEOPLE}"
        forest.entry(
            f"CN={name},{where}",
            "person organizationalPerson user computer",
            [
                ("cn", name),
                ("sAMAccountName", f"{name}$"),
                ("dNSHostName", f"{name.lower()}.{DOMAIN}"),
                ("operatingSystem", "Windows 11 Enterprise"),
                ("userAccountControl", WORKSTATION),
            ],
        )
    forest.entry(
        f"CN=gmsa-web,OU=Engineering,{PEOPLE}",
        "person organizationalPerson user computer msDS-GroupManagedServiceAccount",
        [
            ("cn", "gmsa-web"),
            ("sAMAccountName", "gmsa-web$"),
            ("dNSHostName", f"gmsa-web.{DOMAIN}"),
            ("userAccountControl", WORKSTATION),
        ],
    )
