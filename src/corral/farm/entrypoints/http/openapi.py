"""The API's description as a file, for ``docs/reference/openapi.json``.

``python -m corral.farm.entrypoints.http.openapi > docs/reference/openapi.json``
"""

import json
import sys
from typing import TYPE_CHECKING, cast

from corral.farm.domain.access.token import TokenDigest
from corral.farm.entrypoints.http.app import create_app

if TYPE_CHECKING:
    from corral.farm.entrypoints.http.application import Application


def description() -> str:
    """Give the OpenAPI document as indented JSON with a line end."""
    # No handler is called, so that no application is needed.
    app = create_app(cast("Application", None), TokenDigest(b""))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
