"""What a guest or a verifying reader says on its console: lines in, facts out, no I/O."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from demo.errors import TooLateError

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTROL: Final = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|c)|[\x00-\x08\x0b-\x1f\x7f]")
_MARK: Final = re.compile(r"CORRAL-(?P<who>BOOT|GUEST) (?P<rest>.*)")
_WORD: Final = re.compile(r"(?P<key>[a-z_]+)=(?P<value>\S+)")
_STALL: Final = re.compile(r"verify stall_ms=(?P<ms>\d+)")
_KERNEL_TROUBLE: Final = re.compile(
    r"I/O error|EXT4-fs error|Buffer I/O|blk_update_request|Input/output error|"
    r"Kernel panic|Oops:|Call Trace"
)


@dataclass(frozen=True)
class Up:
    """The guest's system runs and a program in it spoke."""

    version: str
    """The number that the mounted file system holds; ``-`` when it holds none."""
    packages: int
    init: str
    kernel: str
    uptime_seconds: float
    root: str
    """The root hash of the version that the farm gave."""
    in_image: bool
    """Whether the image's own system runs, and not only the initramfs."""


@dataclass(frozen=True)
class Wrote:
    """The guest wrote a file and looked where the bytes went."""

    cached_bytes: int
    reached_the_image: bool
    disk_read_only: bool


@dataclass(frozen=True)
class VerifyPass:
    """One reading of the whole disk, checked against the root hash."""

    number: int
    is_right: bool
    errors: int
    """Reads that failed, in this pass and those before it."""
    longest_stall_ms: float
    bytes_read: int


@dataclass
class Console:
    """What one guest or reader said, and what it means; one thread feeds it, another waits."""

    lines: list[str] = field(default_factory=list)
    boot_stages: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    up: Up | None = None
    wrote: Wrote | None = None
    fed_by: str | None = None
    """The server that the guest last said it reads from."""
    passes: list[VerifyPass] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)
    """Milliseconds of each wait that was longer than all before, said as it ended."""
    troubles: list[str] = field(default_factory=list)
    failure: str | None = None
    has_ended: bool = False
    _news: threading.Condition = field(default_factory=threading.Condition)
    _rest: str = ""

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they came; returns the lines that became complete."""
        *complete, self._rest = re.split(r"[\r\n]+", self._rest + data.decode("utf-8", "replace"))
        lines = [line for line in (_CONTROL.sub("", text).strip() for text in complete) if line]
        with self._news:
            for line in lines:
                self.lines.append(line)
                self._understand(line)
            self._news.notify_all()
        return lines

    def end(self) -> None:
        """Nothing more will come."""
        with self._news:
            self.has_ended = True
            self._news.notify_all()

    def wait_for(
        self, condition: Callable[[Console], bool], within_seconds: float, what: str
    ) -> None:
        """Wait until ``condition`` holds; fail with the last words if it cannot, or not in time."""
        with self._news:
            happened = self._news.wait_for(
                lambda: condition(self) or self.has_ended or self.failure is not None,
                within_seconds,
            )
            if happened and condition(self):
                return
            last = self.failure or (self.lines[-1] if self.lines else "nothing was said")
            how = (
                "ended before"
                if self.has_ended
                else "failed before"
                if self.failure
                else f"took over {within_seconds:.0f} s until"
            )
            message = f"the guest {how} {what}; its last words: {last}"
            raise TooLateError(message)

    def _understand(self, line: str) -> None:
        if mark := _MARK.search(line):
            words = parse_words(mark["rest"])
            if mark["who"] == "BOOT":
                self._boot_stage(mark["rest"])
            elif mark["rest"].startswith("up "):
                self.up = Up(
                    words["version"],
                    int(words.get("packages", "0")),
                    words.get("init", "-"),
                    words.get("kernel", "-"),
                    float(words.get("uptime", "0")),
                    words.get("root", "-"),
                    words.get("in", "-") == "image",
                )
            elif mark["rest"].startswith("package "):
                self.packages.append(mark["rest"].partition(" ")[2])
            elif mark["rest"].startswith("fed "):
                self.fed_by = words.get("by")
            elif mark["rest"].startswith("wrote "):
                self.wrote = Wrote(
                    int(words.get("bytes", "0")),
                    words.get("below") != "no",
                    words.get("disk_read_only") == "1",
                )
        elif (found := parse_pass(line)) is not None:
            self.passes.append(found)
        elif found_stall := _STALL.search(line):
            self.stalls.append(float(found_stall["ms"]))
        elif "verify error " in line or _KERNEL_TROUBLE.search(line):
            self.troubles.append(line)

    def _boot_stage(self, rest: str) -> None:
        self.boot_stages.append(rest)
        _, _, stage = rest.partition(" ")
        if stage.startswith("fail"):
            self.failure = stage


def parse_words(text: str) -> dict[str, str]:
    """Give the ``key=value`` words of a line."""
    return {match["key"]: match["value"] for match in _WORD.finditer(text)}


def parse_pass(line: str) -> VerifyPass | None:
    """Read the line with which ``corral-target verify`` ends a pass; nothing for another."""
    _, mark, rest = line.partition("verify pass=")
    if not mark:
        return None
    words = parse_words(f"pass={rest}")
    try:
        return VerifyPass(
            number=int(words["pass"]),
            is_right=words["root"] == "ok",
            errors=int(words["errors"]),
            longest_stall_ms=float(words["stall_ms"]),
            bytes_read=int(words["bytes"]),
        )
    except (KeyError, ValueError):
        # Half of a line, as when a console is shared with a kernel message: the next pass will say
        # the same.
        return None
