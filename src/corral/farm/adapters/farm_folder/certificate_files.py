"""The farm's root certificate and the API's last one, in the farm's folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.domain.estate.certificate import Certificate
from corral.farm.domain.image.errors import DiskUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT: Final = 1


class FolderCertificateFiles:
    """Keeps ``ca.pem``, which devices get a copy of, and ``api-certificate.json``."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "ca.pem"
        self._api = folder / "api-certificate.json"

    def put_root(self, text: str) -> str:
        """Write the root certificate, unless it is there."""
        try:
            if not self._root.exists() or self._root.read_text("ascii", "replace") != text:
                write_private_file(self._root, text.encode("ascii"))
        except OSError as error:
            raise _unusable(self._root, error) from error
        return str(self._root)

    def put_api(self, certificate: Certificate) -> None:
        """Write down what the API shows."""
        content = {
            "format": _FORMAT,
            "hosts": certificate.hosts,
            "ends_at": int(certificate.ends_at.timestamp()),
            "certificate": certificate.text,
        }
        try:
            write_private_file(self._api, (json.dumps(content, indent=2) + "\n").encode())
        except OSError as error:
            raise _unusable(self._api, error) from error

    def of_api(self) -> Certificate | None:
        """Read it; what cannot be understood counts as none."""
        try:
            content = json.loads(self._api.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self._api, error) from error
        except ValueError:
            return None
        match content:
            case {"format": 1, "hosts": [*hosts], "ends_at": int(end), "certificate": str(text)}:
                return Certificate(text, tuple(map(str, hosts)), datetime.fromtimestamp(end, UTC))
            case _:
                return None


def _unusable(path: Path, error: OSError) -> DiskUnreadableError:
    return DiskUnreadableError(path, (error.strerror or str(error)).lower())
