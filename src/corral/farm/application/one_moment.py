"""Records of one moment that are asked for the same things again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Hashable

    from corral.farm.application.ports.records import Records


def remembering(records: Records) -> Records:
    """Give the same records, which ask the database for each thing only once.

    Right only inside a reading transaction, where nothing changes: ten thousand devices of one
    image then cost one question about that image.
    """
    return cast("Records", _Remembering(records))


class _Method(Protocol):
    def __call__(self, *arguments: object) -> object: ...


class _Remembering:
    """Gives repositories that remember their answers."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._repositories: dict[str, _RememberingRepository] = {}

    def __getattr__(self, noun: str) -> _RememberingRepository:
        known = self._repositories.get(noun)
        if known is None:
            known = _RememberingRepository(getattr(self._records, noun))
            self._repositories[noun] = known
        return known


class _RememberingRepository:
    """Remembers by method and arguments; what was raised is asked for again."""

    def __init__(self, repository: object) -> None:
        self._repository = repository
        self._answers: dict[Hashable, object] = {}

    def __getattr__(self, method: str) -> _Method:
        def remembered(*arguments: object) -> object:
            question = (method, arguments)
            if question not in self._answers:
                asked: _Method = getattr(self._repository, method)
                self._answers[question] = asked(*arguments)
            return self._answers[question]

        return remembered
