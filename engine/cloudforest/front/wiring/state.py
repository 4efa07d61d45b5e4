"""The state folder: where things lie, and who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudforest.base.errors import Busy
from cloudforest.base.files import private_folder, write_private
from cloudforest.model.value import Value


class Serving(Value, frozen=True):
    """What STATE/serve.json says of the control plane that runs now."""

    url: str
    pid: int


@dataclass(frozen=True)
class StateFolder:
    path: Path

    @property
    def database(self) -> Path:
        return self.path / "cloudforest.db"

    @property
    def tenant_database(self) -> Path:
        return self.path / "tenant.db"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def bus(self) -> Path:
        return self.path / "bus"

    @property
    def operator_token(self) -> Path:
        return self.keys / "operator.token"

    def agent(self, name: str) -> Path:
        return self.path / "agents" / name

    def prepare(self) -> None:
        for folder in (self.path, self.keys, self.bus, self.path / "agents"):
            private_folder(folder)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only control plane on this state; Busy names the one that is."""
        self.prepare()
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Busy(
                    f"Another cloudforest process holds {self.path}"
                    f"{self._holder(lock.name)}; wait for it, or name another --state."
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    @staticmethod
    def _holder(lock: str) -> str:
        pid = Path(lock).read_text(encoding="ascii").strip()
        return f" (pid {pid})" if pid else ""

    @contextlib.contextmanager
    def announce(self, url: str) -> Iterator[None]:
        """Let other commands find this control plane while it runs."""
        file = self.path / "serve.json"
        write_private(file, msgspec.json.encode(Serving(url=url, pid=os.getpid())))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def serving(self) -> Serving | None:
        """Return the control plane that runs, if its process is alive."""
        try:
            data = (self.path / "serve.json").read_bytes()
            serving = msgspec.json.decode(data, type=Serving)
            os.kill(serving.pid, 0)
        except (OSError, msgspec.DecodeError):
            return None
        return serving
