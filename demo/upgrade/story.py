"""The steps, in order; each leaves its figures in the report or says why it cannot."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from demo import golden_image, initramfs
from demo.display import mebibytes
from demo.errors import ProgramFailedError, PromiseBrokenError
from demo.processes import find_program
from demo.releases import TAGS
from demo.report import Step
from demo.upgrade.arrangement import IMAGE, OFFICE, ORCHESTRATORS, SERVERS, Arrangement
from demo.upgrade.check import Imported, clear_the_way
from demo.upgrade.course import Course
from demo.upgrade.devices import Watch
from demo.upgrade.network import Network
from demo.upgrade.releases import NEW, OLD, Kit, Publisher
from demo.upgrade.timeline import draw
from demo.upgrade.witnesses import Witnesses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.display import Display
    from demo.processes import Programs, Runner
    from demo.upgrade.report import Report

_STEPS: Final = 9
_KIT: Final = f"farm-{NEW}"
_DISK_BYTES: Final = 1 << 19
_SECONDS: Final = 300.0
_FIRST: Final = "s3"
_SECOND: Final = "s2"
_LOST_FILE: Final = "corral/farm/entrypoints/stream/main.py"


@dataclass(frozen=True)
class Wishes:
    """What the person asked for."""

    build: Path
    cache: Path
    corral: Path
    engine: Path
    client: Path
    devices: int = 30
    guest: bool = True
    namespaces: bool = True


@dataclass
class Story:
    """The demonstration under way."""

    wishes: Wishes
    display: Display
    runner: Runner
    programs: Programs
    report: Report
    _arrangement: Arrangement | None = None
    _watch: Watch | None = None
    _course: Course | None = None
    _imported: Imported | None = None
    """The newer kit, once it is in the library."""
    _witnesses: Witnesses = field(default_factory=Witnesses)

    def tell(self) -> None:
        """Go through all the steps; the first that fails ends it, by an exception."""
        with self._step("releases", f"Build the kits of releases {OLD} and {NEW}") as step:
            publisher, kits = self._releases(step)
        with self._step("farm", f"Three servers, a relay, two engines: all of release {OLD}"):
            arrangement = self._farm(publisher, kits[OLD])
        with self._step("streams", "Devices that read and verify all the while") as step:
            course = self._streams(arrangement, step)
        with self._step("check", f"Import {NEW}, and do what `corral upgrade check` says") as step:
            self._check(arrangement, publisher, kits, step)
        with self._step("fails", f"Upgrade; one machine is killed, and {_SECOND} fails") as step:
            self._upgrade_that_fails(arrangement, course, step)
        with self._step("roll-back", f"Everything goes back to {OLD}"):
            self._roll_back(course)
        with self._step("upgrade", "Again, and again a machine is killed") as step:
            self._upgrade(arrangement, course, step)
        with self._step("finalise", f"The end of {OLD}"):
            self._finalise(arrangement, course, kits[OLD], kits[NEW])
        with self._step("summary", "What the devices saw") as step:
            self._sum_up(step)

    def close(self) -> None:
        """Stop looking, and draw what was seen, however far it came."""
        if self._watch is not None:
            self._watch.stop()
        self._witnesses.tell(self.report)
        if self._course is not None:
            self.report.upgrade_steps = self._course.steps()
            self._draw(self._course)

    def clean_up(self) -> None:
        """Remove what no process holds any more."""
        if self._arrangement is not None:
            self._arrangement.close()

    # 1

    def _releases(self, step: Step) -> tuple[Publisher, dict[str, Kit]]:
        folder = self._home / "publisher"
        shutil.rmtree(self._home, ignore_errors=True)
        folder.mkdir(parents=True)
        publisher = Publisher.make(folder, self.wishes.corral, self.runner)
        kits = {release: publisher.build(release) for release in (OLD, NEW)}
        for release, kit in kits.items():
            size = kit.file.stat().st_size
            step.facts[f"bytes_{release}"] = size
            self.display.fact(f"{kit.file.name}: {mebibytes(size)}, signed")
        self.display.fact(
            f"{NEW} adds a column and a table, and takes a column away when it is finalised;"
            " its servers say a word more"
        )
        return publisher, kits

    # 2

    def _farm(self, publisher: Publisher, package: Kit) -> Arrangement:
        wishes = self.wishes
        network = Network.make(self.programs, namespaces=wishes.namespaces)
        self.report.namespaces = network.has_namespaces
        self.display.fact(
            "each machine is a network namespace on a bridge"
            if network.has_namespaces
            else "each machine is an address of this one's loopback: namespaces need root"
        )
        arrangement = Arrangement.make(
            self._home,
            package,
            client=wishes.client,
            engine=wishes.engine,
            network=network,
            runner=self.runner,
            programs=self.programs,
        )
        self._arrangement = arrangement
        disk = self._home / "golden.raw"
        disk.write_bytes(os.urandom(_DISK_BYTES))
        arrangement.create(disk, publisher.public_key, wishes.devices)
        arrangement.start_machines()
        orchestrators = " and ".join(ORCHESTRATORS)
        self.display.fact(
            f"{', '.join(SERVERS)} and the relay {OFFICE} are online, each under its supervisor;"
            f" API and worker on {orchestrators}; PostgreSQL is the database"
        )
        arrangement.replicate(f"{IMAGE}/1", *SERVERS[1:])
        arrangement.admit_computers()
        names = " and ".join(one.name for one in arrangement.computers)
        self.display.fact(f"the engines of {names} have registered at the relay")
        return arrangement

    # 3

    def _streams(self, arrangement: Arrangement, step: Step) -> Course:
        wishes = self.wishes
        names = [f"pc{number:02}" for number in range(1, wishes.devices + 1)]
        arrangement.start_devices(wishes.client, names)
        self._witnesses.devices = arrangement.devices
        # A guest sees no loopback but its own.
        if wishes.guest and arrangement.network.has_namespaces:
            self.report.guest = True
            recipe = golden_image.Recipe()
            kernel = golden_image.fetch_kernel(recipe, wishes.cache, self.runner)
            busybox = Path(find_program("busybox", "busybox-static"))
            base = initramfs.build(kernel, busybox, wishes.client)
            self._witnesses.guest = arrangement.start_guest(kernel, base)
        watch = Watch(arrangement.devices, self._witnesses.guest)
        self._watch = watch
        watch.start()
        self.display.doing("every device reads its disk once")
        self._witnesses.read_once_more(_SECONDS)
        self._witnesses.check()
        self.report.devices = step.facts["devices"] = self._witnesses.count
        guest = " and a guest in QEMU" if self.report.guest else ""
        self.display.fact(f"{wishes.devices} clients{guest} have read and verified their disks")
        self._course = Course(arrangement, watch, self.display)
        return self._course

    # 4

    def _check(
        self, arrangement: Arrangement, publisher: Publisher, kits: dict[str, Kit], step: Step
    ) -> None:
        arrangement.ask(
            *("library", "trust", "add", "demo", publisher.public_key),
            what="trusting the publisher",
        )
        # The older one tells what it needs of the schema, and is what could be gone back to.
        versions = [
            arrangement.ask(
                *("library", "import", str(kits[release].file), "--server", SERVERS[0]),
                what=f"importing {release}",
            )["version"]
            for release in (OLD, NEW)
        ]
        self._imported = Imported(kits[NEW].file, str(versions[-1]))
        step.facts["was_in_the_way"] = self._clear_the_way(arrangement)
        self.display.fact(f"nothing is in the way from {OLD} to {NEW}")

    def _clear_the_way(self, arrangement: Arrangement) -> int:
        if self._imported is None:
            message = "the kit was not imported"
            raise PromiseBrokenError(message)
        say = self.display.fact
        return clear_the_way(arrangement.desk, _KIT, self._imported, self._home, say)

    # 5

    def _upgrade_that_fails(self, arrangement: Arrangement, course: Course, step: Step) -> None:
        self._run(arrangement, course)
        broken = arrangement.machines[_SECOND]
        course.wait_for(
            f"installed on {_SECOND}",
            lambda status: NEW in _server(status, _SECOND)["installed"],
            _SECONDS,
        )
        broken.damage(NEW, _LOST_FILE)
        course.did(f"{_SECOND}: a file of {NEW} is lost")
        self._kill_orchestrator(arrangement, course, _FIRST)
        paused = course.wait_for("paused", lambda status: _state(status) == "paused", _SECONDS)
        why = str(paused["upgrade"]["why"]) or str(_server(paused, _SECOND)["problem"])
        self.report.paused_because = step.facts["because"] = why
        self.display.fact(f"it has paused by itself: {why}")
        self._expect_release(paused, _FIRST, NEW)
        self._expect_release(paused, _SECOND, OLD)
        self._witnesses.check()

    # 6

    def _roll_back(self, course: Course) -> None:
        arrangement = course.arrangement
        words = ("upgrade", "roll-back", "--why", f"{_SECOND} does not start {NEW}")
        arrangement.ask(*words, what="taking the upgrade back")
        course.did("roll-back")
        status = course.wait_for(
            "rolled back", lambda status: _state(status) == "rolled-back", _SECONDS
        )
        for name in arrangement.machines:
            self._expect_release(status, name, OLD)
        self._witnesses.check()
        self.report.rolled_back = True
        self.display.fact(f"every server runs {OLD} again, and no device has noticed")

    # 7

    def _upgrade(self, arrangement: Arrangement, course: Course, step: Step) -> None:
        arrangement.machines[_SECOND].mend(NEW, _LOST_FILE)
        course.did(f"{_SECOND}: the file is there again")
        self._clear_the_way(arrangement)
        self._run(arrangement, course)
        self._kill_orchestrator(arrangement, course, _SECOND)
        status = course.wait_for(
            "awaiting its end", lambda status: _state(status) == "awaiting-finalise", 2 * _SECONDS
        )
        for name in arrangement.machines:
            self._expect_release(status, name, NEW)
        for computer in arrangement.computers:
            computer.check_now()
            self.display.fact(f"{computer.name}: its engine has checked in at the relay")
        step.facts["engines"] = len(arrangement.computers)
        self._witnesses.check()
        self.display.fact(f"every server and the relay run {NEW}; it could still be taken back")

    # 8

    def _finalise(self, arrangement: Arrangement, course: Course, package: Kit, kit: Kit) -> None:
        arrangement.ask("upgrade", "finalise", what="finalising")
        course.did("finalise")
        # The old command line cannot read what the new release makes of the database.
        arrangement.desk.site = kit.site
        course.wait_for("done", lambda status: _state(status) == "done", _SECONDS)
        schema = arrangement.ask("schema", "show", what="looking at the schema")
        if schema["step"] != TAGS:
            message = f"the schema is at step {schema['step']}, and not {TAGS}"
            raise PromiseBrokenError(message)
        self.report.finalised = True
        self.display.fact(f"the schema has lost what only {OLD} needs: step {TAGS}")
        arrangement.desk.site = package.site
        try:
            arrangement.ask("status", what=f"asking with the command line of {OLD}")
        except ProgramFailedError as error:
            self.display.fact(f"corral {OLD} is refused: {error.said}")
        else:
            message = f"the command line of {OLD} still works"
            raise PromiseBrokenError(message)
        finally:
            arrangement.desk.site = kit.site

    # 9

    def _sum_up(self, step: Step) -> None:
        self.display.doing("every device reads its whole disk once more")
        self._witnesses.read_once_more(_SECONDS)
        self._witnesses.check()
        self._witnesses.tell(self.report)
        step.facts["passes"] = self._witnesses.passes
        self.display.fact(f"{self._witnesses.passes} whole disks were read, and all were right")

    # what several steps do

    def _run(self, arrangement: Arrangement, course: Course) -> None:
        order = ("--first", _FIRST, "--first", _SECOND)
        arrangement.ask("upgrade", "run", _KIT, *order, "--soak", "5s", what="beginning")
        course.did(f"upgrade to {NEW}")

    def _kill_orchestrator(self, arrangement: Arrangement, course: Course, server: str) -> None:
        """Kill the machine that takes the steps while a server is switched; another goes on."""
        status = course.wait_for(
            f"switching {server}",
            lambda status: _taken(status, "switch", server, NEW) is not None,
            _SECONDS,
        )
        step = _taken(status, "switch", server, NEW)
        assert step is not None  # noqa: S101 - just waited for
        machine = arrangement.machine_of(str(step["by"]))
        if machine is None or machine.name == server:
            # It switches itself, so that the other one takes the next step.
            machine = arrangement.machines[next(n for n in ORCHESTRATORS if n != server)]
        count = machine.kill()
        self.report.machines_killed.append(machine.name)
        course.did(f"{machine.name} is killed (-9)")
        self.display.fact(f"its {count} processes took the steps, and an API with them")
        last = int(step["generation"])
        course.wait_for(
            "going on without it",
            lambda status: any(int(one["generation"]) > last for one in status["steps"]),
            _SECONDS,
        )
        machine.start()
        course.did(f"{machine.name} is switched on")

    @staticmethod
    def _expect_release(status: Mapping[str, Any], server: str, release: str) -> None:
        found = _server(status, server)["release"]
        if found != release:
            message = f"{server} runs {found}, and not {release}"
            raise PromiseBrokenError(message)

    def _draw(self, course: Course) -> None:
        lines = [device.line for device in self._witnesses.devices]
        if self._watch is not None and self._watch.guest_line is not None:
            lines.append(self._watch.guest_line)
        title = (
            f"{OLD} to {NEW}: {self.report.io_errors} I/O errors, longest stall"
            f" {self.report.longest_stall_ms or 0:.0f} ms ({self.report.longest_stall_of})"
        )
        servers = [course.lines[name] for name in sorted(course.lines)]
        picture = draw(title, servers, lines, course.marks, course.watch.now())
        file = self.wishes.build / "upgrade-timeline.svg"
        file.write_text(picture, encoding="utf-8")

    @property
    def _home(self) -> Path:
        return self.wishes.build / "upgrade" / "home"

    @contextmanager
    def _step(self, name: str, title: str) -> Iterator[Step]:
        step = Step(name)
        self.report.steps.append(step)
        self.display.step(len(self.report.steps), _STEPS, title)
        began = time.monotonic()
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


def _state(status: Mapping[str, Any]) -> str:
    return str(status["upgrade"]["state"])


def _server(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(one for one in status["servers"] if one["server"] == name)
    return found


def _taken(
    status: Mapping[str, Any], kind: str, server: str, release: str
) -> Mapping[str, Any] | None:
    """Give the last step of a kind that was taken for a server, in the upgrade under way."""
    found = [
        step
        for step in status["steps"]
        if (step["kind"], step["server"], step["release"]) == (kind, server, release)
    ]
    return found[-1] if found else None
