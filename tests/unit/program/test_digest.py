"""Changes that make the next cycle initial."""

from __future__ import annotations

import msgspec

from cloudforest.model.program import (
    AttributeProgram,
    Deprovision,
    JobProgram,
    ScopeProgram,
    TypeFilter,
)
from cloudforest.program import digest
from cloudforest.program.digest import digest_program, select_attributes_to_read
from cloudforest.program.scoping.filter_syntax import parse_filter


def mapping(kind, *reads):
    return AttributeProgram(
        mapping=f"ad-{kind}",
        source=kind,
        target=kind.title(),
        rules=(),
        reads=reads,
        deprovision=Deprovision(out_of_scope="disable", deleted="disable"),
    )


def job(text="a pr", units=("OU=A,DC=x", "OU=B,DC=x"), reads=("mail", "sn")):
    chosen = TypeFilter(text=text, tree=parse_filter(text))
    scope = ScopeProgram(
        types=("user", "group"), organizational_units=units, filters={"user": chosen}
    )
    return JobProgram(scope=scope, mappings=(mapping("user", *reads),))


def test_mapped_attributes_and_the_anchor_are_read():
    program = msgspec.structs.replace(
        job(),
        mappings=(
            mapping("user", "sn", "mail", "sourceanchor"),
            mapping("user", "title", "objectguid", "dn"),
            mapping("group", "cn"),
        ),
    )
    assert select_attributes_to_read(program) == {
        "user": ("mail", "ms-ds-consistencyguid", "sn", "title"),
        "group": ("cn", "ms-ds-consistencyguid"),
    }


def test_digest_ignores_spelling_and_order():
    same = job("A  PR", ("ou=b, dc=X", "ou=a,dc=x", "OU=A,DC=x"))
    assert digest_program(same) == digest_program(job())


def test_digest_depends_on_scope_and_attributes():
    others = [
        job("b pr"),
        job(units=("OU=A,DC=x",)),
        job(units=None),
        job(reads=("sn",)),
    ]
    digests = {digest_program(each) for each in (job(), *others)}
    assert len(digests) == 5


def test_digest_depends_on_one_level_and_excepted_units():
    whole = job()
    scopes = [
        msgspec.structs.replace(whole.scope, **{each: ("OU=C,DC=x",)})
        for each in ("one_level", "excepted")
    ]
    programs = [whole, *(msgspec.structs.replace(whole, scope=it) for it in scopes)]
    assert len({digest_program(each) for each in programs}) == 3


def test_digest_depends_on_the_meaning_of_scopes(monkeypatch):
    before = digest_program(job())
    monkeypatch.setattr(digest, "MEANING", digest.MEANING + 1)
    assert digest_program(job()) != before
