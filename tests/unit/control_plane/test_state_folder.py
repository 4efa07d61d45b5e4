from __future__ import annotations

from pathlib import Path

from cloudforest.cli.options import named_state
from cloudforest.control_plane.state_folder import at_state


def test_commands_in_a_sentence_name_the_state() -> None:
    said = "There is none; `cloudforest job list` shows those there are."
    assert at_state(said, None) == said
    assert "`cloudforest job list --state /s/t`" in at_state(said, Path("/s/t"))
    for arguments in (["status", "--state", "/s"], ["status", "--state=/s"]):
        assert named_state(arguments) == Path("/s")
    assert named_state(["status", "--format", "json"]) is None
