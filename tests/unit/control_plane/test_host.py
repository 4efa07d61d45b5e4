from __future__ import annotations

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.host import listen_on_loopback, socket_url


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8080", "contoso.com:80", "127.0.0.1", "127.0.0.1:http"]
)
def test_listen_address_must_be_loopback_with_a_port(address: str):
    with pytest.raises(Misconfigured, match="--listen"):
        listen_on_loopback(address)


def test_port_in_use_is_named_in_the_error():
    with listen_on_loopback("127.0.0.1:0") as taken:
        address = socket_url(taken).removeprefix("http://")
        with pytest.raises(Misconfigured, match=address):
            listen_on_loopback(address)
