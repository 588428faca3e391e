"""Locks that a process holds as long as it lives."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING, Final

from corral.engine.domain.failures import AgentTwiceError

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE: Final = 40
_PAUSE_SECONDS: Final = 0.05


def hold(path: Path, state: Path, what: str) -> int:
    """Hold a lock until this process ends; raises ``AgentTwiceError`` if another one does.

    Somebody who only looks whether it is held has it for a moment, too, which is waited out.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    pause = threading.Event()
    for _ in range(_PATIENCE):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pause.wait(_PAUSE_SECONDS)
        else:
            return descriptor
    os.close(descriptor)
    raise AgentTwiceError(str(state), what)
