"""The built-in directory over HTTP, beyond what scim2-tester checks."""

from __future__ import annotations

import sqlite3
import time
from urllib.parse import quote

import pytest

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
CONTACT = "urn:cloudforest:2.0:Contact"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def create(server, name, **values):
    body = {"schemas": [USER], "userName": name, **values}
    status, user = server.request("POST", "/Users", body)
    assert status == 201, user
    return user


def create_group(server, *members, name="Everybody"):
    body = {
        "schemas": [GROUP],
        "displayName": name,
        "members": [{"value": each} for each in members],
    }
    status, group = server.request("POST", "/Groups", body)
    assert status == 201, group
    return group


def patch(server, path, *operations):
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return server.request("PATCH", path, body)


def find(server, text, endpoint="Users"):
    query = f"/{endpoint}?filter={quote(text)}"
    status, page = server.request("GET", query)
    assert status == 200, page
    return sorted(
        each.get("userName") or each["displayName"] for each in page["Resources"]
    )


def members_of(server, group):
    _, found = server.request("GET", f"/Groups/{group['id']}")
    return sorted(each["value"] for each in found.get("members", []))


def test_user_name_is_unique_without_regard_to_case(tenant_server):
    zoe = create(tenant_server, "Zoë@contoso.com")
    bob = create(tenant_server, "bob@contoso.com")
    body = {"schemas": [USER], "userName": "zoË@CONTOSO.com"}
    rename = {"op": "replace", "path": "userName", "value": "ZOË@contoso.com"}
    for status, error in (
        tenant_server.request("POST", "/Users", body),
        tenant_server.request("PUT", f"/Users/{bob['id']}", body),
        patch(tenant_server, f"/Users/{bob['id']}", rename),
    ):
        assert (status, error["scimType"]) == (409, "uniqueness")
    assert patch(tenant_server, f"/Users/{zoe['id']}", rename)[0] == 204
    tenant_server.request("DELETE", f"/Users/{zoe['id']}")
    assert tenant_server.request("POST", "/Users", body)[0] == 201


def test_manager_is_accepted_with_id_only(tenant_server):
    """Otherwise each creation with a manager would take two requests."""
    zoe = create(tenant_server, "zoe")
    named = {ENTERPRISE: {"manager": {"value": zoe["id"]}}}
    bob = create(tenant_server, "bob", schemas=[USER, ENTERPRISE], **named)
    _, read = tenant_server.request("GET", f"/Users/{bob['id']}")
    assert read[ENTERPRISE]["manager"]["value"] == zoe["id"]


def test_patch_is_atomic(tenant_server):
    zoe = create(tenant_server, "zoe", title="Boss")
    status, error = patch(
        tenant_server,
        f"/Users/{zoe['id']}",
        {"op": "replace", "path": "title", "value": "Chief"},
        {"op": "replace", "path": "nonsense", "value": "x"},
    )
    assert (status, error["schemas"]) == (400, [ERROR])
    assert tenant_server.request("GET", f"/Users/{zoe['id']}")[1] == zoe


def test_patch_without_changes_keeps_version(tenant_server):
    zoe = create(tenant_server, "zoe", title="Boss")
    same = {"op": "replace", "path": "title", "value": "Boss"}
    assert patch(tenant_server, f"/Users/{zoe['id']}", same)[0] == 204
    assert tenant_server.request("GET", f"/Users/{zoe['id']}")[1] == zoe


def test_changed_user_is_found_by_new_values_only(tenant_server):
    zoe = create(tenant_server, "zoe", externalId="A1", displayName="Zoë")
    path = f"/Users/{zoe['id']}"
    title = {"op": "add", "path": "title", "value": "Boss"}
    assert patch(tenant_server, path, title)[0] == 204
    assert find(tenant_server, 'externalId eq "A1"') == ["zoe"]
    changes = [
        {"op": "replace", "path": "externalId", "value": "A2"},
        {"op": "remove", "path": "displayName"},
    ]
    assert patch(tenant_server, path, *changes)[0] == 204
    for text, names in (
        ('externalId eq "A1"', []),
        ('externalId eq "A2"', ["zoe"]),
        ('displayName eq "Zoë"', []),
        ('userName eq "zoe"', ["zoe"]),
    ):
        assert find(tenant_server, text) == names
    body = {"schemas": [USER], "userName": "zoe2", "externalId": "A3"}
    assert tenant_server.request("PUT", path, body)[0] == 200
    assert find(tenant_server, 'externalId eq "A2" or externalId eq "A3"') == ["zoe2"]
    assert find(tenant_server, 'externalId eq "A2"') == []


