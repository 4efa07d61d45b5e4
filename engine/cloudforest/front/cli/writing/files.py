"""Files that are written once, for people to edit: nothing is ever replaced."""

from __future__ import annotations

from pathlib import Path

from cloudforest.base.errors import Misconfigured, Refused


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises Refused if it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refused(
            f"{path} is there already; name another one, or remove it first."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be written ({error.strerror}); name another place."
        ) from error
