"""What the agent and the disk process of one computer say to each other, over a unix socket.

One line of JSON each way on a connection. Desired state, like everything else: the whole list of
what is to be offered each time, and the whole list of what is.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WishedDisk(BaseModel):
    """A version to offer, and who has what is missing of it."""

    model_config = ConfigDict(frozen=True)

    root: str
    urls: tuple[str, ...] = ()
    ticket: str = Field(default="", repr=False)
    authority: str = ""
    """The farm's root certificate in PEM."""


class DiskWishes(BaseModel):
    """Everything that is to be offered."""

    model_config = ConfigDict(frozen=True)

    format: int = 1
    disks: tuple[WishedDisk, ...] = ()


class Refusal(BaseModel):
    """Why something is not offered; it is tried again."""

    model_config = ConfigDict(frozen=True)

    code: str
    problem: str


class DiskReport(BaseModel):
    """What is offered."""

    model_config = ConfigDict(frozen=True)

    format: int = 1
    release: str = ""
    sizes: dict[str, int] = Field(default_factory=dict)
    refused: dict[str, Refusal] = Field(default_factory=dict)
    from_peers_bytes: int = 0
    """What was paged in for readers since it was started."""
