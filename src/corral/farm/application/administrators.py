"""The rule that somebody must remain who can administrate the farm."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from corral.farm.domain.access.account import has_administrator
from corral.farm.domain.access.errors import LastAdministratorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.application.ports.records import Records


@contextmanager
def keeping_one(records: Records) -> Iterator[None]:
    """Raise ``LastAdministratorError`` if the block leaves a farm that had one without any."""
    had_one = _is_there(records)
    yield
    if had_one and not _is_there(records):
        raise LastAdministratorError


def _is_there(records: Records) -> bool:
    return has_administrator(
        records.accounts.all(), records.groups.all(), records.role_grants.all()
    )
