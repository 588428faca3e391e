"""Kits of the farm that are nothing but a program which says its release: laid out in no time."""

import io
import zipfile
from typing import Any, Final

from tests.kits import Signer, kit

FARM: Final = {
    "format": 1,
    "component": "farm",
    "released_on": "2026-11-30",
    "document": "1",
    "publishes_image_format": 1,
}
_PROGRAM: Final = "corral/farm/entrypoints/cli/__main__.py"


def wheel(release: str, text: str = "", size: int = 0) -> bytes:
    """Give a wheel whose program says a release."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for package in ("corral", "corral/farm", "corral/farm/entrypoints"):
            archive.writestr(f"{package}/__init__.py", "")
        archive.writestr("corral/farm/entrypoints/cli/__init__.py", "")
        archive.writestr(_PROGRAM, text or f"print('corral {release}')\n")
        archive.writestr("ballast", b"\\0" * size)
    return content.getvalue()


def small_kit(release: str, signer: Signer | None = None, **given: Any) -> bytes:  # noqa: ANN401
    """Give a kit; ``inside`` is the release that its program says, ``publishers`` a list."""
    files = {f"corral-{release}-py3-none-any.whl": wheel(given.pop("inside", release), **given)}
    return kit(files, {**FARM, "release": release}, signer)
