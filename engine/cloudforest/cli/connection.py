"""Connect a command to its control plane: the one that runs, or one hosted for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import read_bounded
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.cli.local_agents import LocalAgents
from cloudforest.compiler.compile import CompiledTree, Service, compile_tree
from cloudforest.control_plane.state_folder import StateFolder, read_os_user

if TYPE_CHECKING:
    from cloudforest.control_plane.host import HostedControlPlane


@asynccontextmanager
async def connect_to_tree(
    compiled: CompiledTree, folder: StateFolder
) -> AsyncIterator[ControlPlaneClient]:
    """Connect a command that has a tree to the control plane of its `service`."""
    service = compiled.service
    if service is not None and service.url is not None:
        async with ControlPlaneClient(
            service.url, _read_service_token(compiled, service)
        ) as client:
            yield client
    elif (running := _find_running(folder)) is not None:
        async with running as client:
            yield client
    else:
        async with (
            host_for_tree(compiled, folder, bus=False) as hosted,
            hosted.client() as client,
        ):
            yield client


def _read_service_token(compiled: CompiledTree, service: Service) -> Secret | None:
    return read_secret(service.token, compiled.folder) if service.token else None


def host_for_tree(
    compiled: CompiledTree, folder: StateFolder, *, bus: bool = True
) -> AbstractAsyncContextManager[HostedControlPlane]:
    """Host the control plane of a tree; its modules take a while to load."""
    from cloudforest.control_plane.assembly import HostOptions  # noqa: PLC0415
    from cloudforest.control_plane.host import host_control_plane  # noqa: PLC0415

    tree = compiled.folder.absolute()
    return host_control_plane(folder, HostOptions(bus=bus, tree=tree))


@asynccontextmanager
async def connect_to_state(
    folder: StateFolder, *, agents: bool = False
) -> AsyncIterator[ControlPlaneClient]:
    """Connect a command that has only a state folder.

    `agents`: also start the local agents that are enrolled here.
    """
    if not folder.keys.is_dir():
        async with ControlPlaneClient(*_find_remote_service(folder)) as client:
            yield client
        return
    if (running := _find_running(folder)) is not None:
        async with running as client:
            yield client
        return
    async with _host_state(folder, bus=agents) as hosted, hosted.client() as client:
        if not agents:
            yield client
            return
        async with LocalAgents(folder, hosted.url).supervise() as local:
            since = hosted.plane.clock()
            names = await local.start_enrolled(client)
            await hosted.plane.wait_for_agents(names, since)
            yield client


def _host_state(
    folder: StateFolder, *, bus: bool
) -> AbstractAsyncContextManager[HostedControlPlane]:
    from cloudforest.control_plane.assembly import HostOptions  # noqa: PLC0415
    from cloudforest.control_plane.host import host_control_plane  # noqa: PLC0415

    return host_control_plane(folder, HostOptions(bus=bus))


def _find_remote_service(folder: StateFolder) -> tuple[str, Secret | None]:
    """Return the URL and the token of the `service` of the tree in this folder."""
    compiled = compile_tree(Path())
    service = compiled.service
    if service is None or service.url is None:
        raise Misconfigured(
            f'"{folder.path}" is not a state folder. Run `cloudforest apply` in the '
            "folder of the tree first, or pass --state DIR."
        )
    return service.url, _read_service_token(compiled, service)


def _find_running(folder: StateFolder) -> ControlPlaneClient | None:
    """Return a client of the control plane that runs on this state."""
    running = folder.find_running_server()
    if running is None:
        return None
    return ControlPlaneClient(
        running.url, _read_local_token(folder), user=read_os_user()
    )


def _read_local_token(folder: StateFolder) -> Secret:
    try:
        return Secret(read_bounded(folder.operator_token).decode("ascii"))
    except OSError as error:
        raise Misconfigured(
            f'Cannot read the operator token "{folder.operator_token}": '
            f"{error.strerror}. Ask its owner, or pass your own --state DIR."
        ) from error
