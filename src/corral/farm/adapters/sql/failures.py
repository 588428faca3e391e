"""The databases' own failures in the words of the domain."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError

from corral.farm.domain.estate.errors import (
    FarmDatabaseBusyError,
    FarmDatabaseDeniedError,
    FarmDatabaseError,
    FarmDatabaseLostError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.errors import DomainError

# Codes of PostgreSQL (its manual, appendix A).
_BUSY: Final = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled, by its time limit
    }
)
_DENIED: Final = "42501"


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the domain for those of the database in the block."""
    try:
        yield
    except PoolExhaustedError as error:
        reason = "every connection of this process is in use"
        raise FarmDatabaseBusyError(reason) from error
    except DBAPIError as error:
        raise _in_our_words(error) from error


def _in_our_words(error: DBAPIError) -> DomainError:
    said = str(error.orig).strip()
    reason = said.splitlines()[0] if said else "no answer"
    if error.connection_invalidated:
        return FarmDatabaseLostError(reason)
    code = getattr(error.orig, "sqlstate", None)
    if code in _BUSY:
        return FarmDatabaseBusyError(reason)
    if code == _DENIED:
        return FarmDatabaseDeniedError(reason)
    return FarmDatabaseError(reason)
