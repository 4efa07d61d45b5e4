"""A third-party SCIM server whose resources survive its process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.scim import TOKEN, _ask
from tests.servers.scim_server import ScimServer


@dataclass
class DurableServer:
    """scim2-server on one port, over the journal in `folder`."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("scim_runner.py")),
                str(self.port),
                str(self.folder / "resources.jsonl"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(TOKEN + "\n")
        self.process.stdin.flush()
        self.port = int(self.process.stdout.readline())

    @property
    def server(self) -> ScimServer:
        root = f"http://127.0.0.1:{self.port}"
        return ScimServer(
            f"{root}/v2",
            TOKEN,
            lambda: _ask(f"{root}/__counts__"),
            lambda: _ask(f"{root}/__requests__"),
        )

    def kill(self) -> None:
        if self.process is not None:
            with self.process:
                self.process.kill()
            self.process = None

    def die_after(self, writes: int) -> None:
        """End after `writes` more writes, without answering the last one."""
        _ask(f"http://127.0.0.1:{self.port}/__die__?{writes}")

    def await_death(self) -> None:
        assert self.process is not None
        with self.process:
            self.process.wait(60)
        self.process = None
