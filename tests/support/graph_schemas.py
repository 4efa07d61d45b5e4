"""Strategies for Graph schemas, with missing and unknown members."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from tests.support.trees import registered

from cloudforest.graph.documents import ImportOrigin, write_documents
from cloudforest.graph.export_rules import ExportedSchema, export_jobs
from cloudforest.graph.import_rules import import_rules
from cloudforest.graph.schema import parse_schema, to_schema

TARGETS = (
    *("UserPrincipalName", "DisplayName", "GivenName", "Mail", "Department", "Manager"),
    *("userName", "name.givenName", 'emails[type eq "work"].value', "AccountEnabled"),
    *("CommonName", "ProxyAddresses", "", "urn:x:y:User:z", "members", "emails"),
    *(
        "id",
        "name.nickname",
        "displayName.value",
        'emails[kind eq "x"].value',
        "Groups",
    ),
)
EXPRESSIONS = (
    *("[userPrincipalName]", "[givenName]", 'Join(" ", [givenName], [sn])', '"Guest"'),
    *('Replace([mail], "-", , , "_", , )', "Mid([cn], 1, 8)", "5", "NoSuch([a])"),
    *("[unicodePwd]", "", "[x", "Guid()", "Now()", "[proxyAddresses]", "[member]"),
    *('Split([mail], "@")', 'Join("@", [cn], DefaultDomain())', "ToLower([title])"),
    'SelectUniqueValue([cn], Join("", [cn], "1"))',
)
FLOWS = ("Always", "objectAddOnly", "ValueAddOnly", "AttributeAddOnly", "Sometimes")
extra = st.fixed_dictionaries({}, optional={"future": st.just({"a": [1, None]})})
names = st.sampled_from(["department", "employeeType", "userPrincipalName"])


def with_extra(members, **optional):
    """Return objects with these members, some optional ones, and unknown ones."""
    known = st.fixed_dictionaries(members, optional=optional)
    return st.builds(lambda first, more: {**more, **first}, known, extra)


sources = with_extra(
    {"expression": st.sampled_from(EXPRESSIONS)},
    name=st.just("x"),
    type=st.sampled_from(["Attribute", "constant", "Function"]),
    parameters=st.just([]),
)
rows = with_extra(
    {
        "targetAttributeName": st.sampled_from(TARGETS),
        "source": st.none() | sources | sources,
    },
    defaultValue=st.sampled_from([None, "x", "True", ""]),
    flowType=st.sampled_from([*FLOWS, "MultiValueAddOnly"]),
    flowBehavior=st.sampled_from(["FlowWhenChanged", "FlowAlways", "flowalways", "No"]),
    matchingPriority=st.integers(-1, 3),
    exportMissingReferences=st.booleans(),
)
MATCH = {
    "targetAttributeName": "externalId",
    "matchingPriority": 1,
    "source": {"expression": "[objectGUID]"},
}
clauses = with_extra(
    {
        "sourceOperandName": names,
        "operatorName": st.sampled_from(
            ["EQUALS", "NOT EQUALS", "IS NULL", "REGEX MATCH", "Includes", "&"]
        ),
    },
    targetOperand=with_extra(
        {
            "values": st.lists(
                st.sampled_from(["a", "^b", "(c)", "2026-01-31", "^20260131080000Z$"]),
                max_size=2,
            )
        }
    ),
)
groups = with_extra(
    {"clauses": st.lists(clauses, max_size=2)}, name=st.text(max_size=3)
)
scopes = with_extra(
    {},
    groups=st.none() | st.lists(groups, max_size=2),
    inputFilterGroups=st.none() | st.lists(groups, max_size=1),
    categoryFilterGroups=st.just([]),
)
kinds = st.sampled_from(
    [
        *(("user", "User"), ("Group", "Group"), ("contact", "Contact")),
        *(("user", "Group"), ("group", "User"), ("device", "Device"), ("user", "a b")),
    ]
)


lists_of_rows = st.lists(rows, max_size=6)
object_mappings = st.builds(
    lambda kind, mapping, more: {
        **mapping,
        "sourceObjectName": kind[0],
        "targetObjectName": kind[1],
        "attributeMappings": more,
    },
    kinds,
    with_extra(
        {},
        enabled=st.booleans(),
        name=st.text(max_size=5),
        flowTypes=st.sampled_from(["Add,Update,Delete", "Add, Update", "Add"]),
        scope=st.none() | scopes,
        metadata=st.just([{"key": "Disposition", "value": "x"}]),
    ),
    lists_of_rows | lists_of_rows.map(lambda more: [MATCH, *more]),
)
dns = st.sampled_from(["OU=A,DC=contoso,DC=com", "CN=B,DC=contoso,DC=com"])
listed = st.lists(dns, max_size=2, unique=True)
where = st.one_of(
    extra,
    with_extra({"containerFilter": with_extra({"includedContainers": listed})}),
    with_extra({"groupFilter": with_extra({"includedGroups": listed})}),
    st.just({"containerFilter": None, "groupFilter": None}),
)
rules = st.builds(
    lambda place, rule, mappings: {**rule, **place, "objectMappings": mappings},
    where,
    with_extra(
        {},
        id=st.uuids().map(str),
        name=st.text(max_size=5),
        priority=st.integers(0, 5),
        editable=st.booleans(),
        metadata=st.just([{"key": "k", "value": None}]),
    ),
    st.lists(object_mappings, max_size=4),
)
schemas = with_extra(
    {"synchronizationRules": st.lists(rules, min_size=1, max_size=2)},
    id=st.text(max_size=5),
    version=st.text(max_size=5),
    directories=st.just(
        [{"name": "AD", "objects": [{"attributes": [{"name": "Cn"}]}]}]
    ),
)


def imported(schema, name: str = "x") -> str:
    shape = to_schema(parse_schema(json.dumps(schema).encode(), "x.json"))
    return write_documents(
        import_rules(shape, name), ImportOrigin("x.graph.json", "contoso.com")
    )


def exported(base, text: str) -> ExportedSchema:
    """Compile the documents beside a valid tree, and put them into the schema."""
    with tempfile.TemporaryDirectory() as folder:
        return export_jobs(base, "x", registered(Path(folder), x=text))
