"""Logs of the processes that run for long: one event a line, for a machine or for a person.

Secrets are never given to a log. As a second fence, a value under a name that secrets have is not
written.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
from typing import TYPE_CHECKING, Final, Literal

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["json", "text"]

REQUEST_ID_HEADER: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_SECRET_NAMES: Final = frozenset(
    {"token", "key", "ticket", "authorization", "replication_ticket", "secret", "password"}
)


def set_up(log_format: LogFormat) -> None:
    """Send the logs of this process, those of its libraries among them, to standard error."""
    renderers: dict[LogFormat, Processor] = {
        "json": structlog.processors.JSONRenderer(),
        "text": structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        ),
    }
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, renderers[log_format]],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderers[log_format],
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def request_id(given: str | None) -> str:
    """Give the id that a request is known by: the caller's if it is fit to be logged, or a new one.

    It stands in every line that any process logs for the request.
    """
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(16)


def current_request_id() -> str:
    """Give the id of the request that this thread or coroutine is at; nothing if it is at none."""
    return str(structlog.contextvars.get_contextvars().get("request", ""))


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put dots in the place of every value whose name is that of a secret."""
    return {name: "…" if name.lower() in _SECRET_NAMES else value for name, value in event.items()}
