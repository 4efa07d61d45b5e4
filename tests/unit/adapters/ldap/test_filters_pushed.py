"""Which parts of a scope's filter become LDAP, and which are left to the agent."""

from __future__ import annotations

import pytest

from cloudforest.adapters.ldap.filters import kind_filter, to_ldap_filter
from cloudforest.program.scoping.filter_syntax import parse_filter

BITS = "1.2.840.113556.1.4.803"


@pytest.mark.parametrize(
    ("text", "ldap_filter"),
    [
        ('department eq "R&D (*) \\\\"', r"(department=R\26D\20\28\2a\29\20\5c)"),
        ('department co "ë"', r"(department=*\c3\ab*)"),
        ('department sw "a" or cn ew "b"', "(|(department=a*)(cn=*b))"),
        ("title pr and sn ne null", "(&(title=*)(sn=*))"),
        ("userAccountControl has 2", f"(useraccountcontrol:{BITS}:=2)"),
        ("uidNumber gt 7", "(uidnumber>=8)"),
        ("uidNumber lt 7.5", "(uidnumber<=7)"),
        ('uidNumber ge "7"', "(uidnumber>=7)"),
        (
            "accountExpires eq 9223372036854775807",
            "(accountexpires=9223372036854775807)",
        ),
        (
            'accountExpires lt "1601-01-01T00:00:01Z"',
            "(&(accountexpires>=1)(accountexpires<=9999999))",
        ),
        (
            'accountExpires ge "1601-01-01T00:00:01Z"',
            "(&(accountexpires>=10000000)(accountexpires<=9223372036854775806))",
        ),
        ('whenCreated gt "2024-01-31"', "(whencreated>=20240131000001.0Z)"),
        ('whenCreated lt "2024-01-31T00:00:00.5Z"', "(whencreated<=20240131000000.0Z)"),
        ("showInAdvancedViewOnly eq true", "(showinadvancedviewonly=TRUE)"),
        (
            'proxyAddresses[value sw "SMTP" and value ew "x"]',
            "(&(proxyaddresses=SMTP*)(proxyaddresses=*x))",
        ),
    ],
)
def test_expressible_filter_is_written_as_ldap(text: str, ldap_filter: str):
    assert to_ldap_filter(parse_filter(text)) == ldap_filter


@pytest.mark.parametrize(
    ("text", "ldap_filter"),
    [
        # An attribute may be hidden.
        ("not (userAccountControl has 2)", None),
        ('department ne "Sales"', None),
        ("title eq null", None),
        ('title pr and not (department eq "Sales")', "(title=*)"),
        ('title pr or not (department eq "Sales")', None),
        # A controller treats more texts as equal, and orders them differently.
        ('department gt "Sales"', "(department=*)"),
        ('department eq " a"', "(department=*)"),
        ('department eq "a  b"', "(department=*)"),
        ('department eq "Straße"', "(department=*)"),
        ("employeeID eq 7", "(employeeid=*)"),
        ('department eq "2026-01-31"', "(department=*)"),
        # A controller may not know these, or constructs them.
        ('extensionAttribute1 eq "x"', None),
        ("canonicalName pr", None),
        ('manager eq "00000000-0000-0000-0000-000000000001"', None),
        # The value does not have the attribute's syntax.
        ('uidNumber eq "007"', "(uidnumber=*)"),
        ("uidNumber gt 2147483647", "(uidnumber=*)"),
        ('uidNumber sw "7"', "(uidnumber=*)"),
        ('whenCreated eq "2024-01-31T00:00:00.5Z"', "(whencreated=*)"),
        # One part is inexpressible: `and` keeps the others, `or` keeps none.
        ('title pr and canonicalName eq "x"', "(title=*)"),
        ('title pr or canonicalName eq "x"', None),
        ('proxyAddresses[not (value eq "x")]', "(proxyaddresses=*)"),
        (
            'proxyAddresses[value ne "x" and value pr]',
            "(&(proxyaddresses=*)(proxyaddresses=*))",
        ),
    ],
)
def test_inexpressible_filter_is_widened_or_left_out(
    text: str, ldap_filter: str | None
):
    assert to_ldap_filter(parse_filter(text)) == ldap_filter


def test_container_filter_ignores_the_scope_filter():
    assert "title" not in kind_filter("container", "(title=*)")
    assert kind_filter("user", "(title=*)") == "(&(objectClass=user)(title=*))"
