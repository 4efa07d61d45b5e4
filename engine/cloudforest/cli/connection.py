"""Connect a command to its control plane: the one that runs, or one hosted for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import read_bounded
from cloudforest.cli.options import state_folder
from cloudforest.control_plane.state_folder import StateFolder, read_os_user

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.compiler.compile import CompiledTree
    from cloudforest.control_plane.host import HostedControlPlane


@asynccontextmanager
async def connect_to_tree(
    compiled: CompiledTree, state: Path | None
) -> AsyncIterator[ControlPlaneClient]:
    """Connect a command that has a tree to the control plane of its `service`."""
    folder = state_folder(state, compiled.folder)
    found = _find_remote_service(compiled) or _find_running(folder)
    if found is not None:
        async with found as client:
            yield client
    else:
        async with (
            host_for_tree(compiled, folder, bus=False) as hosted,
            hosted.client() as client,
        ):
            yield client


def host_for_tree(
    compiled: CompiledTree, folder: StateFolder, *, bus: bool = True
) -> AbstractAsyncContextManager[HostedControlPlane]:
    """Host the control plane of a tree."""
    from cloudforest.control_plane.assembly import HostOptions
    from cloudforest.control_plane.host import host_control_plane

    tree = compiled.folder.absolute()
    return host_control_plane(folder, HostOptions(bus=bus, tree=tree))


@asynccontextmanager
async def connect_to_state(
    state: Path | None, *, agents: bool = False
) -> AsyncIterator[ControlPlaneClient]:
    """Connect a command that has only a state folder.

    `agents`: also start the local agents that are enrolled here.
    """
    folder = state_folder(state)
    found = _find_running(folder) if folder.keys.is_dir() else _read_service(folder)
    if found is not None:
        async with found as client:
            yield client
        return
    from cloudforest.control_plane.assembly import HostOptions
    from cloudforest.control_plane.host import host_control_plane

    async with (
        host_control_plane(folder, HostOptions(bus=agents)) as hosted,
        hosted.client() as client,
    ):
        if not agents:
            yield client
            return
        from cloudforest.cli.local_agents import LocalAgents

        async with LocalAgents(folder, hosted.url).supervise() as local:
            since = hosted.plane.clock()
            names = await local.start_enrolled(client)
            await hosted.plane.wait_for_agents(names, since)
            yield client


def _read_service(folder: StateFolder) -> ControlPlaneClient:
    """Return a client of the `service` of the tree in the current folder."""
    from cloudforest.compiler.compile import compile_tree

    client = _find_remote_service(compile_tree(Path()))
    if client is None:
        raise Misconfigured(
            f'"{folder.path}" is not a state folder. Run `cloudforest apply` in the '
            "folder of the tree first, or pass --state DIR."
        )
    return client


def _find_remote_service(compiled: CompiledTree) -> ControlPlaneClient | None:
    """Return a client of the tree's `service`; None if the tree names no URL."""
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.base.secrets import read_secret

    service = compiled.service
    if service is None or service.url is None:
        return None
    token = read_secret(service.token, compiled.folder) if service.token else None
    return ControlPlaneClient(service.url, token)


def _find_running(folder: StateFolder) -> ControlPlaneClient | None:
    """Return a client of the control plane that runs on this state."""
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.base.secrets import Secret

    running = folder.find_running_server()
    if running is None:
        return None
    try:
        token = Secret(read_bounded(folder.operator_token).decode("ascii"))
    except OSError as error:
        raise Misconfigured(
            f'Cannot read the operator token "{folder.operator_token}": '
            f"{error.strerror}. Ask its owner, or pass your own --state DIR."
        ) from error
    return ControlPlaneClient(running.url, token, user=read_os_user())
