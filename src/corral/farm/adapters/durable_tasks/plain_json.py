"""How workflows' arguments are kept: JSON, never pickles, which would run what they hold."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from dbos import Serializer


class PlainJson(Serializer):
    """JSON of numbers and texts; a moment becomes its ISO text, an exception its message."""

    def serialize(self, data: Any) -> str:  # noqa: ANN401 - the library's own
        """Give the text."""
        return json.dumps(data, default=_plain)

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401
        """Read the text."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """Give what rows of it are marked with."""
        return "corral_json"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
