"""Hosts a control plane over HTTP in this process, for as long as a command needs it.

The socket is our own, for a clear error about a port in use. The built-in directory is
loaded at its first request, because most commands never use it.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import read_bounded, write_private_file
from cloudforest.base.secrets import Secret
from cloudforest.control_plane.api.app import make_app
from cloudforest.control_plane.assembly import HostOptions, open_control_plane
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.state_folder import StateFolder, read_os_user
from cloudforest.hybrid.operators import LOCAL_OPERATOR, Operators

_STARTUP_POLL_SECONDS = 0.01
_LAST_PORT = 65535


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the hosting command."""
        yield


def parse_loopback(address: str) -> tuple[str, int]:
    """Return the host and port of HOST:PORT; raise Misconfigured unless loopback."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    with suppress(ValueError):
        loopback = ip_address(host).is_loopback
        if loopback and port.isdecimal() and int(port) <= _LAST_PORT:
            return host, int(port)
    raise Misconfigured(
        f'--listen needs a loopback address with a port, not "{address}". '
        "To serve other machines, put a TLS proxy in front of it."
    )


def listen_on_loopback(address: str) -> socket.socket:
    """Bind HOST:PORT, loopback only: other machines connect through a TLS proxy."""
    host, port = parse_loopback(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the socket names its protocol. Without it, the
    # body of a response waits 40 ms for the acknowledgement of its headers.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Misconfigured(
            f"The control plane cannot listen on {address}: {error.strerror}. "
            "Free the port or pass another one with --listen."
        ) from error
    bound.listen(128)
    return bound


def socket_url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serve_app(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Bugs have their own report; requests cut off at the end are not bugs.
        log_level="critical",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    try:
        while not (server.started or task.done()):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_STARTUP_POLL_SECONDS)
        yield
    finally:
        server.should_exit = True
        await task


@dataclass(frozen=True)
class HostedControlPlane:
    url: str
    token: Secret
    plane: ControlPlane

    def client(self) -> ControlPlaneClient:
        return ControlPlaneClient(self.url, self.token, user=read_os_user())


async def _make_local_token(folder: StateFolder, operators: Operators) -> Secret:
    """Return the local operator's token, made once; the state folder protects it."""
    file = folder.operator_token
    if not file.exists():
        token = await operators.add(LOCAL_OPERATOR, "allow")
        write_private_file(file, token.encode())
    return Secret(read_bounded(file).decode("ascii"))


@contextmanager
def _open_built_in_directory(folder: StateFolder, token: Secret) -> Iterator[ASGIApp]:
    database = Database(f"sqlite:///{folder.directory_database}")
    loaded: ASGIApp | None = None

    def load() -> ASGIApp:
        from cloudforest.control_plane.tenant.app import make_directory_app  # noqa: PLC0415

        return make_directory_app(
            TenantDirectory(database),
            authorized=lambda given: secrets.compare_digest(
                given.encode(), token.reveal().encode()
            ),
        )

    async def directory(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal loaded
        if loaded is None:
            loaded = await asyncio.to_thread(load)
        await loaded(scope, receive, send)

    try:
        yield directory
    finally:
        database.close()


@asynccontextmanager
async def host_control_plane(
    folder: StateFolder, options: HostOptions
) -> AsyncIterator[HostedControlPlane]:
    """Lock the state folder and serve over HTTP; raise Busy if another does."""
    with ExitStack() as stack:
        stack.enter_context(folder.lock())
        bound = stack.enter_context(listen_on_loopback(options.listen))
        url = socket_url(bound)
        secret = Secret(secrets.token_urlsafe(32))
        directory = stack.enter_context(_open_built_in_directory(folder, secret))
        async with (
            open_control_plane(folder, options, url, secret) as plane,
            serve_app(make_app(plane, directory), bound),
        ):
            token = await _make_local_token(folder, plane.operators)
            # Without a bus it serves a single command, so others must not use it.
            if options.bus:
                stack.enter_context(folder.announce(url))
            yield HostedControlPlane(url, token, plane)
