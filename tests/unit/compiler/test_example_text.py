from __future__ import annotations

from datetime import UTC, datetime

from tests.support.trees import STAFF, compiled, registered

from cloudforest.compiler.example_text import (
    ShownObject,
    make_example_object,
    write_example,
)

GUID = "6f1c7a52-0c5e-4a0e-8a55-0d7b6f1f2a11"
ANCHOR = "0b7e1d7e-53ab-4c0f-9d4b-1f0c7e1d2a22"
ADA = ShownObject(
    GUID,
    {
        "type": "user",
        "dn": "CN=Ada,DC=contoso,DC=com",
        "anchor": ANCHOR,
        "attributes": {"givenname": ["Ada"], "title": ["Dr"], "info": ["[redacted]"]},
        "memberOf": {"count": 1, "first": ["cn=cloud,DC=contoso,DC=com"]},
    },
    "[redacted]",
    datetime(2026, 11, 23, 8, tzinfo=UTC),
)


TIMED = STAFF.replace(
    "sensitive: true}}",
    "sensitive: true},"
    " locale: {source: 'RandomString(8, 1, 1, 1, 1)', flowType: ObjectAddOnly},"
    " userType: {source: '\"since \" & CStr(Now())', flowType: ObjectAddOnly}}",
)


def written(folder, more: str = STAFF, **replaced: tuple[str, ...]) -> str:
    program = registered(folder, more=more).programs["staff"]
    subject = make_example_object(ADA, program.scope, replaced)
    mapping = next(each for each in program.mappings if each.source == "user")
    return write_example(
        subject, mapping, program.scope, name="ada", scope_name="staff"
    )


def test_written_example_passes(tmp_path):
    text = written(tmp_path, employeetype=("staff",), title=("Prof",))
    assert "scope: staff\n" in text
    assert "cn=cloud" not in text.lower().replace("cn=cloud,dc=contoso,dc=com", "", 1)
    assert f"externalId: {ANCHOR}" in text.replace('"', "")
    assert "Dr" not in text
    assert "redacted" not in text
    assert "now:" not in text
    assert "title: Prof" in text
    assert compiled(tmp_path, more=STAFF, ada=text).diagnostics == ()


def test_attributes_keep_the_spelling_of_mapping_and_scope(tmp_path):
    more = STAFF.replace(
        "nickName: {source", "locale: {template: '{{ Co }} title'}, nickName: {source"
    )
    text = written(tmp_path, more, employeetype=("staff",), co=("DE",))
    lines = [each.split(":")[0].strip() for each in text.splitlines()]
    assert {"givenName", "employeeType", "Co", "objectGUID"} <= {*lines}
    assert not {"givenname", "employeetype", "co", "objectguid"} & {*lines}
    assert compiled(tmp_path, more=more, ada=text).diagnostics == ()


def test_anchor_is_replaced_by_either_name(tmp_path):
    text = written(tmp_path, employeetype=("staff",), sourceanchor=(GUID[::-1],))
    assert ANCHOR not in text
    assert f"mS-DS-ConsistencyGuid: {GUID[::-1]}" in text.replace('"', "")
    assert compiled(tmp_path, more=STAFF, ada=text).diagnostics == ()


def test_scope_is_a_comment_if_its_filter_reads_unsent_attributes(
    tmp_path,
):
    text = written(tmp_path, title=())
    assert "\n# scope: staff   # filters.user" in text
    assert "title" not in text
    assert compiled(tmp_path, more=STAFF, ada=text).diagnostics == ()


def test_now_is_written_if_the_mapping_uses_it(tmp_path):
    text = written(tmp_path, TIMED, employeetype=("staff",))
    assert "now: 2026-11-23T08:00:00Z" in text.replace('"', "")
    assert "since 11/23/2026 8:00:00 AM" in text
    assert "locale" not in text
    assert compiled(tmp_path, more=TIMED, ada=text).diagnostics == ()
