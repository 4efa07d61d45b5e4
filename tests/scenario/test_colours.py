"""Colour is printed only at a terminal, and only if the user wants it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace

import pytest
from tests.support.installed import COMMAND, Installed

COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-8]|9[0-7])(?:;[0-9]+)*m")
"""Escapes that set the colour of text. Bold and dim are not colours."""


def printed(command: Installed, *arguments: str) -> str:
    """Return the output of a command whose stdout and stderr are a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [COMMAND, *arguments],
        cwd=command.tree,
        env={**command.environment, "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        written = b""
        with os.fdopen(ours, "rb", buffering=0) as file:
            try:
                while part := file.read(65536):
                    written += part
            except OSError:
                pass  # how Linux reports that the other end is closed
    return written.decode()


@pytest.mark.parametrize("words", ["validate", "--help", "plna", "--verbose up --once"])
def test_every_command_respects_no_color(topology: Installed, words: str):
    plain = replace(topology, variables={"NO_COLOR": "1"})
    shown = printed(plain, *words.split())
    assert shown
    assert not COLOUR.search(shown)


@pytest.mark.parametrize("words", ["validate", "--verbose up --once"])
def test_terminal_has_colours(topology: Installed, words: str):
    assert COLOUR.search(printed(topology, *words.split()))


def test_pipe_has_no_escapes(topology: Installed):
    for words in ("validate", "--help", "plna"):
        ran = topology(*words.split())
        assert "\x1b" not in ran.out + ran.err
