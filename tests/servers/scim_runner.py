"""Run PyPI scim2-server on a free port, counting requests by method at the server.

The token comes as the first line of standard input; the port goes to standard output.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from threading import Lock
from wsgiref.simple_server import WSGIRequestHandler, make_server

from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_provider


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments):
        pass


class Fresh:
    """Serves one empty directory after another: `POST /__reset__` begins the next."""

    def __init__(self, token):
        self.token = token
        self.lock = Lock()
        self.reset()

    def reset(self):
        self.counts: Counter[str] = Counter()
        self.application = BearerTokenApplication(
            InMemoryStorage(), load_default_provider(), bearer_tokens=[self.token]
        )

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/__reset__":
            self.reset()
        elif environ["PATH_INFO"] != "/__counts__":
            with self.lock:
                self.counts[environ["REQUEST_METHOD"]] += 1
            return self.application(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.counts).encode()]


def main() -> None:
    token = sys.stdin.readline().strip()
    server = make_server(
        "127.0.0.1",
        0,
        Fresh(token),
        server_class=ThreadingWSGIServer,
        handler_class=Quiet,
    )
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


main()
