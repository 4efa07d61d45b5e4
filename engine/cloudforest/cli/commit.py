"""The commit that a tree's folder stands on, read from git's files.

A tree is a stranger's. git itself runs programs that a repository names (filters,
fsmonitor, hooks) and discovers repositories in ordinary folders, so it is never run
here, and only what a tree cannot bring along by itself is believed.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs(?:/(?!\.)[^\s/~^:?*\[\\]+)+")
_MAX_BYTES = 4096
"""Limit for HEAD, a ref and a pointer to another folder."""
_MAX_LINE_BYTES = 4096
_MAX_PACKED_BYTES = 2**26


def read_commit(tree: Path) -> str | None:
    """Return the commit's hex digits, or None where no repository tells it.

    The tree may differ from that commit. A link anywhere in the repository's own
    files, a reftable, or a `.git` file that no repository knows counts as none.
    """
    try:
        folder = _find_repository(tree.resolve())
        return _read_head(folder) if folder else None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return None


def _find_repository(tree: Path) -> Path | None:
    for folder in (tree, *tree.parents):
        entry = folder / ".git"
        if entry.is_symlink():
            return None
        if entry.is_dir():
            return entry
        if entry.exists():
            return _follow_pointer(entry)
    return None


def _follow_pointer(entry: Path) -> Path | None:
    """Return the repository of a linked worktree or submodule.

    Anybody can write a `.git` file that names somebody else's repository. The named
    folder must point back (`gitdir`, as in a worktree), or lie within the `.git` of a
    folder above (as a submodule does).
    """
    word, _, path = _read_text(entry).partition(": ")
    if word != "gitdir" or not path:
        return None
    folder = (entry.parent / path).resolve()
    if any(folder.is_relative_to(each / ".git/modules") for each in entry.parents[1:]):
        return folder
    back = Path(_read_text(folder / "gitdir"))
    return folder if (folder / back).resolve() == entry else None


def _read_head(folder: Path) -> str | None:
    head = _read_text(folder / "HEAD")
    if _COMMIT.fullmatch(head.encode()):
        return head
    word, _, ref = head.partition(": ")
    if word != "ref" or not _REF.fullmatch(ref) or ".." in ref or "\x00" in ref:
        return None
    # A linked worktree, REPOSITORY/worktrees/NAME, shares the repository's refs.
    shared = folder.parents[1] if folder.parent.name == "worktrees" else folder
    for each in dict.fromkeys((folder, shared)):
        if not (each / ref).resolve().is_relative_to(each):
            return None
        try:
            text = _read_text(each / ref)
        except FileNotFoundError:
            continue
        return text if _COMMIT.fullmatch(text.encode()) else None
    return _find_packed(shared / "packed-refs", ref)


def _find_packed(path: Path, ref: str) -> str | None:
    wanted = ref.encode()
    with open(_open_regular(path), "rb") as file:
        for line in iter(lambda: file.readline(_MAX_LINE_BYTES), b""):
            if file.tell() > _MAX_PACKED_BYTES:
                return None
            commit, _, name = line.rstrip(b"\n").partition(b" ")
            if name == wanted and _COMMIT.fullmatch(commit):
                return commit.decode()
    return None


def _read_text(path: Path) -> str:
    with open(_open_regular(path), "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(path)
    return data.decode().removesuffix("\n").removesuffix("\r")


def _open_regular(path: Path) -> int:
    """Open a regular file, never a link or a pipe."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(path)
    return handle