def test_outdated_version_is_refused(tenant_server):
    zoe = create(tenant_server, "zoe")
    path = f"/Users/{zoe['id']}"
    change = {
        "schemas": [PATCH_OP],
        "Operations": [{"op": "add", "path": "title", "value": "Boss"}],
    }
    known = {"If-Match": zoe["meta"]["version"]}
    assert tenant_server.request("PATCH", path, change, known)[0] == 204
    assert tenant_server.request("PATCH", path, change, known)[0] == 412
    assert tenant_server.request("DELETE", path, None, known)[0] == 412


def test_patch_with_value_filter_adds_missing_value(tenant_server):
    zoe = create(tenant_server, "zoe")
    mail = {"op": "add", "path": 'emails[type eq "work"].value', "value": "z@x.org"}
    assert patch(tenant_server, f"/Users/{zoe['id']}", mail)[0] == 204
    _, after = tenant_server.request("GET", f"/Users/{zoe['id']}")
    assert after["emails"] == [{"type": "work", "value": "z@x.org"}]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('userName eq "ZOE"', ["zoe"]),
        ('externalId eq "A1"', ["zoe"]),
        ('externalId eq "a1"', []),
        ('displayName eq "zoë" and title pr', ["zoe"]),
        ('title pr and userName eq "bob"', []),
        ('userName eq "bob" or title eq "boss"', ["bob", "zoe"]),
        ('not (userName sw "z") and active eq true', ["bob"]),
        ('emails[type eq "work" and value co "@x"]', ["zoe"]),
        (f'{ENTERPRISE}:department eq "law"', ["bob"]),
        ('meta.created gt "2000-01-01T00:00:00Z"', ["bob", "zoe"]),
    ],
)
def test_filters_follow_the_rfc(tenant_server, text, names):
    mail = {"type": "work", "value": "z@x.org"}
    create(
        tenant_server,
        "zoe",
        externalId="A1",
        displayName="Zoë",
        title="Boss",
        emails=[mail],
    )
    values = {"schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "Law"}}
    create(tenant_server, "bob", active=True, **values)
    assert find(tenant_server, text) == names


def test_invalid_filter_is_refused(tenant_server):
    for text in ("userName%20eq", "nonsense%20pr"):
        status, error = tenant_server.request("GET", f"/Users?filter={text}")
        assert (status, error["scimType"]) == (400, "invalidFilter")


def test_deleted_user_leaves_all_groups(tenant_server):
    zoe, bob = create(tenant_server, "zoe"), create(tenant_server, "bob")
    group = create_group(tenant_server, zoe["id"], bob["id"])
    tenant_server.request("DELETE", f"/Users/{zoe['id']}")
    assert members_of(tenant_server, group) == [bob["id"]]


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "c"}]}, "abc"),
        ({"op": "Add", "path": "members", "value": {"value": "a"}}, "ab"),
        ({"op": "add", "value": {"members": [{"value": "c"}]}}, "abc"),
        ({"op": "remove", "path": 'members[value eq "a"]'}, "b"),
        ({"op": "remove", "path": 'members[value eq "z"]'}, "ab"),
        ({"op": "Remove", "path": "members", "value": [{"value": "a"}]}, "b"),
        ({"op": "remove", "path": "members"}, ""),
        ({"op": "replace", "path": "members", "value": [{"value": "c"}]}, "c"),
        ({"op": "replace", "path": "displayName", "value": "All"}, "ab"),
    ],
)
def test_members_change_by_every_form_of_patch(tenant_server, operation, after):
    group = create_group(tenant_server, "a", "b")
    status, error = patch(tenant_server, f"/Groups/{group['id']}", operation)
    assert status == 204, error
    assert members_of(tenant_server, group) == list(after)


