"""People missing from an export: gone if it is proved complete, else unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.exports import BASE, exported, guid_of, person, write_export
from tests.support.installed import Installed


def deletion_state(cloudforest: Installed) -> dict[str, Any]:
    ran = cloudforest("status", "--format", "json")
    assert ran.code == 0, ran
    (job,) = ran.json["jobs"]
    return {
        key: job[key] for key in ("deletions", "lacks", "unknown", "unknownObjects")
    }


def test_unproven_export_adds_people_and_removes_nobody(
    tmp_path: Path,
) -> None:
    bert, carl = (person(each, title="Clerk") for each in ("bert", "carl"))
    managed = {"manager": f"CN=bert,{BASE}"}
    anna = person("anna", title="Clerk", **managed)
    cloudforest = exported(tmp_path, anna, bert)
    assert cloudforest.up_once()["counts"]["create"] == 2
    seen = {"deletions": "seen", "lacks": [], "unknown": 0, "unknownObjects": []}
    assert deletion_state(cloudforest) == seen

    head = person("anna", title="Head", **managed)
    write_export(tmp_path, head, carl, proved=False)
    counts = cloudforest.up_once()["counts"]

    assert (counts["create"], counts["update"], counts["inScope"]) == (1, 1, 3)
    assert counts["disable"] == counts["delete"] == counts["blank"] == 0
    found = deletion_state(cloudforest)
    assert found["deletions"] == "unseen"
    assert ["manifest" in each for each in found["lacks"]] == [True]
    assert (found["unknown"], found["unknownObjects"]) == (1, [guid_of("bert")])
    assert "manifest" in cloudforest("status").out

    write_export(tmp_path, anna, carl)
    counts = cloudforest.up_once()["counts"]
    assert (counts["inScope"], counts["disable"], counts["blank"]) == (2, 1, 1)
    assert deletion_state(cloudforest) == seen
