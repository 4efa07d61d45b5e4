"""The logs of local agents stay small while the agents write."""

from __future__ import annotations

from pathlib import Path

from cloudforest.cli.local_agents import rotate_logs


def folder_of(agents: Path, name: str) -> Path:
    folder = agents / name
    folder.mkdir(parents=True)
    return folder


def test_large_log_is_rotated_while_it_is_written(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "sync01")
    file, older = folder / "agent.log", folder / "agent.log.1"
    with file.open("a") as writer:
        for line in ("first\n", "second\n", "third\n"):
            writer.write(line)
            writer.flush()
            rotate_logs(tmp_path, max_bytes=4)
        assert older.read_text() == "third\n"
        writer.write("x\n")
        writer.flush()
        rotate_logs(tmp_path, max_bytes=4)
    assert file.read_text() == "x\n"
    assert older.read_text() == "third\n"


def test_log_that_cannot_be_rotated_does_not_stop_the_others(tmp_path: Path) -> None:
    (folder_of(tmp_path, "a") / "agent.log.1").mkdir()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "agent.log").write_text("many words")

    rotate_logs(tmp_path, max_bytes=4)

    assert (tmp_path / "a" / "agent.log").read_text() == "many words"
    assert (tmp_path / "b" / "agent.log").read_text() == ""
