"""Refresh terminal screens and example outputs in docs/: `make screens`.

Every output comes from the installed command, which runs in a copy of a topology.
Screens are SVGs in docs/images. Text and JSON fill the marked blocks of the pages.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from scripts.reference.markdown import filled

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COMMAND = Path(sys.executable).with_name("cloudforest")
TREE = ROOT / "topologies" / "new-hybrid-customer"
JOB = "contoso-people"
WIDTH = 100
WIDE = 112
"""For a plan with names and reasons, whose lines are long."""
FEW = 2
"""So many entries of a list are shown in an example."""
_FONTS = re.compile(r"\s*@font-face \{\{.*?\}\}", re.DOTALL)
FORMAT = _FONTS.sub("", CONSOLE_SVG_FORMAT).replace(
    "Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas"
)
"""Rich's own loads a font from another host."""


@dataclass
class Recorder:
    """Runs commands in a folder; keeps what the pages show of them."""

    folder: Path
    blocks: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def run(self, words: str, *, colour: bool = False, width: int = WIDTH) -> str:
        """Return what the command prints, on both streams or on a terminal."""
        arguments = [str(COMMAND), *shlex.split(words)]
        path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        environment |= {"COLUMNS": str(width), "TERM": "xterm-256color"}
        run = _on_a_terminal if colour else _in_a_pipe
        return run(arguments, self.folder, environment).replace(
            str(COMMAND), "cloudforest"
        )

    def text(
        self, page: str, name: str, words: str, cut: Callable[[str], str] = str.strip
    ) -> str:
        """Fill a block with a command and what it prints; return that."""
        printed = self.run(words)
        shown = f"```text\n{cut(printed).rstrip()}\n```"
        self.blocks[page][name] = f"```bash\ncloudforest {words}\n```\n\n{shown}"
        return printed

    def json(self, page: str, name: str, words: str) -> Any:
        """Fill a block with a command's JSON, lists cut short."""
        printed = self.run(f"{words} --format json")
        data = json.loads(printed.splitlines()[0] if "logs" in words else printed)
        shown = json.dumps(_short(data), indent=2, ensure_ascii=False)
        head = f"```bash\ncloudforest {words} --format json\n```"
        self.blocks[page][name] = f"{head}\n\n```json\n{shown}\n```"
        return data

    def screen(self, name: str, words: str, width: int = WIDTH) -> None:
        """Write docs/images/NAME.svg."""
        console = Console(
            record=True, width=width, file=_nowhere(), force_terminal=True
        )
        printed = self.run(words, colour=True, width=width)
        printed = printed.strip("\r\n").replace("\r\n", "\n")
        console.print(Text(f"$ cloudforest {words}\n", style="bold"))
        console.print(Text.from_ansi(printed), end="\n\n")
        svg = console.export_svg(
            title="cloudforest",
            theme=DIMMED_MONOKAI,
            code_format=FORMAT,
            unique_id=name,
        )
        (DOCS / "images" / f"{name}.svg").write_text(svg, encoding="utf-8")

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "people.yaml"
        text = path.read_text(encoding="utf-8")
        if old not in text:
            message = f"{path} has no {old}"
            raise LookupError(message)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write(self) -> None:
        for page, blocks in self.blocks.items():
            path = DOCS / page
            text = filled(path.read_text(encoding="utf-8"), blocks)
            path.write_text(text, encoding="utf-8")


def _nowhere() -> Any:
    return Path(os.devnull).open("w", encoding="utf-8")


def _in_a_pipe(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout


def _on_a_terminal(
    arguments: list[str], folder: Path, environment: dict[str, str]
) -> str:
    """Return the results with their colours; progress bars, on stderr, are left out."""
    reader, writer = pty.openpty()
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdout=writer,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ):
        os.close(writer)
        parts = []
        while part := _read(reader):
            parts.append(part)
    os.close(reader)
    return b"".join(parts).decode()


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 65536)
    except OSError:  # Linux says so at the end
        return b""


def _short(data: Any) -> Any:
    """Return JSON with the first entries of each list, and the first texts."""
    match data:
        case dict():
            return {key: _short(value) for key, value in data.items()}
        case list():
            return [_short(each) for each in data[:FEW]]
        case _:
            return data


def _from(start: str) -> Callable[[str], str]:
    return lambda printed: "…\n" + printed[printed.index(start) :].strip()


def first_sync(session: Recorder) -> str:
    """Record the first sync and a second one; return an object of it."""
    page = "start/first-sync.md"
    session.text(page, "validate", "validate")
    session.screen("up", "up --once")
    printed = session.text(page, "again", "up --once", _from("Plan\n"))
    session.text(page, "status", "status")
    found = re.search(r"explain \S+ (\S+)", printed)
    if not found:
        message = "`up --once` names no object to explain"
        raise LookupError(message)
    session.screen("explain", f"explain {JOB} {found[1]}")
    return found[1]


def outputs(session: Recorder, subject: str) -> None:
    page = "reference/outputs/status.md"
    session.json(page, "status", "status")
    session.json(page, "job list", "job list")
    page = "reference/outputs/objects.md"
    session.json(page, "explain", f"explain {JOB} {subject}")
    session.json(page, "drift", f"drift {JOB}")
    session.json("reference/outputs/logs.md", "logs", f"logs --job {JOB}")
    trim = "'Trim([sn])' -a 'sn= Doe '"
    page = "reference/outputs/offline.md"
    session.json(page, "eval", f"expression eval {trim}")
    session.json(page, "explain", f"expression explain {trim}")
    session.json(page, "functions", "expression functions Trim")


def mistakes(session: Recorder) -> None:
    """Record what `validate` says of a misspelt name."""
    session.edit("scope: staff", "scope: staf")
    session.screen("validate", "validate")
    session.json("reference/outputs/offline.md", "validate", "validate")
    session.edit("scope: staf", "scope: staff")


def guard(session: Recorder) -> None:
    """Record a change of scope that a guard blocks, from the plan to the decision."""
    narrow = ' and not (department eq "Sales")'
    session.edit(" and userPrincipalName pr", f"{narrow} and userPrincipalName pr")
    session.screen("plan", "plan")
    session.screen("plan-names", "plan --samples names", WIDE)
    session.json("reference/outputs/plan.md", "plan", "plan")
    session.run("apply --yes")
    session.json("reference/outputs/cycles.md", "run", f"job run {JOB}")
    page = "reference/outputs/status.md"
    staged = session.json(page, "staged", "job staged")
    stage = staged["stages"][0]["stage"]
    session.json(page, "allow", f"job allow {stage} --until 2h --by anna")
    session.edit(narrow, "")


def escrow(session: Recorder) -> None:
    """Record one object whose expression fails."""
    fault = '  title: \'IIF([employeeID] = "100038", Error("No title"), [title])\'\n'
    session.edit("  preferredLanguage:", f"{fault}  preferredLanguage:")
    session.run("apply --yes")
    session.run(f"job run {JOB}")
    session.json("reference/outputs/status.md", "escrow", f"job escrow {JOB}")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / TREE.name
        shutil.copytree(TREE, folder, ignore=shutil.ignore_patterns(".cloudforest"))
        session = Recorder(folder)
        mistakes(session)
        outputs(session, first_sync(session))
        guard(session)
        escrow(session)
        session.write()


if __name__ == "__main__":
    main()
