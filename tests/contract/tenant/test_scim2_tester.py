"""The built-in directory passes the conformance suite scim2-tester (PyPI)."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import ScimProvider
from scim2_tester import Status, check_server


def _over_http(url: str):
    """Return a WSGI application that forwards every request to a real server."""
    host = urlsplit(url).netloc

    def forward(environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        path = environ["PATH_INFO"].encode("latin-1").decode()
        query = environ["QUERY_STRING"]
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request(
            environ["REQUEST_METHOD"],
            path + (f"?{query}" if query else ""),
            environ["wsgi.input"].read(length),
            {
                "Authorization": environ["HTTP_AUTHORIZATION"],
                "Content-Type": environ.get("CONTENT_TYPE", "application/json"),
            },
        )
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        start_response(f"{answer.status} {answer.reason}", answer.getheaders())
        return [body]

    return forward


def test_every_check_of_scim2_tester_passes(tenant_server):
    client = WSGISCIMClient(
        _over_http(tenant_server.url),
        base_url=tenant_server.url,
        headers={"Authorization": f"Bearer {tenant_server.token}"},
        provider=ScimProvider(),
    )
    results = check_server(client)
    failed = [
        f"{each.resource_type} {each.title}: {each.reason}"
        for each in results
        if each.status is not Status.SUCCESS
    ]
    assert not failed, "\n".join(failed)
    assert len(results) > 100
