"""The steps, in order; each leaves its figures in the report or says why it cannot."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from demo.bootable_disk import GuestDisk
from demo.display import mebibytes
from demo.errors import PromiseBrokenError
from demo.offline.arrangement import Arrangement
from demo.offline.report import CAME_TO_COMPUTERS, CAME_TO_OFFICE, Report
from demo.processes import wait_until
from demo.report import Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.display import Display
    from demo.farm import Published
    from demo.offline.computer import Computer
    from demo.processes import Programs, Runner

_STEPS: Final = 8
_MIB: Final = 1 << 20
_BALLAST: Final = 24 * _MIB
"""What no guest reads as it starts: so much is still on its way when it is up."""
_ADDED: Final = 3 * _MIB
"""What a later version has and the one before has not."""
_SLOW: Final = "64K"
_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Wishes:
    """What the person asked for."""

    build: Path
    corral: Path
    engine: Path


@dataclass
class Story:
    """The demonstration under way."""

    wishes: Wishes
    display: Display
    runner: Runner
    programs: Programs
    report: Report
    _arrangement: Arrangement | None = None

    def tell(self) -> None:
        """Go through all the steps; the first that fails ends it, by an exception."""
        with self._step(
            "images", "Build three versions of a bootable disk: Debian's kernel"
        ) as step:
            disks = self._disks(step)
        with self._step("farm", "A farm, its server, and an office behind a relay") as step:
            arrangement = self._farm(disks[0], step)
        laptop, desk = arrangement.computers
        with self._step("start", "Two computers start version 1 while it still arrives") as step:
            self._start(arrangement, step)
        with self._step("cut", "Kill everything but the computers, and restart a machine") as step:
            self._go_on_alone(arrangement, laptop, step)
        with self._step(
            "one user", "Version 2 for one user: prepared beside, taken, proven"
        ) as step:
            second = self._publish(arrangement, disks[1], step)
            arrangement.roll_out("two", second, laptop)
            self._take(arrangement, laptop, second, step)
        with self._step(
            "all users", "It has proven itself there, so all others are offered it"
        ) as step:
            self._take(arrangement, desk, second, step)
            self._complete(arrangement, second)
        with self._step(
            "broken", "Version 3 is broken: it goes back, and reaches nobody else"
        ) as step:
            third = self._publish(arrangement, disks[2], step)
            arrangement.roll_out("three", third, laptop)
            self._go_back(arrangement, second, third, step)
        with self._step("summary", "What the farm says in the end"):
            self._sum_up(arrangement)

    def close(self) -> None:
        """End what outlives everything else by design."""
        if self._arrangement is not None:
            self._arrangement.close()

    # 1, 2

    def _disks(self, step: Step) -> tuple[Path, Path, Path]:
        folder = self.wishes.build / "offline" / "disks"
        folder.mkdir(parents=True, exist_ok=True)
        ballast = os.urandom(_BALLAST)
        disks = [
            GuestDisk.build(
                folder,
                number,
                broken=number == 3,  # noqa: PLR2004 - the third
                ballast=ballast,
                added=os.urandom(_ADDED) if number > 1 else b"",
                runner=self.runner,
            ).path
            for number in (1, 2, 3)
        ]
        size = disks[0].stat().st_size
        step.facts["bytes"] = size
        self.display.fact(
            f"{mebibytes(size)} each, with a guest agent; the third one's never answers"
        )
        return disks[0], disks[1], disks[2]

    def _farm(self, disk: Path, step: Step) -> Arrangement:
        wishes = self.wishes
        arrangement = Arrangement.make(
            wishes.build / "offline", wishes.corral, wishes.engine, self.runner, self.programs
        )
        self._arrangement = arrangement
        arrangement.start()
        version = arrangement.publish(disk)
        step.facts["stored_bytes"] = version.stored_bytes
        self.display.fact(f"{version.name}: {mebibytes(version.stored_bytes)} stored")
        arrangement.admit()
        names = " and ".join(f"{one.name} ({one.user})" for one in arrangement.computers)
        self.display.fact(f"registered with one-time codes over TLS: {names}")
        arrangement.wait_for_relay(version)
        self.display.fact("the relay has fetched what they were assigned, and nothing else")
        return arrangement

    # 3

    def _start(self, arrangement: Arrangement, step: Step) -> None:
        arrangement.limit(_SLOW)
        for computer in arrangement.computers:
            computer.start()
            computer.wait_for("told what to run", version=None, next_version="debian/1")
            computer.start_machine()
        for computer in arrangement.computers:
            up = computer.wait_for("up", power="running", is_healthy=True)
            missing = up["total_bytes"] - up["done_bytes"]
            if not missing or up["state"] != "downloading":
                message = f"{computer.name} was up only when all had arrived"
                raise PromiseBrokenError(message)
            step.facts[f"missing_bytes_{computer.name}"] = missing
            step.facts[f"boot_milliseconds_{computer.name}"] = up["boot_milliseconds"]
            self.display.fact(
                f"{computer.name}: its guest agent answered after"
                f" {up['boot_milliseconds'] / 1000:.1f} s, when {mebibytes(missing)} of"
                f" {mebibytes(up['total_bytes'])} had not arrived yet"
            )
        arrangement.limit("none")
        for computer in arrangement.computers:
            computer.wait_for("proven", state="proven", version="debian/1")
        self.display.fact("the limit is gone: all has arrived, and both have proven themselves")

    # 4

    def _go_on_alone(self, arrangement: Arrangement, laptop: Computer, step: Step) -> None:
        arrangement.cut()
        self.display.fact("the API, the server and the relay were killed (-9)")
        starts = laptop.machine()["starts"]
        laptop.restart_machine()
        again = laptop.wait_for("up again", starts=starts + 1, power="running", is_healthy=True)
        laptop.expect(again, state="proven", version="debian/1")
        step.facts["boot_milliseconds"] = again["boot_milliseconds"]
        self.display.fact(
            f"{laptop.name} was restarted without any network:"
            f" up after {again['boot_milliseconds'] / 1000:.1f} s"
        )
        arrangement.start()
        for computer in arrangement.computers:
            computer.check_now()
        self.display.fact("everything is up again, and the farm hears of it")

    # 5, 6

    def _publish(self, arrangement: Arrangement, disk: Path, step: Step) -> Published:
        version = arrangement.publish(disk, "--to", "test")
        step.facts |= {"stored_bytes": version.stored_bytes}
        self.display.fact(f"{version.name}: {mebibytes(version.stored_bytes)} new, in test")
        return version

    def _take(
        self, arrangement: Arrangement, computer: Computer, version: Published, step: Step
    ) -> None:
        ready = computer.wait_for(
            f"ready for {version.name}", state="waiting-for-restart", next_version=version.name
        )
        computer.expect(ready, power="running", version="debian/1")
        self.display.fact(f"{computer.name}: {version.name} is ready beside debian/1, which runs")
        computer.restart_machine()
        proven = computer.wait_for("proven", state="proven", version=version.name)
        computer.expect(proven, running=version.root)
        step.facts["boot_milliseconds"] = proven["boot_milliseconds"]
        self.display.fact(f"{computer.name}: restarted, and {version.name} has proven itself")
        self._wait_for_rollout(arrangement, "two", computer, "proven")

    def _complete(self, arrangement: Arrangement, version: Published) -> None:
        state = arrangement.rollout("two")["state"]
        if state != "complete":
            message = f"all have proven {version.name}, and the rollout is {state}"
            raise PromiseBrokenError(message)
        farm = arrangement.farm
        farm.ask("image", "promote", version.name, "--to", "production", what="releasing it")
        farm.ask("rollout", "remove", "two", what="forgetting the rollout")
        self.display.fact(f"the rollout is complete; {version.name} is released for everybody")

    # 7

    def _go_back(
        self, arrangement: Arrangement, before: Published, broken: Published, step: Step
    ) -> None:
        laptop, desk = arrangement.computers
        laptop.wait_for(f"ready for {broken.name}", state="waiting-for-restart")
        # Only what never answers is held to so little time.
        words = ("image", "machine", "debian", "--prove-within", "10")
        arrangement.farm.ask(*words, what="saying how soon it must answer")
        laptop.restart_machine()
        laptop.wait_for(f"running {broken.name}", running=broken.root)
        self.display.fact(f"{laptop.name}: runs {broken.name}, whose guest agent does not answer")
        back = laptop.wait_for("back", state="went-back", running=before.root, is_healthy=True)
        step.facts["code"] = str(back["code"])
        self.display.fact(f"{laptop.name}: {back['problem']}")
        self._wait_for_rollout(arrangement, "three", laptop, "went-back")
        shown = arrangement.rollout("three")
        if shown["state"] != "halted":
            message = f"{broken.name} went back, and its rollout is {shown['state']}"
            raise PromiseBrokenError(message)
        self.display.fact(f"the rollout has halted: {shown['why']}")
        kept = desk.machine()
        desk.expect(kept, version=before.name, next_version=None, power="running")
        self.display.fact(f"{desk.name}: was never offered it, and runs {before.name}")

    def _wait_for_rollout(
        self, arrangement: Arrangement, name: str, computer: Computer, state: str
    ) -> None:
        """Wait until the farm has seen by itself how a version did on a computer."""

        def is_seen() -> bool:
            members = arrangement.rollout(name)["members"]
            return any((one["computer"], one["state"]) == (computer.name, state) for one in members)

        wait_until(is_seen, _SECONDS, f"the farm did not see that {computer.name} is {state}")

    # 8

    def _sum_up(self, arrangement: Arrangement) -> None:
        for line in arrangement.farm.show("image", "users", "debian"):
            self.display.fact(line)

    @contextmanager
    def _step(self, name: str, title: str) -> Iterator[Step]:
        step = Step(name)
        self.report.steps.append(step)
        self.display.step(len(self.report.steps), _STEPS, title)
        began, moved = time.monotonic(), self._moved()
        try:
            yield step
            step.ok = True
        except BaseException as error:
            self.report.failed_step = name
            self.report.error = str(error) or type(error).__name__
            raise
        finally:
            self.display.doing("")
            step.seconds = round(time.monotonic() - began, 3)
            to_office, to_computers = (
                after - before for after, before in zip(self._moved(), moved, strict=True)
            )
            step.facts |= {CAME_TO_OFFICE: to_office, CAME_TO_COMPUTERS: to_computers}
        if self._arrangement is not None:
            self.display.fact(
                f"moved: {mebibytes(to_office)} to the office,"
                f" {mebibytes(to_computers)} from there to the computers"
            )

    def _moved(self) -> tuple[int, int]:
        arrangement = self._arrangement
        if arrangement is None:
            return 0, 0
        return arrangement.to_office.came_bytes, arrangement.to_computers.came_bytes
