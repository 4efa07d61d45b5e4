"""Fixtures: a real Active Directory domain, empty or with people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.contoso import Account, population
from tests.servers.controller import provisioned, require
from tests.servers.domain import REALM, Samba

__all__ = ["Contoso", "Samba", "contoso", "lab_domain", "require", "running", "samba"]


@pytest.fixture(scope="session")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """An empty domain, for tests that add their own objects."""
    with running(tmp_path_factory.mktemp("samba")) as controller:
        yield controller


@dataclass(frozen=True)
class Contoso:
    """The domain with people; `delegated` may only replicate."""

    samba: Samba
    delegated: Account
    unprivileged: Account


@pytest.fixture(scope="session")
def contoso(samba: Samba) -> Contoso:
    samba.add(population())
    delegated = samba.account("svc-sync")
    unprivileged = samba.account("svc-plain")
    samba.let_replicate("svc-sync", deleted=True)
    return Contoso(samba, delegated, unprivileged)


@pytest.fixture(scope="session")
def lab_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """The other domain of the forest, a child of contoso.com by name."""
    with running(tmp_path_factory.mktemp("lab"), "LAB.CONTOSO.COM") as controller:
        yield controller


@contextlib.contextmanager
def running(folder: Path, realm: str = REALM) -> Iterator[Samba]:
    """Provision a domain in `folder` and run it until the block ends."""
    with provisioned(folder, realm=realm) as controller:
        yield controller.samba
