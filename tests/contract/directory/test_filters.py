"""Filters as we evaluate them, and as real servers do: Samba and OpenLDAP.

With random objects and filters, a server must find at least the objects that we accept,
and exactly those if the whole filter is expressible in LDAP.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ldap3
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.servers.contoso import BASE
from tests.servers.openldap import SUFFIX, OpenLdap
from tests.servers.samba import Contoso

from cloudforest.adapters import directory_entries
from cloudforest.adapters.ldap.filters import SYNTAX_BY_ATTRIBUTE, to_ldap_filter
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import (
    CASE_EXACT_ATTRIBUTES,
    FILETIME_ATTRIBUTES,
    GENERALIZED_TIME_ATTRIBUTES,
    INTEGER_ATTRIBUTES,
)
from cloudforest.program.scoping.predicates import compile_filter, write_filter

OBJECTS = 60
SAMPLE, WHOLE = 120, 4_000
UNIT = f"OU=Filtered,{BASE}"

TEXTS = ("department", "employeetype", "othertelephone")
NUMBERS = ("uidnumber", "useraccountcontrol")
DATED = ("accountexpires", "whencreated")
NAMES = (*TEXTS, *NUMBERS, *DATED, "showinadvancedviewonly")
"""Attributes that a server can be asked about, of each syntax."""
EXACT = ("unixhomedirectory", "serialnumber")
"""Attributes of IA5 syntax, and of printable syntax with several values."""
UNASKED = (*EXACT, "manager", "secretary", "jpegphoto", "objectsid", "objectguid")
"""Attributes that are never sent, also DNs (one, several), octets, SIDs and GUIDs."""
CALLED = ("dn", "distinguishedname")

WORDS = (
    "Sales", "sales", "SALES EU", "Zoë", "ZOË", "a*b", "(x)", "back\\slash", "*",
    "Vertrieb Süd", "Отдел", "ОТДЕЛ", "ab", "b", "7", "007", "-1.5", "TRUE", "e",
)  # fmt: skip
ASCII = tuple(each for each in WORDS if each.isascii() and each != "sales")
WHOLES = (-5, 0, 1, 7, 8, 514, 2**31 - 1)
CONTROLS = (546, 66050, 514, 544 + 65536, 2 + 544 + 8388608)
NEVER = 2**63 - 1
TICKS = (0, 1, 133_511_760_000_000_000, 133_511_760_000_000_001, NEVER - 1, NEVER)
MANAGERS = (f"CN=Administrator,CN=Users,{BASE}", f"CN=Guest,CN=Users,{BASE}")
SID = bytes.fromhex("010500000000000515000000010000000200000003000000") + b"\4\0\0\0"
GUID = str(uuid.UUID(int=7))
PHOTOS = (b"\xff\xd8\xff", b"text")
DATES = (
    "2024-01-31T12:00:00Z",
    "2024-01-31T12:00:00.5Z",
    "2024-01-31T14:00:00+02:00",
    "2024-01-31",
    "20240131120001.0Z",
    "9999-12-31T23:59:59Z",
    "1601-01-01",
)


def _made(chance: random.Random) -> Iterator[tuple[str, list[Any]]]:
    """Yield the attributes of an object; any of them may be missing."""
    for name, choice in {
        "department": WORDS,
        "employeeType": WORDS,
        "otherTelephone": WORDS,
        "uidNumber": WHOLES,
        "accountExpires": TICKS,
        "showInAdvancedViewOnly": ("TRUE", "FALSE"),
        "unixHomeDirectory": ASCII,
        "serialNumber": ("Sales", "7", "007", "-1.5", "TRUE", "e"),
        "manager": MANAGERS,
        "secretary": MANAGERS,
        "jpegPhoto": PHOTOS,
    }.items():
        several = 3 if name in {"otherTelephone", "serialNumber"} else 1
        if chance.random() < 0.8:
            distinct = {
                str(each).lower(): each
                for each in chance.sample(choice, several if len(choice) > 3 else 1)
            }
            yield name, list(distinct.values())


@dataclass(frozen=True)
class Server:
    """A connection, and the objects below a base, by DN."""

    connection: ldap3.Connection
    base: str
    kind: str
    objects: dict[str, dict[str, tuple[str, ...]]]

    def finds(self, filter_text: str | None) -> set[str]:
        return set(_search(self.connection, self.base, self.kind, filter_text or ""))


def _search(
    connection: ldap3.Connection, base: str, kind: str, filter_text: str
) -> dict[str, dict[str, tuple[str, ...]]]:
    names = [*NAMES, *UNASKED]
    connection.search(base, f"(&(objectClass={kind}){filter_text})", attributes=names)
    return {
        each["dn"]: _held(each["dn"], each["raw_attributes"])
        for each in connection.response
        if each["type"] == "searchResEntry"
    }


def _held(dn: str, received: dict[str, list[bytes]]) -> dict[str, tuple[str, ...]]:
    """Return an object's attributes as the agent's predicate gets them."""
    named = {name.lower(): held for name, held in received.items() if held}
    held = {
        name: tuple(directory_entries.decode_value(name, each) for each in several)
        for name, several in named.items()
    }
    return held | dict.fromkeys(CALLED, (dn,))


@pytest.fixture(scope="module")
def samba_server(contoso: Contoso) -> Iterator[Server]:
    chance = random.Random("samba")
    with contoso.samba.connection() as connection:
        connection.add(UNIT, "organizationalUnit")
        for number in range(OBJECTS):
            fields = {
                "sAMAccountName": f"filtered{number}",
                "userAccountControl": chance.choice(CONTROLS),
                **dict(_made(chance)),
            }
            connection.add(f"CN=filtered{number},{UNIT}", "user", fields)
        objects = _search(connection, UNIT, "user", "")
        yield Server(connection, UNIT, "user", objects)
        for dn in (*objects, UNIT):
            connection.delete(dn)


@pytest.fixture(scope="module")
def openldap_server(openldap: OpenLdap) -> Iterator[Server]:
    chance = random.Random("openldap")
    with openldap.connection() as connection:
        for number in range(OBJECTS):
            fields = dict(_made(chance))
            if chance.random() < 0.8:
                fields["userAccountControl"] = [chance.choice(CONTROLS)]
                second = chance.choice(("00", "01", "59"))
                fields["objectGUID"] = [uuid.UUID(int=number).bytes_le]
                fields["objectSid"] = [SID]
                fields["whenCreated"] = [f"202401311200{second}.0Z"]
            connection.add(f"cn=t{number},{SUFFIX}", "thing", fields)
        objects = _search(connection, SUFFIX, "thing", "")
        yield Server(connection, SUFFIX, "thing", objects)


@pytest.fixture(params=["samba", "openldap"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(f"{request.param}_server")
    assert len(found.objects) == OBJECTS
    return found


def compared(names, operators, operands):
    return st.builds(
        Compare,
        attribute=st.sampled_from(names),
        operator=st.sampled_from(operators),
        value=operands,
    )


def joined(inner):
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(And, operands=several) | st.builds(Or, operands=several)


ORDER = ("eq", "gt", "ge", "lt", "le")
PIECES = st.sampled_from(WORDS)
TEXT_LEAVES = compared(TEXTS, ("eq", "co", "sw", "ew"), PIECES)
OTHER_LEAVES = (
    compared(NUMBERS, ORDER, st.sampled_from(WHOLES[:-1]))
    | compared(NUMBERS, ORDER[1:], st.sampled_from([6.5, 7.0, -4.5]))
    | compared(NUMBERS, ("has",), st.sampled_from([1, 2, 514, 65536]))
    | compared(DATED, ORDER[1:], st.sampled_from(DATES[:5]))
    | compared(("accountexpires",), ORDER, st.sampled_from(TICKS[1:5]))
    | compared(("accountexpires",), ("eq",), st.sampled_from(TICKS))
    | compared(("showinadvancedviewonly",), ("eq",), st.booleans())
    | compared(NAMES, ("ne",), st.none())
    | st.builds(Present, attribute=st.sampled_from(NAMES))
)
ASKABLE = st.recursive(TEXT_LEAVES | OTHER_LEAVES, joined, max_leaves=6)
"""Filters that LDAP can express entirely."""

VALUES = (
    PIECES
    | st.sampled_from([*WHOLES, *TICKS, 6.5, *DATES, "", " x", "a  b", "ß", "Kelvin"])
    | st.booleans()
)
LIKE = ("ne", "co", "sw", "ew")
LEAVES = (
    OTHER_LEAVES
    | compared(
        (*NAMES, *UNASKED, *CALLED, "canonicalname", "extensionattribute1"),
        (*ORDER, *LIKE),
        VALUES | st.none(),
    )
    | compared(EXACT, (*ORDER, *LIKE), st.sampled_from(ASCII))
    | compared(
        ("manager", "secretary", *CALLED),
        (*ORDER, *LIKE),
        st.sampled_from([*MANAGERS, MANAGERS[0].lower(), "CN=filtered1", SUFFIX]),
    )
    | compared(
        ("jpegphoto", "objectsid", "objectguid"),
        (*ORDER, *LIKE),
        st.sampled_from(["/9j/", "dGV4dA==", "S-1-5-21-1-2-3-4", "S-1-5", GUID]),
    )
    | st.builds(Present, attribute=st.sampled_from([*UNASKED, *CALLED]))
)
PATHS = st.builds(
    ValuePath,
    attribute=st.sampled_from(["othertelephone", "uidnumber", *UNASKED]),
    operand=st.recursive(
        compared(("value",), (*ORDER, "ne", "co", "sw"), VALUES),
        lambda inner: joined(inner) | st.builds(Not, operand=inner),
        max_leaves=3,
    ),
)
ANY = st.recursive(
    LEAVES | PATHS,
    lambda inner: joined(inner) | st.builds(Not, operand=inner),
    max_leaves=6,
)


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    return WHOLE if request.config.getoption("--long") else SAMPLE


def for_some(trees, examples: int, check: Callable[[Filter], None]) -> None:
    how = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == SAMPLE,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    how(given(trees)(check))()


def accepted(server: Server, tree: Filter) -> set[str]:
    accepts = compile_filter(tree)
    return {dn for dn, held in server.objects.items() if accepts(held)}


def test_fully_expressible_filter_matches_the_same_objects(server, examples):
    def check(tree: Filter) -> None:
        filter_text = to_ldap_filter(tree)
        assert filter_text is not None
        assert server.finds(filter_text) == accepted(server, tree), write_filter(tree)

    for_some(ASKABLE, examples, check)


def test_ldap_filter_never_loses_an_accepted_object(server, examples):
    def check(tree: Filter) -> None:
        missed = accepted(server, tree) - server.finds(to_ldap_filter(tree))
        assert missed == set(), (write_filter(tree), to_ldap_filter(tree))

    for_some(ANY, examples, check)


def test_sample_objects_cover_every_syntax(server):
    for name in (*NAMES, *UNASKED):
        assert any(name in held for held in server.objects.values()), name
    for name in (*EXACT, "manager", "secretary", "jpegphoto"):
        assert not all(name in held for held in server.objects.values()), name


def test_random_filters_match_some_objects(server):
    """Otherwise the two tests above would prove little."""
    sizes = []
    for_some(ASKABLE, SAMPLE, lambda tree: sizes.append(len(accepted(server, tree))))
    some = [each for each in sizes if 0 < each < OBJECTS]
    assert len(some) > SAMPLE / 3


SYNTAXES = {
    "text": {"2.5.5.12", "2.5.5.4"},
    "integer": {"2.5.5.9"},
    "filetime": {"2.5.5.16"},
    "time": {"2.5.5.11"},
    "boolean": {"2.5.5.8"},
}
CONSTRUCTED = 4
"""FLAG_ATTR_IS_CONSTRUCTED ([MS-ADTS] 2.2.9)."""


def test_filterable_attributes_have_the_expected_syntax(contoso):
    schema = attribute_types(contoso)
    for name, syntax in SYNTAX_BY_ATTRIBUTE.items():
        assert schema[name][0] in SYNTAXES[syntax], name
        assert not schema[name][1] & CONSTRUCTED, name


def test_attribute_kinds_agree_with_the_schema(contoso):
    schema = attribute_types(contoso)
    expected = {
        "2.5.5.9": INTEGER_ATTRIBUTES,
        "2.5.5.16": FILETIME_ATTRIBUTES,
        "2.5.5.11": GENERALIZED_TIME_ATTRIBUTES,
    }
    for syntax, names in expected.items():
        known = [name for name in names if name in schema]
        assert [name for name in known if schema[name][0] != syntax] == []
        assert len(known) > len(names) / 2
    exact = {"2.5.5.5", "2.5.5.10", "2.5.5.15"}
    known = [name for name in CASE_EXACT_ATTRIBUTES if name in schema]
    assert [name for name in known if schema[name][0] not in exact] == []
    assert [name for name in SYNTAX_BY_ATTRIBUTE if name in CASE_EXACT_ATTRIBUTES] == []


def attribute_types(contoso: Contoso) -> dict[str, tuple[str, int]]:
    """Return the syntax and flags of all attributes, by name in lower case."""
    with contoso.samba.connection() as connection:
        found = connection.extend.standard.paged_search(
            f"CN=Schema,CN=Configuration,{BASE}",
            "(objectClass=attributeSchema)",
            attributes=["lDAPDisplayName", "attributeSyntax", "systemFlags"],
        )
        raw = [each["raw_attributes"] for each in found if "raw_attributes" in each]
    return {
        each["lDAPDisplayName"][0].decode().lower(): (
            each["attributeSyntax"][0].decode(),
            int((each.get("systemFlags") or [b"0"])[0]),
        )
        for each in raw
    }
