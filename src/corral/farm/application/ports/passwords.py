"""How passwords are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corral.farm.domain.access.password import Password, PasswordDigest


class Passwords(Protocol):
    """A hash that is slow on purpose."""

    def digest(self, password: Password) -> PasswordDigest:
        """Give what the farm keeps; another each time."""
        ...

    def match(self, digest: PasswordDigest | None, password: Password) -> bool:
        """Whether the digest is that of the password.

        Without a digest it is no match, and takes as long: the time does not tell which accounts
        there are.
        """
        ...
