"""The medium of guest tools: its name, and how a guest finds it."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = "guest-tools-"
_SUFFIX: Final = ".img"

SERIAL: Final = "corral-tools"
"""By which serial number a guest knows the medium."""

INSTALL: Final = f"""\
for serial in /sys/block/*/serial; do
    [ "$(cat "$serial")" = {SERIAL} ] || continue
    disk=${{serial%/serial}}
    mkdir -p /run/corral-tools
    mount -o ro "/dev/${{disk##*/}}" /run/corral-tools || exit
    exec /bin/sh /run/corral-tools/install
done
echo "there is no medium of guest tools" >&2
exit 1
"""
"""What a guest is told to do: the medium has a file system that it reads, and ``install`` in it."""


def file_name(release: str) -> str:
    """Give the name of the file that brings a release of the tools."""
    return f"{_PREFIX}{release}{_SUFFIX}"


def release_in(name: str) -> str | None:
    """Give the release that a file brings by its name; None of a file that is no such medium."""
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return None
    return name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
