"""The page of a computer's status, on loopback; it shows and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from corral.engine.entrypoints.agent.documents import status_document

if TYPE_CHECKING:
    from corral.engine.bootstrap import Engine

_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_TEN: Final = 10

WORDS: Final = {
    "ready-to-download": "Ready to download: its source has not got it yet",
    "downloading": "Downloading",
    "paused": "Paused",
    "preparing": "Preparing",
    "waiting-for-restart": "Ready: taken at the next restart",
    "proving": "Started, and watched until it has proven itself",
    "proven": "As it should be",
    "went-back": "The new version did not prove itself; the one before is in place",
    "held": "Held back",
    "failed": "Failed",
}

KIT_WORDS: Final = {
    "none": "",
    "ready-to-download": "ready to download: its source has not got it yet",
    "downloading": "downloading",
    "paused": "paused",
    "installing": "being installed",
    "installed": "installed, and taken now",
    "proving": "taken, and watched until it has proven itself",
    "current": "runs",
    "went-back": "did not prove itself; the one before runs again",
    "failed": "failed",
}


def page_app(engine: Engine) -> FastAPI:
    """Give the application."""
    app = FastAPI(title="corral-engine", docs_url=None, redoc_url=None, openapi_url=None)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["size"] = _size
    templates.filters["moment"] = _moment
    template = templates.get_template("status.html.j2")

    @app.get("/", response_class=HTMLResponse)
    def _page(request: Request) -> Response:
        # A page elsewhere could have a name of its own lead here, and read along.
        host = request.headers.get("host", "")
        if host.rpartition(":")[0] not in _HOSTS:
            return PlainTextResponse("ask for this page by its address on loopback", 421)
        text = template.render(status=status_document(engine), words=WORDS, kit_words=KIT_WORDS)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Frame-Options": "DENY",
        }
        return HTMLResponse(text, headers=headers)

    return app


def _size(amount_bytes: float) -> str:
    value = float(amount_bytes)
    units = iter(_UNITS)
    unit = next(units)
    while round(value) >= _STEP and (larger := next(units, None)) is not None:
        value /= _STEP
        unit = larger
    digits = 1 if unit != _UNITS[0] and value < _TEN else 0
    return f"{value:.{digits}f} {unit}"


def _moment(seconds: int | None) -> str:
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
