"""What the farm remembers of its sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.estate.site import Site, SiteId, SiteName


class Sites(Protocol):
    """The sites; the one that the farm begins with is there from the start."""

    def add(self, site: Site) -> None:
        """Add one; raises ``SiteNameTakenError``."""
        ...

    def get(self, name: SiteName) -> Site:
        """Give the one of that name; raises ``SiteUnknownError``."""
        ...

    def with_id(self, site_id: SiteId) -> Site:
        """Give the one with that id; raises ``SiteUnknownError``."""
        ...

    def all(self) -> Sequence[Site]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Site, after: Site) -> Site:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``SiteChangedError`` if it was changed since it was seen,
        ``SiteUnknownError`` if it is gone, ``SiteNameTakenError``.
        """
        ...

    def remove(self, site_id: SiteId) -> None:
        """Forget it; the caller has seen that nothing belongs to it."""
        ...