def test_change_of_one_member_does_not_rewrite_large_group(tenant_server):
    group = create_group(tenant_server)
    path = f"/Groups/{group['id']}"
    for start in range(0, 50_000, 10_000):
        many = [{"value": f"m{each}"} for each in range(start, start + 10_000)]
        add = {"op": "add", "path": "members", "value": many}
        assert patch(tenant_server, path, add)[0] == 204
    began = time.perf_counter()
    for each in range(20):
        one = {"op": "add", "path": "members", "value": [{"value": f"new{each}"}]}
        gone = {"op": "remove", "path": f'members[value eq "m{each}"]'}
        name = {"op": "replace", "path": "displayName", "value": f"Name {each}"}
        for operation in (one, gone, name):
            assert patch(tenant_server, path, operation)[0] == 204
    assert time.perf_counter() - began < 2
    assert len(members_of(tenant_server, group)) == 50_000


def test_members_are_left_out_on_request(tenant_server):
    create_group(tenant_server, "a")
    _, page = tenant_server.request("GET", "/Groups?excludedAttributes=members")
    (group,) = page["Resources"]
    assert "members" not in group
    assert group["displayName"] == "Everybody"
    _, named = tenant_server.request("GET", "/Groups?attributes=members")
    assert named["Resources"][0]["members"] == [{"value": "a"}]


def test_contacts_have_their_own_type(tenant_server):
    contact = {
        "schemas": [CONTACT],
        "displayName": "Ann Other",
        "externalId": "A1",
        "name": {"givenName": "Ann"},
        "emails": [{"type": "work", "value": "ann@other.org"}],
    }
    status, created = tenant_server.request("POST", "/Contacts", contact)
    assert status == 201
    assert created.items() > contact.items()
    assert find(tenant_server, 'externalId eq "A1"', "Contacts") == ["Ann Other"]
    assert tenant_server.request("GET", f"/Users/{created['id']}")[0] == 404


def test_pages_are_in_order_of_creation(tenant_server):
    for number in range(7):
        create(tenant_server, f"user{number}")
    found = []
    for start in (1, 4, 7, 10):
        query = f"/Users?startIndex={start}&count=3"
        _, page = tenant_server.request("GET", query)
        assert page["totalResults"] == 7
        found += [each["userName"] for each in page["Resources"]]
    assert found == [f"user{number}" for number in range(7)]
    filtered = "/Users?startIndex=3&count=2&filter=userName%20sw%20%22user%22"
    _, page = tenant_server.request("GET", filtered)
    assert page["totalResults"] == 7
    assert [each["userName"] for each in page["Resources"]] == ["user2", "user3"]


def test_password_is_neither_stored_nor_shown(tenant_server, tmp_path):
    zoe = create(tenant_server, "zoe", password="hunter2-hunter2")
    change = {"op": "replace", "path": "password", "value": "hunter3-hunter3"}
    assert patch(tenant_server, f"/Users/{zoe['id']}", change)[0] == 204
    assert "password" not in tenant_server.request("GET", f"/Users/{zoe['id']}")[1]
    with sqlite3.connect(tmp_path / "tenant.db") as database:
        dump = "\n".join(map(str, database.execute("SELECT * FROM tenant_resource")))
    database.close()
    assert "zoe" in dump
    assert "hunter" not in dump


@pytest.mark.parametrize("path", ["/Users", "/ServiceProviderConfig", "/nothing"])
def test_request_without_token_is_rejected(tenant_server, path):
    stranger = type(tenant_server)(tenant_server.url, "wrong", tenant_server.counter)
    status, error = stranger.request("GET", path)
    assert (status, error["schemas"]) == (401, [ERROR])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/Users/nobody", None, 404),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/Schemas", None, 405),
        ("POST", "/Users", ["a list"], 400),
        ("POST", "/Users", {"schemas": [USER], "userName": "z", "shoeSize": 9}, 400),
        ("PATCH", "/Groups/x", {"Operations": [1]}, 400),
        ("GET", "/Users?sortBy=userName", None, 501),
    ],
)
def test_errors_follow_the_rfc(tenant_server, method, path, body, status):
    answered, error = tenant_server.request(method, path, body)
    assert (answered, error["schemas"], error["status"]) == (
        status,
        [ERROR],
        str(status),
    )
    assert "Traceback" not in str(error)
