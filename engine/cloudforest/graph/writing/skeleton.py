"""A schema for a job that was never in Graph: everything else is put into it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job

SOURCE = "Active Directory"
_ATTRIBUTE: dict[str, Any] = {
    "anchor": False,
    "caseExact": False,
    "defaultValue": None,
    "metadata": [],
    "multivalued": False,
    "mutability": "ReadWrite",
    "referencedObjects": [],
    "required": False,
    "type": "String",
}


def skeleton(job: Job, program: JobProgram) -> dict[str, Any]:
    """Return both directories with the attributes that are mapped, and one empty rule.

    Ids are left out: only the service knows which ones it recognises.
    """
    mappings = program.mappings
    sources = [(each.source, each.reads) for each in mappings]
    targets = [(each.target, (r.target for r in each.rules)) for each in mappings]
    return {
        "directories": [_directory(SOURCE, sources), _directory(job.target, targets)],
        "synchronizationRules": [
            {
                "editable": True,
                "metadata": [],
                "name": job.name,
                "objectMappings": [],
                "priority": 1,
                "sourceDirectoryName": SOURCE,
                "targetDirectoryName": job.target,
            }
        ],
    }


def _directory(
    name: str, objects: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, Any]:
    return {
        "name": name,
        "objects": [
            {
                "name": each,
                "metadata": [],
                "attributes": [{**_ATTRIBUTE, "name": one} for one in attributes],
            }
            for each, attributes in objects
        ],
    }
