"""The agent's own folder, STATE/agents/NAME: its key, certificates and bindings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import private_folder, write_private


@dataclass(frozen=True)
class AgentFolder:
    """Only its owner may read it (0700, files 0600)."""

    path: Path

    @property
    def key(self) -> Path:
        return self.path / "key.pem"

    @property
    def certificate(self) -> Path:
        return self.path / "certificate.pem"

    @property
    def ca(self) -> Path:
        return self.path / "ca.pem"

    @property
    def bindings(self) -> Path:
        return self.path / "bindings.json"

    @property
    def enrolled(self) -> bool:
        return self.certificate.exists()

    def write(self, path: Path, data: bytes) -> None:
        try:
            private_folder(self.path)
            write_private(path, data)
        except OSError as error:
            raise Misconfigured(
                f"{path} can't be written ({error.strerror}); give the agent's user the"
                " right to write there."
            ) from error

    def read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise Misconfigured(
                f"{path} is missing; enrol this agent with a token from"
                f" `cloudforest agent token {self.path.name}`."
            ) from None
        except OSError as error:
            raise Misconfigured(f"{path} can't be read ({error.strerror}).") from error


def agent_folder(state: Path, name: str) -> AgentFolder:
    return AgentFolder(state / "agents" / name)
