"""Guests that really start, and a farm whose worker republishes their images."""

from tests.integration.engine.conftest import guests
from tests.integration.tasks.conftest import workshop

__all__ = ["guests", "workshop"]
