"""From the native package's exceptions to the domain's: one table."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import corral_native as native

from corral.farm.domain.estate.errors import AddressUnusableError
from corral.farm.domain.image.errors import (
    DiskTooLargeError,
    DiskUnreadableError,
    StoreDamagedError,
    StoreFullError,
    StoreNewerError,
    StoreNotAStoreError,
    StoreOtherFarmError,
    StoreUnreachableError,
    WorkCancelledError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from corral.farm.domain.errors import DomainError

    _Make = Callable[[native.NativeError, Path], DomainError]


@contextmanager
def translated(store: Path, *, disk: Path | None = None, work: str = "the work") -> Iterator[None]:
    """Let only errors of the domain out; ``disk`` is what is being read, ``work`` what is done."""
    try:
        yield
    except native.NativeError as error:
        raise _translation(error, store, disk or store, work) from error


def _translation(error: native.NativeError, store: Path, disk: Path, work: str) -> DomainError:
    for kind, make in _OF_STORES.items():
        if isinstance(error, kind):
            return make(error, store)
    match error:
        case native.TooLargeError():
            size, limit = _number(error, "size_bytes"), _number(error, "limit_bytes")
            return DiskTooLargeError(disk, size or 0, limit or 0)
        case native.SourceError():
            return DiskUnreadableError(disk, _reason(error))
        case native.StartError():
            return AddressUnusableError(str(error.fields.get("address", "")), _reason(error))
        case native.CancelledError():
            return WorkCancelledError(work)
        case _:
            return StoreUnreachableError(store, str(error))


def _reason(error: native.NativeError) -> str:
    return str(error.fields.get("reason", error)).lower()


def _number(error: native.NativeError, name: str) -> int | None:
    value = error.fields.get(name)
    return value if isinstance(value, int) else None


_OF_STORES: Final[Mapping[type[native.NativeError], _Make]] = MappingProxyType(
    {
        native.NotAStoreError: lambda _, store: StoreNotAStoreError(store, "it has no store.json"),
        native.FolderNotEmptyError: lambda _, store: StoreNotAStoreError(
            store, "other things are in it"
        ),
        native.OtherFarmError: lambda _, store: StoreOtherFarmError(store),
        native.NewerFormatError: lambda _, store: StoreNewerError(store),
        native.NoSpaceError: lambda error, store: StoreFullError(
            store, _number(error, "missing_bytes")
        ),
        native.DamagedError: lambda _, store: StoreDamagedError(store, 1),
    }
)
