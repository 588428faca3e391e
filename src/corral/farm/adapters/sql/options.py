"""What a unit of work tells its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

WRITING: Final = "corral_writing"
"""Execution option of a connection that is going to write."""


def is_writing(connection: Connection) -> bool:
    """Whether the connection is going to write."""
    return bool(connection.get_execution_options().get(WRITING, False))
