"""Roles by their names."""

from __future__ import annotations

from corral.farm.domain.access.errors import RoleUnknownError
from corral.farm.domain.access.permission import Role


def role_named(text: str) -> Role:
    """Give the role of a name; raises ``RoleUnknownError``."""
    try:
        return Role(text)
    except ValueError:
        raise RoleUnknownError(text, ", ".join(role.value for role in Role)) from None
