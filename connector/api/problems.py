"""Errors as RFC 9457 problem details: one shape, with our reason code and the field where there is one."""

from typing import Any

import msgspec
from starlette.responses import Response

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    422: "Refused",
    429: "Too many waiting",
    500: "Our mistake",
    503: "Not now",
    507: "No room",
}


class Problem(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: str | None = None,
        field: str | None = None,
        retry_after_s: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {
            "type": "about:blank",
            "title": TITLES[status],
            "status": status,
            "detail": detail,
            "reason": reason,
            "field": field,
            **more,
        }
        self.headers = {} if retry_after_s is None else {"Retry-After": str(max(1, round(retry_after_s)))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> Response:
        """Return it as the answer."""
        return Response(msgspec.json.encode(self.body), self.status, self.headers, "application/problem+json")


def answer(content: Any, status: int = 200) -> Response:
    """Return any value as a JSON answer."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
