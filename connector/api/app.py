"""The HTTP door: Starlette on Hypercorn's trio worker, inside the connector's own nursery."""

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import trio
from hypercorn.config import Config as Hypercorn
from hypercorn.trio import serve
from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.api.auth import Keys
from connector.api.filters import BadFilter
from connector.api.problems import TITLES, Problem
from connector.api.routes import Routes
from connector.config import ApiConfig, KeyConfig
from connector.errors import StoreError
from connector.model import Reason
from connector.pipeline.door import Door

log = logging.getLogger("carrierline.api")
server_log = logging.getLogger("carrierline.api.server")
server_log.setLevel(logging.WARNING)  # its "press CTRL + C" is not ours to say

MAX_HEADER_BYTES = 16_384
KEEP_ALIVE_S = 30
READ_TIMEOUT_S = 30
GRACE_S = 5.0
_NEVER_WAITS = frozenset({"/health", "/ready", "/metrics", "/v1/status"})
"""Who watches must get an answer above all when the door is full."""


class Application:
    """The ASGI application: it lets so many requests in at a time, the others wait at the door."""

    def __init__(self, door: Door, settings: ApiConfig, keys: Iterable[tuple[KeyConfig, str]]) -> None:
        self._routes = Routes(door, Keys(keys), settings.max_body_kb * 1_000)
        self._app = _starlette(self._routes)
        self._limiter = trio.CapacityLimiter(settings.max_concurrent)

    def rotated(self, keys: Iterable[tuple[KeyConfig, str]]) -> list[str]:
        """Return the names of API keys that have another secret among these."""
        return self._routes.keys.rotated(Keys(keys))

    def change(self, settings: ApiConfig, keys: Iterable[tuple[KeyConfig, str]]) -> None:
        """Serve by these from the next request on."""
        self._routes.keys = Keys(keys)
        self._routes.max_body_bytes = settings.max_body_kb * 1_000
        self._limiter.total_tokens = settings.max_concurrent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _NEVER_WAITS:
            await self._app(scope, receive, send)
            return
        async with self._limiter:
            await self._app(scope, receive, send)


def _starlette(routes: Routes) -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/messages", routes.messages, methods=["GET", "POST"]),
            Route("/v1/messages/preview", routes.preview, methods=["POST"]),
            Route("/v1/messages/{id}", routes.get_message, methods=["GET"]),
            Route("/v1/messages/{id}/cancel", routes.cancel, methods=["POST"]),
            Route("/v1/receipts", routes.get_receipts, methods=["GET"]),
            Route("/v1/inbound", routes.get_inbound, methods=["GET"]),
            Route("/v1/inbound/{id}", routes.get_inbound_message, methods=["GET"]),
            Route("/v1/key", routes.key, methods=["GET"]),
            Route("/v1/verify", routes.verify, methods=["GET"]),
            Route("/v1/privacy/export", routes.export, methods=["POST"]),
            Route("/v1/privacy/erase", routes.erase, methods=["POST"]),
            Route("/v1/status", routes.status, methods=["GET"]),
            Route("/v1/reload", routes.reload, methods=["POST"]),
            Route("/v1/carriers/{name:path}/suspend", routes.suspend, methods=["POST"]),
            Route("/v1/carriers/{name:path}/resume", routes.resume, methods=["POST"]),
            Route("/health", routes.health),
            Route("/ready", routes.ready),
            Route("/metrics", routes.metrics),
        ],
        exception_handlers={
            Problem: _show_problem,
            BadFilter: _show_bad_filter,
            HTTPException: _show_http_exception,
            StoreError: _show_store_error,
            Exception: _show_mistake,
        },
    )


async def _show_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()


async def _show_bad_filter(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadFilter)
    return Problem(400, str(error), reason=Reason.BAD_REQUEST, field=error.field).response()


async def _show_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code if error.status_code in TITLES else 400
    details = {
        404: ("there is nothing at this address", "not_found"),
        405: (f"{request.method} is not for this address", "method_not_allowed"),
    }
    detail, reason = details.get(status, (str(error.detail), "bad_request"))
    response = Problem(status, detail, reason=reason).response()
    response.headers.update(error.headers or {})
    return response


async def _show_store_error(request: Request, error: Exception) -> Response:
    """Answer for a transaction that failed: nothing of it was done, and the caller may come again."""
    log.error("the store could not answer a request: %s", error)
    return Problem(503, "the store cannot do this now", reason="store_failed", retry_after_s=5).response()


async def _show_mistake(request: Request, error: Exception) -> Response:
    """Answer for what should not happen; Starlette raises it again, and the server logs it whole."""
    return Problem(500, "this is our mistake; the log of the connector says more", reason="our_mistake").response()


def listen(settings: ApiConfig) -> socket.socket:
    """Return a listening socket.  Bound by ourselves: Hypercorn hides a port in use in nested exception groups.

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def run(
    app: ASGIApp,
    listener: socket.socket,
    shutdown: Callable[[], Awaitable[None]],
    *,
    task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``shutdown`` returns or the scope is cancelled; answers under way have a few seconds to end."""
    settings = Hypercorn()
    settings.bind = [f"fd://{os.dup(listener.fileno())}"]  # Hypercorn closes what it is given; ours stays ours
    settings.accesslog = None
    settings.errorlog = server_log
    settings.h11_max_incomplete_size = MAX_HEADER_BYTES
    settings.keep_alive_timeout = KEEP_ALIVE_S
    settings.read_timeout = READ_TIMEOUT_S
    settings.graceful_timeout = GRACE_S
    settings.include_server_header = False

    async def started(*, task_status: "trio.TaskStatus[list[str]]") -> None:
        await serve(
            cast(ASGIFramework, app),
            settings,
            shutdown_trigger=shutdown,
            task_status=task_status,
            mode="asgi",
        )

    async with trio.open_nursery() as nursery:
        await nursery.start(started)
        task_status.started()
