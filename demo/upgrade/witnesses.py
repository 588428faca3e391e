"""All who read the streams, judged together: no read may fail, and no disk may be another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.errors import PromiseBrokenError
from demo.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.console import Console
    from demo.upgrade.devices import Device
    from demo.upgrade.report import Report
    from demo.witness import Guest


@dataclass
class Witnesses:
    """The devices, and the guest if there is one."""

    devices: Sequence[Device] = field(default_factory=list)
    guest: Guest | None = None

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.consoles())

    @property
    def passes(self) -> int:
        """How many whole disks were read."""
        return sum(len(console.passes) for console in self.consoles().values())

    def consoles(self) -> dict[str, Console]:
        """Give what each says."""
        found = {device.name: device.console for device in self.devices if device.is_reading}
        return found if self.guest is None else {**found, "guest": self.guest.console}

    def read_once_more(self, within_seconds: float) -> None:
        """Wait until each has read its whole disk from beginning to end, beginning now."""
        consoles = self.consoles()
        # The pass that is under way began before now.
        wanted = {name: len(console.passes) + 2 for name, console in consoles.items()}
        late: list[str] = []

        def have_all() -> bool:
            self.check()
            late[:] = [n for n, console in consoles.items() if len(console.passes) < wanted[n]]
            return not late

        wait_until(have_all, within_seconds, "not every device read its whole disk")

    def check(self) -> None:
        """Fail if a read failed anywhere, a disk was another one, or a reader has ended."""
        for device in self.devices:
            device.expect_running()
        for name, console in self.consoles().items():
            for what in _errors(console):
                message = f"{name}: {what}"
                raise PromiseBrokenError(message)
            if console.has_ended or console.failure is not None:
                last = console.failure or (console.lines[-1] if console.lines else "nothing")
                message = f"{name} reads no more; its last words: {last}"
                raise PromiseBrokenError(message)

    def tell(self, report: Report) -> None:
        """Put into the report what all of them saw."""
        consoles = self.consoles()
        report.io_errors = sum(len(list(_errors(console))) for console in consoles.values())
        for name, console in consoles.items():
            for stall in (*(one.longest_stall_ms for one in console.passes), *console.stalls):
                report.note_stall(name, stall)


def _errors(console: Console) -> Iterator[str]:
    yield from console.troubles
    for one in console.passes:
        if not one.is_right:
            yield f"pass {one.number} did not find the root that it should"
