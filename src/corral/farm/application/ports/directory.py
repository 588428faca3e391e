"""Where else people are known: a directory (LDAP, Active Directory) or a single sign-on.

None is built yet. The port is here because it decides what an account is: somebody whom the farm
knows by name, with roles, *whoever* vouches for them. An account without a password of its own is
asked for in the directories, in order; roles and groups stay the farm's own, so that nothing about
permissions changes when the first directory comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corral.farm.domain.access.account import AccountName
    from corral.farm.domain.access.password import Password


class Directory(Protocol):
    """Vouches for people."""

    def vouches(self, name: AccountName, password: Password) -> bool:
        """Whether the password is that of the person of that name.

        Takes as long for a name that it does not know. Raises an ``EnvironmentFaultError`` if it
        cannot be asked, never lets somebody in because of that.
        """
        ...
