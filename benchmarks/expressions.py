"""Compiled expressions, compared with the same mapping written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.by_hand import by_hand
from cloudforest.model.program import (
    AttributeProgram,
    CompiledAttributeMapping,
    Deprovision,
)
from cloudforest.model.source import SourceObject
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.mapping.desired import compile_mapping

OBJECTS = 100_000
ROUNDS = 3
"""The fastest round counts, because the others include other load."""
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
EXPRESSIONS = {
    "externalId": "[sourceAnchor]",
    "userName": "ToLower(Coalesce([userPrincipalName], [mail], [sAMAccountName]), )",
    "active": 'Switch(BitAnd([userAccountControl], 2), , "0", "True", "2", "False")',
    "displayName": 'Coalesce([displayName], Join(" ", [givenName], [sn]), [cn])',
    "name.givenName": "Trim([givenName])",
    "name.familyName": "ToUpper([sn])",
    "name.formatted": '[sn] & ", " & [givenName]',
    "nickName": 'Left([givenName], 1) & "." & NormalizeDiacritics([sn])',
    "title": "Left(Trim([title]), 64)",
    'emails[type eq "work"].value': "ToLower([mail])",
    'emails[type eq "other"].value': 'Append([sAMAccountName], "@contoso.com")',
    'phoneNumbers[type eq "work"].value': "StripSpaces([telephoneNumber])",
    'phoneNumbers[type eq "mobile"].value': 'Replace([mobile], " ", , , "-", , )',
    'addresses[type eq "work"].locality': "PCase([l])",
    'addresses[type eq "work"].country': 'IIF([co] = "Germany", "DE", [c])',
    "preferredLanguage": 'Switch([c], "en", "DE", "de", "FR", "fr", "AT", "de")',
    "userType": 'IIF(IsPresent([employeeID]), "Employee", "Guest")',
    f"{ENTERPRISE}:department": 'Word([department], 1, " ")',
    f"{ENTERPRISE}:employeeNumber": "Mid([employeeID], 2, 6)",
    f"{ENTERPRISE}:costCenter": (
        r'Replace([department], , "(?<n>\\d+)", , "CC-${n}", , )'
    ),
}


def program() -> AttributeProgram:
    rules = tuple(
        CompiledAttributeMapping(
            target=target, expression=parse_expression(text), text=text
        )
        for target, text in EXPRESSIONS.items()
    )
    kept = Deprovision(out_of_scope="keep", deleted="keep")
    return AttributeProgram(
        mapping="benchmark",
        source="user",
        target="User",
        rules=rules,
        reads=(),
        deprovision=kept,
    )


def person(number: int) -> SourceObject:
    name = f"u{number:06}"
    attributes = {
        "userprincipalname": f"{name}@Contoso.com",
        "samaccountname": name,
        "useraccountcontrol": "514" if number % 20 == 0 else "512",
        "givenname": "Zoë" if number % 3 == 0 else "Robert",
        "sn": f"Ångström{number}" if number % 5 == 0 else f"Miller{number}",
        "cn": name,
        "title": " Principal Engineer ",
        "mail": f"{name}@Contoso.com",
        "telephonenumber": "+49 30 1234 567",
        "mobile": "+49 170 1234 567",
        "l": "berlin",
        "co": "Germany",
        "c": "DE",
        "employeeid": f"E{number:07}",
        "department": f"Sales {number % 50}",
    }
    if number % 10:
        attributes["displayname"] = f"Robert Miller {number}"
    if number % 4 == 0:
        del attributes["mobile"], attributes["employeeid"]
    return SourceObject(
        object_guid=f"{number:032x}",
        type="user",
        dn=f"CN={name},OU=People,DC=contoso,DC=com",
        parent=None,
        source_anchor=f"{number:032x}",
        attributes={key: (value,) for key, value in attributes.items()},
    )


def seconds(
    map_one: Callable[[SourceObject], Any], rows: Iterable[SourceObject]
) -> float:
    """Return the processor time, which excludes other load on the machine."""
    began = time.process_time()
    for row in rows:
        map_one(row)
    return time.process_time() - began


def measure(_folder: Path) -> None:
    compiled, rows = (
        compile_mapping(program()),
        [person(number) for number in range(OBJECTS)],
    )
    for row in rows[:: OBJECTS // 1000]:
        if compiled(row).values != by_hand(row):
            raise AssertionError(f"The two mappings differ for {row.dn}.")
    spent = [(seconds(by_hand, rows), seconds(compiled, rows)) for _ in range(ROUNDS)]
    hand, ours = map(min, zip(*spent, strict=True))
    print(f"expressions: {len(EXPRESSIONS)} attributes of {OBJECTS:,} objects")
    print(f"  compiled      {OBJECTS / ours:8,.0f} objects/s  {ours:6.1f} s")
    print(f"  by hand       {OBJECTS / hand:8,.0f} objects/s  {hand:6.1f} s")
    print(f"  ratio         {ours / hand:8.2f}")
