"""One client of the built-in directory does not slow down the others."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import event

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.tenant import (
    ResourceContent,
    ResourceQuery,
    TenantDirectory,
)
from cloudforest.control_plane.tenant.http import MAX_BODY_BYTES

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def directory(tmp_path):
    """The directory that `tenant_server` serves, without HTTP."""
    database = Database(f"sqlite:///{tmp_path / 'tenant.db'}")
    yield TenantDirectory(database)
    database.close()


def user_content(number):
    mail = {"type": "work", "value": f"u{number}@contoso.com"}
    body = {"schemas": [USER], "userName": f"u{number}", "emails": [mail]}
    return ResourceContent(
        json.dumps(body).encode(), {"userName": f"u{number}"}, "userName"
    )


async def test_filter_without_index_does_not_block_other_requests(
    tenant_server, directory
):
    for number in range(1200):
        await directory.create("User", user_content(number))
    slow = "/Users?filter=" + quote('emails[type eq "work" and value eq "x@x.org"]')
    waits = []
    with ThreadPoolExecutor(1) as others:
        began = time.perf_counter()
        scan = others.submit(tenant_server.request, "GET", slow)
        while not scan.done():
            asked = time.perf_counter()
            tenant_server.request("GET", "/Users?count=1")
            waits.append(time.perf_counter() - asked)
        took = time.perf_counter() - began
    status, page = scan.result()
    assert (status, page.get("totalResults")) == (200, 0), page
    assert len(waits) > 5
    assert max(waits) < took / 2


async def test_members_of_all_groups_of_page_are_read_in_one_query(directory):
    for number in range(30):
        members = {f"m{number}": b'{"value":"m"}', "all": b'{"value":"all"}'}
        await directory.create("Group", ResourceContent(b"{}", {}, members=members))
    statements = []

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(directory.database.engine, "before_cursor_execute", note)
    found = await directory.list_resources(ResourceQuery("Group"), members=True)
    assert [sorted(each.members) for each in found] == [
        ["all", f"m{number}"] for number in range(30)
    ]
    assert len(statements) == 3


def test_answer_is_sent_in_one_part(tenant_server):
    connection = http.client.HTTPConnection(urlsplit(tenant_server.url).netloc)
    headers = {"Authorization": f"Bearer {tenant_server.token}"}
    took = []
    for _ in range(15):
        began = time.perf_counter()
        connection.request("GET", "/Users", headers=headers)
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
    connection.close()
    # Sent in parts, it would take 40 ms: the client delays its acknowledgement.
    assert sorted(took)[len(took) // 2] < 0.03


def _post(server, body):
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}"}
    connection.request("POST", "/Users", body, headers)
    with connection.getresponse() as answer:
        found = answer.status, json.load(answer)
    connection.close()
    return found


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_body_is_refused(tenant_server, chunked):
    largest = json.dumps({"schemas": [USER], "userName": "u"}).encode()
    largest += b" " * (MAX_BODY_BYTES - len(largest))
    for body, status in ((largest, 201), (largest + b" ", 413)):
        answer = _post(tenant_server, iter([body]) if chunked else body)
        assert answer[0] == status
    assert (answer[1]["schemas"], answer[1]["status"]) == ([ERROR], "413")
    assert str(MAX_BODY_BYTES) in answer[1]["detail"]
