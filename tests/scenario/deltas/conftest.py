"""The domain, the running service, and a scenario's part of both."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import ldap3
import pytest
from tests.servers.samba import Contoso, Samba
from tests.servers.scim import ScimServer
from tests.support.lab import Lab
from tests.support.service import Service, running, tree_of

NUMBERS = itertools.count(1)


def make_lab(
    service: Service, target: ScimServer, connection: ldap3.Connection, folder: Path
) -> Lab:
    name = f"lab{next(NUMBERS):03}"
    made = Lab(service, target, connection, folder / "tree", name)
    made.add(made.unit, "organizationalUnit")
    made.declare()
    return made


@pytest.fixture(scope="session")
def service(
    contoso: Contoso, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service of all scenarios that need no other account."""
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
    """An empty OU in scope of a job that is registered and has not run."""
    return make_lab(service, scim_server(), administrator, tmp_path)
