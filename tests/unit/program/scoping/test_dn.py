"""Distinguished names: equal names become equal tuples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import is_in_subtree, parse_dn


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("  ", ()),
        ("OU=People,DC=Contoso,DC=com", ("ou=people", "dc=contoso", "dc=com")),
        (" ou = People , dc = x ", ("ou=people", "dc=x")),
        (r"CN=Doe\, John,DC=x", ("cn=doe, john", "dc=x")),
        (r"CN=Doe\2C John,DC=x", ("cn=doe, john", "dc=x")),
        (r"CN=\C3\89lan,DC=x", ("cn=élan", "dc=x")),
        (r"CN=a\0ACNF:1,DC=x", ("cn=a\ncnf:1", "dc=x")),
        (r"CN=\ a \  ,DC=x", ("cn= a  ", "dc=x")),
        (r"CN=\#1 \"\\\;\<\>\+\=,DC=x", ('cn=#1 "\\;<>+=', "dc=x")),
        ("CN=#04024869,DC=x", ("cn=#04024869", "dc=x")),
        ("CN=a#b=c,DC=x", ("cn=a#b=c", "dc=x")),
        ("2.5.4.3=a,DC=x", ("2.5.4.3=a", "dc=x")),
        ("CN=,DC=x", ("cn=", "dc=x")),
    ],
)
def test_dn_is_unescaped_and_folded(text, names):
    assert parse_dn(text) == names


def test_parts_of_a_multi_valued_rdn_have_no_order():
    assert parse_dn("CN=a+SN=b,DC=x") == parse_dn("sn=B + cn=A,dc=X")
    assert parse_dn("CN=a+SN=b,DC=x") != parse_dn(r"CN=a\+SN=b,DC=x")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("People", 0),
        ("OU=People,", 10),
        ("OU=a,,DC=x", 5),
        ("OU=a;DC=x", 4),
        ('OU="a",DC=x', 3),
        (r"OU=a\z", 4),
        (r"OU=\FF,DC=x", 3),
        ("OU=a\x00b", 4),
        ("=a", 0),
    ],
)
def test_invalid_dn_is_located(text, offset):
    with pytest.raises(SyntaxFault) as caught:
        parse_dn(text)
    assert caught.value.offset == offset


def test_subtree_compares_whole_rdns():
    base = parse_dn("OU=People,DC=x")
    assert is_in_subtree(base, base)
    assert is_in_subtree(parse_dn("CN=a,OU=Sales,ou=people,dc=X"), base)
    assert is_in_subtree(base, ())
    assert not is_in_subtree(parse_dn("DC=x"), base)
    assert not is_in_subtree(parse_dn("OU=My People,DC=x"), base)
    assert not is_in_subtree(parse_dn(r"CN=a\,OU=People,DC=x"), base)


def escaped(value):
    return "".join(f"\\{byte:02X}" for byte in value.encode())


VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_escaped_value_is_unescaped(values):
    text = ",".join(f"CN={escaped(each)}" for each in values)
    assert parse_dn(text) == tuple(f"cn={each}".casefold() for each in values)


def fault_offset(text):
    try:
        parse_dn(text)
    except SyntaxFault as fault:
        return fault.offset
    return 0


@given(st.text(st.sampled_from('CN=ax,+\\"#;<> 0é\x00'), max_size=25))
def test_random_tokens_parse_or_raise_syntax_fault(text):
    assert 0 <= fault_offset(text) <= len(text)
