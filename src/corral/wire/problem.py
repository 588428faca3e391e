"""How an error is told over HTTP: RFC 9457, with a stable code."""

from typing import Any

from pydantic import ConfigDict

from corral.wire.message import Part


class Problem(Part):
    """The body of every answer that is an error (``application/problem+json``)."""

    # The fields of the error stand beside these as extension members (RFC 9457 §3.2).
    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    """``urn:corral:problem:CODE``: an identity, not a page that exists."""
    title: str
    status: int
    code: str
    """Stable, kebab case; programs act on it, people read ``detail``."""
    detail: str

    def field(self, name: str) -> Any:  # noqa: ANN401 - an extension member may be any JSON value
        """Return one of the error's own fields, or None."""
        return (self.model_extra or {}).get(name)
