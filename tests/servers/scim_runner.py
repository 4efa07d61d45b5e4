"""Run scim2-server from PyPI, and record each request.

    scim_runner.py [PORT JOURNAL]

The first line of stdin is the token; the port is printed to stdout. Users have a
custom extension schema with an attribute of every type. With a JOURNAL, the resources
survive the process like those of a database: each write is in the file before it is
answered.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from threading import Lock
from urllib.parse import unquote
from wsgiref.simple_server import WSGIRequestHandler, make_server

from scim2_models import ResourceType, Schema, ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

WRITES = ("POST", "PUT", "PATCH", "DELETE")
EXTENSION = "urn:contoso:2.0:User"


def attribute(name, kind, *parts, many=False):
    made = {"name": name, "type": kind, "multiValued": many, "required": False}
    return made | ({"subAttributes": list(parts)} if parts else {})


ATTRIBUTES = (
    attribute("badge", "integer"),
    attribute("cleared", "boolean"),
    attribute("rate", "decimal"),
    attribute("hired", "dateTime"),
    attribute("seal", "binary"),
    attribute("motto", "string"),
    attribute("mentor", "string"),
    attribute("skills", "string", many=True),
    attribute("floors", "integer", many=True),
    attribute(
        "office", "complex", attribute("room", "string"), attribute("floor", "integer")
    ),
    attribute(
        "desks",
        "complex",
        attribute("type", "string"),
        attribute("number", "integer"),
        attribute("label", "string"),
        many=True,
    ),
)


def provider_of_tests():
    """Describe what scim2-server serves, and our extension of its Users."""
    schema = {"id": EXTENSION, "name": "Contoso", "attributes": list(ATTRIBUTES)}
    types = load_default_resource_types()
    user = types["User"].model_dump()
    user["schemaExtensions"].append({"schema": EXTENSION, "required": False})
    types["User"] = ResourceType.model_validate(user)
    return ScimProvider.from_discovery(
        [*load_default_schemas().values(), Schema.model_validate(schema)],
        types.values(),
        config=load_default_service_provider_config(),
    )


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments):
        pass


class Journalled(InMemoryStorage):
    """Keeps every write in a file, and starts with the resources of that file."""

    def __init__(self, path, provider):
        super().__init__()
        self.path = path
        self.resources = [*self._kept(provider).values()]

    def _kept(self, provider):
        kept = {}
        for line in self.path.open(encoding="utf-8") if self.path.exists() else ():
            name, resource_id, resource = json.loads(line)
            kept.pop(resource_id, None)
            if resource is not None:
                model = provider.model_for(name)
                kept[resource_id] = model.model_validate(resource)
        return kept

    def _note(self, name, resource_id, resource):
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, resource_id, resource]) + "\n")

    def _store(self, resource, values):
        super()._store(resource, values)
        self._note(resource.meta.resource_type, resource.id, resource.model_dump())

    def delete(self, resource_type, resource_id, *, expected_version=None):
        super().delete(resource_type, resource_id, expected_version=expected_version)
        self._note(resource_type.name, resource_id, None)


class Noting:
    """Serves one empty directory after another: `/__reset__` starts the next.

    `/__die__?N`: the Nth write from now is done, but not answered.
    """

    def __init__(self, token, journal):
        self.token = token
        self.journal = journal
        self.lock = Lock()
        self.reset()

    def reset(self):
        self.counts: Counter[str] = Counter()
        self.requests = []
        self.left = None
        provider = provider_of_tests()
        storage = (
            Journalled(self.journal, provider) if self.journal else InMemoryStorage()
        )
        self.application = BearerTokenApplication(
            storage, provider, bearer_tokens=[self.token]
        )

    def __call__(self, environ, start_response):
        answer = {}
        match environ["PATH_INFO"]:
            case "/__reset__":
                self.reset()
            case "/__counts__":
                answer = self.counts
            case "/__requests__":
                answer = self.requests
            case "/__die__":
                self.left = int(environ["QUERY_STRING"])
            case _:
                return self._serve(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def _serve(self, environ, start_response):
        last = self._note(environ)
        answer = self.application(environ, start_response)
        if last:
            os._exit(1)
        return answer

    def _note(self, environ):
        """Record the request; return whether it is the last one to be done."""
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        environ["wsgi.input"] = io.BytesIO(data)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query = unquote(environ["QUERY_STRING"].replace("+", " "))
        path += f"?{query}" if query else ""
        with self.lock:
            self.counts[method] += 1
            self.requests.append([method, path, json.loads(data) if data else None])
            if self.left is None or method not in WRITES:
                return False
            self.left -= 1
            return self.left == 0


def main() -> None:
    token = sys.stdin.readline().strip()
    port, *journal = sys.argv[1:] or ["0"]
    server = make_server(
        "127.0.0.1",
        int(port),
        Noting(token, Path(*journal) if journal else None),
        server_class=ThreadingWSGIServer,
        handler_class=Quiet,
    )
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
