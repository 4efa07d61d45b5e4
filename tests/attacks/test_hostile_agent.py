"""An agent that its service must survive: what it sends over the bus."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from tests.support.memory import peak_mebibytes

from cloudforest.adapters.bus.protocol import unpack_page
from cloudforest.base.errors import Rejected

LIMIT = 250
"""In MiB, for the whole process."""

UNPACK = """
from pathlib import Path
from cloudforest.adapters.bus.protocol import unpack_page
from cloudforest.base.errors import Rejected

data = Path({path!r}).read_bytes()
try:
    unpack_page(data)
except Rejected:
    accepted = False
else:
    accepted = True
assert accepted is {accepted}
"""
HEAD = (
    '"urn:cloudforest:2.0:SyncPage": {"agent": "a", "request": "r", "sequence": 0,'
    ' "cursor": null, "closing": null}}'
)
PERSON = (
    '{"record": "in", "id": "i", "type": "user", "dn": "d", "parent": null,'
    ' "anchor": "a", "attributes": {"mail": ['
)


def page_of(unit: str, count: int, before: str = "", after: str = "") -> bytes:
    """Return a page whose list of records holds the unit so many times."""
    units = ",".join([unit] * count)
    return (
        '{"schemas": ["a", "b"], "totalResults": 1, "Resources": ['
        f"{before}{units}{after}], {HEAD}"
    ).encode()


@pytest.mark.parametrize(
    ("make", "accepted"),
    [
        (lambda: page_of("{}", 10_000_000), False),
        (lambda: page_of("{}", 500_000), False),
        (lambda: page_of("[]", 500_000), False),
        (lambda: page_of('{"record": "gone", "id": ""}', 2_000_000), False),
        (lambda: page_of('"x"', 10_000_000, PERSON, "]}}"), False),
        (lambda: page_of('"x"', 400_000, PERSON, "]}}"), True),
        (lambda: b"[" * 2_000_000 + HEAD.encode(), False),
        (lambda: bytes(2**28), False),
    ],
    ids=[
        "objects",
        "fewer objects",
        "lists",
        "records",
        "values",
        "full page",
        "depth",
        "zeros",
    ],
)
def test_page_takes_little_memory(tmp_path: Path, make, accepted) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"P" + zstandard.compress(make()))
    code = UNPACK.format(path=str(path), accepted=accepted)
    assert peak_mebibytes(code) < LIMIT


@pytest.mark.parametrize("text", [b"", b"\xff", b'{"\xff": 1}', b"null", b"{}"])
def test_malformed_page_is_an_error_and_no_bug(text: bytes) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        unpack_page(b"P" + zstandard.compress(text))
