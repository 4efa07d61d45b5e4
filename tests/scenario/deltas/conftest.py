"""The domain, the running service, and the part of both that one scenario uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import ldap3
import pytest
from tests.servers.samba import Contoso, Samba
from tests.servers.scim import ScimServer
from tests.support.lab import Lab, make_lab
from tests.support.service import Service, running, tree_of


@pytest.fixture(scope="session")
def service(
    contoso: Contoso, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service that scenarios share unless they need another account."""
    folder = tmp_path_factory.mktemp("service") / "tree"
    with running(tree_of(folder, contoso.samba, contoso.delegated)) as service:
        yield service


@pytest.fixture(scope="session")
def administrator(samba: Samba) -> Iterator[ldap3.Connection]:
    with samba.connection() as connection:
        yield connection


@pytest.fixture
def lab(
    service: Service,
    administrator: ldap3.Connection,
    scim_server: Callable[[], ScimServer],
    tmp_path: Path,
) -> Lab:
    """An empty OU in the scope of a registered job that has not run."""
    return make_lab(service, scim_server(), administrator, tmp_path)
