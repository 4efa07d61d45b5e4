"""A running SCIM service for tests: plain requests, and counts of requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class ScimServer:
    """A running SCIM service; `url` is its base URL."""

    url: str
    token: str
    counter: Callable[[], dict[str, int]]
    noted: Callable[[], list[Any]] = list
    """Every request so far, if the server records them: method, path, body."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Send one request; it counts like any other."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/scim+json",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")

    def counts(self) -> Counter[str]:
        """Return the number of requests so far, by method."""
        return Counter(self.counter())

    def writes(self) -> int:
        counts = self.counts()
        return sum(counts[each] for each in WRITES)

    def users(self) -> list[dict[str, Any]]:
        return self.every("Users")

    def groups(self) -> list[dict[str, Any]]:
        return self.every("Groups")

    def every(self, endpoint: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            start = len(found) + 1
            status, page = self.request(
                "GET", f"/{endpoint}?startIndex={start}&count=500"
            )
            assert status == 200, page
            found += page.get("Resources", [])
            if len(found) >= page["totalResults"]:
                return found
