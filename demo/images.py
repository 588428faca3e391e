"""The two disks that the demonstration publishes: its own golden image, or one that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from demo.errors import DemoError
from demo.processes import require_space

if TYPE_CHECKING:
    from pathlib import Path

    from demo.golden_image import GoldenImage
    from demo.processes import Runner
    from demo.report import Step

_STAMP_BYTES: Final = 2**20


@dataclass(frozen=True)
class GoldenPair:
    """Version 1, and version 2 with what makes it different."""

    version_1: Path
    version_2: Path
    second_is: str
    says_version: bool
    """Whether the image holds its own version number, for the guest to read."""


def from_golden(image: GoldenImage) -> GoldenPair:
    """Take the image that was built here."""
    return GoldenPair(
        image.version_1,
        image.version_2,
        f"the same system with the package {image.added_package} added",
        says_version=True,
    )


def from_user(
    image: Path, following: Path | None, work: Path, runner: Runner, step: Step
) -> GoldenPair:
    """Take a given image; its next version is given, too, or a copy with 1 MiB behind its end.

    What is inside a given image is not our business; a disk that grew at its end is still good.
    """
    for path in (image, following):
        if path is not None and not path.is_file():
            message = f"{path} is no file: give a disk image (raw, qcow2, VHD, VHDX, VMDK or VDI)"
            raise DemoError(message)
    step.facts["given"] = True
    if following is not None:
        return GoldenPair(image, following, f"the given {following.name}", says_version=False)
    require_space(work, image.stat().st_size + _STAMP_BYTES)
    grown = work / "given-2.raw"
    runner.run(
        "given-image",
        ["qemu-img", "convert", "-O", "raw", str(image), str(grown)],
        what="copying the given image",
    )
    with grown.open("ab") as file:
        file.write(b"Corral demonstration, version 2\n".ljust(_STAMP_BYTES, b"."))
    return GoldenPair(image, grown, "a copy with 1 MiB added behind its end", says_version=False)
