"""Ids and secrets from the system's random numbers."""

from __future__ import annotations

import secrets
from uuid import UUID, uuid4  # noqa: TID251 - this is the adapter that the rule names

from corral.farm.domain.access.token import TOKEN_BYTES, Token


class RandomIds:
    """Random UUIDs."""

    def new(self) -> UUID:
        """Give one that was never given before, as far as chance allows."""
        return uuid4()


class RandomTokens:
    """Secrets from the system's generator for cryptography."""

    def new(self) -> Token:
        """Give one."""
        return Token(secrets.token_bytes(TOKEN_BYTES))
