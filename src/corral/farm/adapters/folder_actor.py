"""Who works on a farm's folder, as the system knows them."""

from __future__ import annotations

import os
import pwd
import socket

from corral.farm.domain.access.actor import Actor, ActorKind


def folder_actor() -> Actor:
    """Give the user of this process and the machine; behind sudo, the one who called it."""
    user = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    return Actor(ActorKind.FOLDER, user or _user_name(os.geteuid()), socket.gethostname())


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
