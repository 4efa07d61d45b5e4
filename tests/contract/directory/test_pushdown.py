"""Which parts of a filter the directory is asked, and which never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.servers.contoso import PEOPLE, contractor, staff
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.model.ports.directory import Directory, DirSyncCookie, Entry
from cloudforest.model.program import ScopeProgram, TypeFilter
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import (
    compile_filter,
    find_filter_attributes,
)
from cloudforest.program.scoping.scope import (
    CompiledScope,
    ResolvedScope,
    needed_attributes,
)

FILTERS = [
    'employeeType eq "STAFF"',
    'employeeType ne "staff" or userAccountControl has 2',
    'not (mail pr) and displayName sw "Contractor"',
    'displayName co "Ångström" or title eq "Engineer"',
    'department eq "Research & Development" and whenCreated gt "2020-01-01"',
    'accountExpires lt "2020-01-01" or canonicalName co "Berlin"',
]


async def read_whole(
    directory: Directory, text: str
) -> tuple[dict[str, Entry], str | None]:
    """Return the entries of a full read, by objectGUID, and its cookie."""
    where = parse_filter(text)
    asked = sorted(find_filter_attributes(where))
    items = [each async for each in directory.read_changes("user", asked, None, where)]
    end = items[-1]
    assert isinstance(end, DirSyncCookie)
    return {
        each.object_guid: each for each in items if isinstance(each, Entry)
    }, end.value


def held(text: str, entries: dict[str, Entry]) -> set[str]:
    accepts = compile_filter(parse_filter(text))
    return {guid for guid, each in entries.items() if accepts(each.attributes)}


@pytest.mark.parametrize("text", FILTERS)
async def test_full_read_returns_objects_that_match_the_filter(
    directory: Directory, text: str
):
    asked = sorted(find_filter_attributes(parse_filter(text)))
    everybody = {
        each.object_guid: each
        async for each in directory.read_changes("user", asked, None)
        if isinstance(each, Entry)
    }

    named, _ = await read_whole(directory, text)

    assert held(text, named) == held(text, everybody)


async def in_scope(directory: Directory, text: str) -> set[str]:
    where = parse_filter(text)
    chosen = TypeFilter(text=text, tree=where)
    program = ScopeProgram(
        types=("user",), organizational_units=None, filters={"user": chosen}
    )
    scope = CompiledScope(program, ResolvedScope())
    asked = sorted(needed_attributes(program, "user"))
    read = directory.read_changes("user", asked, None, where)
    entries = [each async for each in read if isinstance(each, Entry)]
    return {each.dn for each in entries if scope.find_failing_clause(each) is None}


@pytest.mark.parametrize("name", ["dn", "distinguishedName"])
async def test_filter_can_test_the_dn(directory: Directory, name: str):
    contractors = {contractor(n) for n in range(1, 5)}
    everybody = await in_scope(directory, "objectGUID pr")
    assert contractors < everybody
    unit = f'{name} co "ou=contractors"'
    assert await in_scope(directory, unit) == contractors
    assert await in_scope(directory, f"not ({unit})") == everybody - contractors
    one = f'mail pr or {name} eq "{contractor(1)}"'
    assert contractor(1) in await in_scope(directory, one)
    assert await in_scope(directory, f"{name} pr") == everybody


async def test_filter_can_test_the_objectguid(directory: Directory, contoso: Contoso):
    guid = contoso.samba.guid(contractor(1))
    assert await in_scope(directory, f'objectGUID eq "{guid}"') == {contractor(1)}


async def test_controller_sends_only_matching_objects(contoso: Contoso):
    named, _ = await read_whole(over_ldap(contoso), 'employeeType eq "contractor"')
    assert {each.dn for each in named.values()} == {contractor(n) for n in range(1, 5)}

    where = parse_filter('displayName eq "Contractor 02"')
    people = contoso.samba.guid(f"OU=Contractors,{contoso.samba.base}")
    below = over_ldap(contoso).read_subtree(people, "user", [], where)
    assert [each.dn async for each in below] == [contractor(2)]


async def test_delta_includes_objects_that_left_the_filter(contoso: Contoso):
    directory = over_ldap(contoso)
    text = 'employeeType eq "contractor"'
    _, cookie = await read_whole(directory, text)
    with changed(contoso, contractor(3), "contractor", "staff"):
        where = parse_filter(text)
        read = directory.read_changes("user", ["employeetype"], cookie, where)

        named = [each async for each in read if isinstance(each, Entry)]

    assert [each.dn for each in named] == [contractor(3)]


async def test_full_read_after_a_bad_cookie_uses_the_filter(
    contoso: Contoso,
):
    where = parse_filter('employeeType eq "contractor"')
    read = over_ldap(contoso).read_changes("user", ["employeetype"], "AAAA", where)

    items = [each async for each in read]

    assert len(items) == 5
    assert isinstance(items[-1], DirSyncCookie)
    assert items[-1].is_full


@contextmanager
def changed(contoso: Contoso, dn: str, before: str, after: str) -> Iterator[None]:
    contoso.samba.modify(dn, employeeType=[after])
    try:
        yield
    finally:
        contoso.samba.modify(dn, employeeType=[before])


@pytest.mark.parametrize(
    "text", ["not (userAccountControl has 2)", "userAccountControl ne 546"]
)
async def test_negation_matches_objects_that_hide_the_attribute(
    contoso: Contoso, text: str
):
    """As in our evaluation: a hidden attribute has no value."""
    hidden = staff(24)
    ace = "(OD;;RP;bf967a68-0de6-11d0-a285-00aa003049e2;;{sid})"
    with contoso.samba.denied("svc-sync", hidden, ace):
        directory = over_ldap(contoso)
        named, _ = await read_whole(directory, text)
        where = parse_filter(text)
        people = contoso.samba.guid(PEOPLE)
        below = [
            each.dn async for each in directory.read_subtree(people, "user", [], where)
        ]

    assert hidden in {each.dn for each in named.values()}
    assert hidden in below
