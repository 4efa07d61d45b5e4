from __future__ import annotations

from pathlib import Path

from cloudforest.cli.options import find_state_option
from cloudforest.control_plane.state_folder import add_state_to_commands


def test_commands_in_a_sentence_get_the_state_option() -> None:
    sentence = "Unknown job. `cloudforest job list` lists all jobs."
    assert add_state_to_commands(sentence, None) == sentence
    assert "`cloudforest job list --state /s/t`" in add_state_to_commands(
        sentence, Path("/s/t")
    )
    for arguments in (["status", "--state", "/s"], ["status", "--state=/s"]):
        assert find_state_option(arguments) == Path("/s")
    assert find_state_option(["status", "--format", "json"]) is None
