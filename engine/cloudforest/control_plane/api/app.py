"""The ASGI application with all routes of the control plane."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudforest.base.errors import CloudforestError
from cloudforest.control_plane.api import jobs, registration, status
from cloudforest.control_plane.api.http import error_response, shape_bug
from cloudforest.control_plane.plane import ControlPlane


class BugReportMiddleware:
    """Turns a bug into a report and a plain response, without values in a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return  # the client disconnected during its request
        except Exception as error:  # noqa: BLE001 - a boundary: bugs end here
            body = msgspec.json.encode(shape_bug(error))
            if not started:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                await Response(body, status)(scope, receive, send)


def make_app(plane: ControlPlane, directory: ASGIApp | None) -> Starlette:
    """Return the application; `directory` is the built-in SCIM directory."""
    routes: list[BaseRoute] = [
        *registration.REGISTRATION_ROUTES,
        *registration.AGENT_ROUTES,
        *jobs.JOB_ROUTES,
        *jobs.STAGE_ROUTES,
        *jobs.OBJECT_ROUTES,
        *jobs.STEERING_ROUTES,
        *status.STATUS_ROUTES,
    ]
    if directory is not None:
        routes.append(Mount("/scim/v2", app=directory))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(BugReportMiddleware)],
        exception_handlers={CloudforestError: error_response},
    )
    app.state.plane = plane
    return app
