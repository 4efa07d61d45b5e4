"""The mapping of `benchmarks.expressions`, written by hand in Python."""

from __future__ import annotations

import re
from typing import Any

from cloudforest.model.source import SourceObject
from cloudforest.program.expressions.encodings import normalize_diacritics

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
NUMBER = re.compile(r"(?P<n>\d+)")
LANGUAGES = {"DE": "de", "FR": "fr", "AT": "de"}


def by_hand(source: SourceObject) -> dict[str, Any]:
    """Return the desired values of a resource; None for null."""
    attributes = source.attributes

    def one(name: str) -> str | None:
        values = attributes.get(name)
        if not values:
            return None
        if len(values) > 1:
            raise ValueError(name)
        return values[0]

    given, family, mail = one("givenname"), one("sn"), one("mail")
    title, department = one("title"), one("department")
    mobile, phone = one("mobile"), one("telephonenumber")
    account, employee = one("samaccountname"), one("employeeid")
    login = one("userprincipalname") or mail or account
    flags, place, country = one("useraccountcontrol"), one("l"), one("c")
    full = " ".join(each for each in (given, family) if each)
    initial = f"{(given or '')[:1]}.{normalize_diacritics(family or '')}"
    return {
        "externalId": source.source_anchor,
        "userName": login.lower() if login else None,
        "active": None if flags is None else not int(flags) & 2,
        "displayName": one("displayname") or full or one("cn"),
        "name.givenName": (given.strip() or None) if given else None,
        "name.familyName": family.upper() if family else None,
        "name.formatted": f"{family or ''}, {given or ''}",
        "nickName": initial,
        "title": (title.strip()[:64] or None) if title else None,
        'emails[type eq "work"].value': mail.lower() if mail else None,
        'emails[type eq "other"].value': f"{account or ''}@contoso.com",
        'phoneNumbers[type eq "work"].value': phone.replace(" ", "") if phone else None,
        'phoneNumbers[type eq "mobile"].value': (
            mobile.replace(" ", "-") if mobile else None
        ),
        'addresses[type eq "work"].locality': place.title() if place else None,
        'addresses[type eq "work"].country': (
            "DE" if one("co") == "Germany" else country
        ),
        "preferredLanguage": LANGUAGES.get(country or "", "en"),
        "userType": "Employee" if employee else "Guest",
        f"{ENTERPRISE}:department": department.split(" ")[0] if department else None,
        f"{ENTERPRISE}:employeeNumber": (employee[1:7] or None) if employee else None,
        f"{ENTERPRISE}:costCenter": (
            NUMBER.sub(r"CC-\g<n>", department) if department else None
        ),
    }
