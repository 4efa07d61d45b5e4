"""The people: each made of the seed and a number alone."""

from __future__ import annotations

import random
import unicodedata

from forest.ldif import (
    CONTRACTORS,
    DISABLED,
    DOMAIN,
    NORMAL,
    PEOPLE,
    Forest,
    unescaped,
)

_GIVEN = """
Aylin Ben Chloé Daniel Eun-ji Fatima Gábor Hanna Ibrahim João Katarzyna Liam Márta Noor
Oisín Priya Quentin Renée Seán Tomáš Ülkü Valentina Wei Xenia Yusuf Zoë Øyvind Łukasz
Siobhán François
"""
_SURNAMES = """
Ångström Bianchi Çelik Dvořák Eriksen Fernández García Høgh Ivanova Jiménez Kowalski
Łaski Müller Nguyễn O'Brien Peña Quist Rossi Šimek Tóth Ünal Virtanen Weiß Xu Yüksel
Zieliński D'Angelo McCarthy Lefèvre Smith
"""
GIVEN, SURNAMES = _GIVEN.split(), _SURNAMES.split()
PLACES = {
    "Berlin": ("Germany", "DE", "+49 30"),
    "Dublin": ("Ireland", "IE", "+353 1"),
    "São Paulo": ("Brazil", "BR", "+55 11"),
    "Seattle": ("United States", "US", "+1 206"),
}
UNITS = {
    "Engineering": ("Platform", "Tools"),
    "Finance": (),
    "Research & Development": ("Materials",),
    "Sales": ("EMEA", "Americas"),
}
TITLES = ("Analyst", "Engineer", "Consultant", "Lead", "Specialist", "")
# Of how many people one is a contractor, disabled, filed by surname, without mail.
CONTRACTOR_IN, DISABLED_IN, SURNAME_FIRST_IN, NO_MAIL_IN = 20, 25, 9, 30
_PLAIN = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss"}


def _bosses(number: int, people: int) -> int:
    """Return among how many of the first people a boss is found: a tenth of them."""
    return max(1, min(number, people // 10))


class Person:
    """One of the people, made of the seed and a number alone."""

    def __init__(self, seed: int, number: int, people: int) -> None:
        dice = random.Random(f"{seed}/{number}")
        self.number = number
        self.dice = dice
        self.given, self.surname = dice.choice(GIVEN), dice.choice(SURNAMES)
        self.is_contractor = number % CONTRACTOR_IN == CONTRACTOR_IN // 2
        self.is_disabled = number % DISABLED_IN == DISABLED_IN // 2
        self.department = dice.choice(list(UNITS))
        self.team = dice.choice([*UNITS[self.department], ""])
        self.place = dice.choice(list(PLACES))
        self.boss = None if number == 0 else dice.randrange(_bosses(number, people))
        initial, surname = ascii_letters(self.given)[:1], ascii_letters(self.surname)
        self.account = f"{initial}{surname}{number}".lower()

    @property
    def dn(self) -> str:
        # Some are filed as `Surname, Given name`, as many directories do.
        if self.number % SURNAME_FIRST_IN == SURNAME_FIRST_IN // 2:
            name = f"{self.surname}\\, {self.given} ({self.number})"
        else:
            name = f"{self.given} {self.surname} ({self.number})"
        return f"CN={name},{self.unit}"

    @property
    def unit(self) -> str:
        if self.is_contractor:
            return CONTRACTORS
        team = f"OU={self.team}," if self.team else ""
        return f"{team}OU={self.department},{PEOPLE}"

    @property
    def display_name(self) -> str:
        return f"{self.given} {self.surname}"

    def write(self, forest: Forest, boss: Person | None) -> None:
        country, code, prefix = PLACES[self.place]
        forest.entry(
            self.dn,
            "person organizationalPerson user",
            [
                ("cn", unescaped(self.dn.split("=", 1)[1])),
                ("sn", self.surname),
                ("givenName", self.given),
                ("displayName", self.display_name),
                ("sAMAccountName", self.account[:20]),
                ("userPrincipalName", f"{self.account}@{DOMAIN}"),
                ("mail", self._mail()),
                ("proxyAddresses", f"SMTP:{self.account}@{DOMAIN}"),
                ("title", self.dice.choice(TITLES)),
                ("department", self.department),
                ("company", "Contoso"),
                ("employeeID", f"{100000 + self.number}"),
                ("employeeType", "contractor" if self.is_contractor else "staff"),
                ("l", self.place),
                ("co", country),
                ("c", code),
                ("telephoneNumber", f"{prefix} 555 {self.number:05}"),
                ("userAccountControl", DISABLED if self.is_disabled else NORMAL),
                *([("manager", boss.dn)] if boss else []),
            ],
        )

    def _mail(self) -> str:
        """Return an address; some have none yet."""
        return (
            ""
            if self.number % NO_MAIL_IN == NO_MAIL_IN // 2
            else f"{self.account}@{DOMAIN}"
        )


def ascii_letters(name: str) -> str:
    return "".join(
        _PLAIN.get(each, each)
        for each in unicodedata.normalize("NFD", name)
        if each in _PLAIN or (each.isascii() and each.isalpha())
    )
