"""Corral's data plane for Python. Described in ``__init__.pyi``; all of it is compiled."""

from corral_native import _native
from corral_native._native import *  # noqa: F403 - the compiled module says what it has

__all__ = _native.__all__
