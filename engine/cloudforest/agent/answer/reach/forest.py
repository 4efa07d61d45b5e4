"""The domains that an agent reads, as far as the groups of a scope reach into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloudforest.base.errors import Refused
from cloudforest.model.messages import Lookup
from cloudforest.model.ports import Directory
from cloudforest.model.program import ScopeProgram
from cloudforest.program.scoping.dn import domain_of

Homes = Mapping[str, str]
"""The domain that each DN is to be found in."""


@dataclass(frozen=True)
class Forest:
    """`home` is the job's domain. The directories are keyed by names in lower case."""

    home: str
    directories: Mapping[str, Directory]

    def homes(self, scope: ScopeProgram) -> Homes:
        """Return where to look for what a scope names: for OUs, always at home.

        Raises Refused for a group of a domain that this agent does not read.
        """
        groups = {dn: domain_of(dn) or self.home for dn in scope.groups}
        for dn, domain in groups.items():
            if domain not in self.directories:
                raise Refused(
                    f"The scope names {dn}, and the agent that was asked can't read "
                    f"{domain}. Every agent of {self.home} needs {domain} among its "
                    "domains; `cloudforest status` says what keeps one from it."
                )
        return {**dict.fromkeys(scope.places, self.home), **groups}

    async def resolve(self, homes: Homes) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        found: dict[str, str] = {}
        for domain, dns in _by_home(homes, homes):
            found |= await self.directories[domain].resolve(dns)
        return found

    async def names(self, guids: Mapping[str, str], homes: Homes) -> dict[str, str]:
        """Return the DNs of now of those objects that exist, keyed by objectGUID."""
        found: dict[str, str] = {}
        for domain, dns in _by_home(guids, homes):
            lookups = [Lookup(by="guid", value=guids[dn]) for dn in dns]
            read = self.directories[domain].read(lookups, ())
            found |= {each.guid: each.dn async for each in read if not each.deleted}
        return found


def _by_home(dns: Iterable[str], homes: Homes) -> Iterator[tuple[str, list[str]]]:
    held: dict[str, list[str]] = {}
    for dn in dns:
        held.setdefault(homes[dn], []).append(dn)
    yield from held.items()


def forest_of(domain: str, directories: Mapping[str, Directory]) -> Forest:
    return Forest(
        home=domain.lower(),
        directories={name.lower(): each for name, each in directories.items()},
    )
