"""Forgetting the versions that the farm has deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import corral_native as native
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_log = structlog.get_logger("corral.stream")


@dataclass
class Remover:
    """Removes each root once for each time that the farm says so, and tells which are gone.

    The farm publishes no such root into this store before it has heard that it is gone. Afterwards
    it may, and the same order must not be carried out again; what is said in a later generation is
    another order.
    """

    store: native.Store
    may_be_written: Callable[[str], bool]
    """Whether somebody in this process could still write a root's manifest."""
    _wanted: tuple[str, ...] = ()
    _generation: int = -1
    _removed: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)

    def want(self, roots: Iterable[str], generation: int) -> None:
        """Remove these: nobody wants them, and their exports are gone."""
        self._wanted = tuple(roots)
        if generation > self._generation:
            self._removed.clear()
            self._generation = generation

    def work(self) -> None:
        """Remove what can be removed now; called again and again."""
        for root in self._wanted:
            if root not in self._removed and not self.may_be_written(root):
                self._remove(root)

    def removed(self) -> tuple[str, ...]:
        """Say which of the wanted are gone."""
        return tuple(root for root in self._wanted if root in self._removed)

    def _remove(self, root: str) -> None:
        try:
            self.store.remove_version(root)
        except native.NativeError as error:
            if root not in self._failed:
                _log.warning("cannot remove", root=root, code=error.code, detail=str(error))
                self._failed.add(root)
            return
        self._failed.discard(root)
        self._removed.add(root)
        _log.info("removed", root=root)
