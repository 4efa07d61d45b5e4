"""Entries are yielded as they arrive: Samba sends a whole domain as one response."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ldap3

from cloudforest.adapters.ldap.ber import SearchResultDone
from cloudforest.adapters.ldap.session import Session


def element(tag: int, content: bytes) -> bytes:
    """Encode a BER element with a short length."""
    return bytes([tag, len(content)]) + content


def entry(name: str) -> bytes:
    attributes = element(0x30, b"")
    found = element(0x64, element(0x04, f"CN={name},DC=x".encode()) + attributes)
    return element(0x30, element(0x02, b"\x01") + found)


DONE = element(
    0x30, element(0x02, b"\x01") + element(0x65, bytes.fromhex("0a010004000400"))
)


@contextmanager
def halting_server(goes_on: threading.Event) -> Iterator[int]:
    """Answer a search with two entries; send the rest when `goes_on` is set."""

    def serve() -> None:
        with listener.accept()[0] as client:
            client.recv(65536)
            client.sendall(entry("A") + entry("B") + entry("C")[:5])
            goes_on.wait(60)
            client.sendall(entry("C")[5:] + DONE)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        goes_on.set()
        thread.join(60)


def test_entries_are_yielded_before_the_response_ends():
    goes_on = threading.Event()
    with halting_server(goes_on) as port:
        server = ldap3.Server("127.0.0.1", port=port, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, receive_timeout=60)
        connection.open(read_server_info=False)
        session = Session(connection, "ldaps://dc1", "svc")
        entries = session.search(
            "DC=x", ldap3.SUBTREE, filter="(cn=*)", attributes=["cn"]
        )

        early = [next(entries).dn, next(entries).dn]
        assert not goes_on.is_set()
        goes_on.set()
        late = [next(entries).dn]
        try:
            next(entries)
        except StopIteration as ended:
            ending = ended.value
        connection.socket.close()

    assert early + late == ["CN=A,DC=x", "CN=B,DC=x", "CN=C,DC=x"]
    assert ending == SearchResultDone(0, "")
