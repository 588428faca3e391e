"""The seven steps, in order; each leaves its figures in the report or says why it cannot."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo import golden_image, initramfs
from demo.display import mebibytes
from demo.errors import PromiseBrokenError
from demo.farm import Farm, Server
from demo.images import GoldenPair, from_golden, from_user
from demo.processes import find_program
from demo.report import Report, Step
from demo.witness import GUEST_SEES_HOST_AS, MAC, DeviceLogin, Guest, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.display import Display
    from demo.farm import Published
    from demo.kernel import Kernel
    from demo.processes import Program, Programs, Runner
    from demo.witness import Witness

_STEPS: Final = 7
_IMAGE: Final = "golden"
_DEVICE: Final = "pc1"
_SERVERS: Final = ("s1", "s2")

_UP_SECONDS: Final = 180.0
_PASS_SECONDS: Final = 300.0
_SESSION_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Wishes:
    """What the person asked for."""

    build: Path
    cache: Path
    client: Path
    corral: Path
    image: Path | None = None
    next_image: Path | None = None
    guest: bool = True
    keep: bool = False


@dataclass
class Story:
    """The demonstration under way."""

    wishes: Wishes
    display: Display
    runner: Runner
    programs: Programs
    report: Report
    _kernel: Kernel | None = None
    _base: bytes = b""
    _witness: Witness | None = None
    _login: DeviceLogin | None = None
    _published: list[Published] = field(default_factory=list)

    def tell(self) -> None:
        """Go through all the steps; the first that fails ends it, by an exception."""
        with self._step("golden image", "Build a small golden image from Debian packages") as step:
            images = self._images(step)
        farm = Farm.at(
            self.wishes.build / "demo" / "home", self.wishes.corral, self.runner, self.programs
        )
        with self._step("import", "Import it as version 1") as step:
            farm.create()
            host = GUEST_SEES_HOST_AS if self.wishes.guest else "127.0.0.1"
            servers = [farm.add_server(name, advertised_host=host) for name in _SERVERS]
            self._published.append(self._import(farm, images.version_1, step))
        with self._step(
            "farm", "Start an API and two stream servers; the second fetches its replica"
        ) as step:
            farm.start_api()
            for server in servers:
                farm.start_stream(server)
            self._replicate(farm, self._published[0], servers[1], step)
        with self._step("boot", self._boot_title()) as step:
            self._register(farm, host)
            self._start_witness("first", self._published[0], images, step)
        with self._step("failover", "Kill -9 the server that serves it") as step:
            killed = self._kill_serving(farm, servers, step)
        with self._step("version 2", "Publish version 2 and start again on it") as step:
            farm.start_stream(killed)
            farm.wait_until_online(killed)
            step.facts["restarted_server"] = killed.name
            self._second_version(farm, images, servers[1], step)
        with self._step("summary", "What it came to") as step:
            self._hold_promises(step)

    def say_how_to_play(self, left: list[Program]) -> None:
        """With ``--keep``: what runs, how to look at it, how to end it."""
        folder = self.wishes.build / "demo" / "home" / "farm"
        self.display.fact("the farm is left running (--keep):")
        for program in left:
            self.display.fact(f"  {program.name}: process {program.pid}, log {program.log}")
        self.display.fact(f"look at it: CORRAL_FARM={folder} {self.wishes.corral} status")
        self.display.fact(f"end it: kill {' '.join(str(program.pid) for program in left)}")

    def close(self) -> None:
        """End the witness (everything else is ended with the programs)."""
        if self._witness is not None:
            self._witness.stop()

    # 1

    def _images(self, step: Step) -> GoldenPair:
        recipe = golden_image.Recipe()
        cache = self.wishes.cache
        if self.wishes.guest or self.wishes.image is None:
            self._kernel = golden_image.fetch_kernel(recipe, cache, self.runner)
        if self.wishes.image is not None:
            pair = from_user(
                self.wishes.image,
                self.wishes.next_image,
                self.wishes.build / "demo",
                self.runner,
                step,
            )
            self.display.fact(
                f"given image {self.wishes.image}; version 2 will be {pair.second_is}"
            )
        else:
            assert self._kernel is not None  # noqa: S101 - fetched just above
            built = golden_image.build(recipe, cache, self._kernel, self.runner)
            pair = from_golden(built)
            step.facts["from_cache"] = built.from_cache
            origin = "from the cache" if built.from_cache else "built now"
            self.display.fact(
                f"Debian {recipe.release} with systemd and its kernel, {origin}: {pair.version_1}"
            )
        step.facts["bytes"] = pair.version_1.stat().st_size
        if self.wishes.guest and self._kernel is not None:
            busybox = Path(find_program("busybox", "busybox-static"))
            self._base = initramfs.build(self._kernel, busybox, self.wishes.client)
            step.facts["initramfs_bytes"] = len(self._base)
            self.display.fact(
                f"kernel {self._kernel.release}, initramfs with the Corral client "
                f"{mebibytes(len(self._base))}"
            )
        return pair

    # 2, 6

    def _import(self, farm: Farm, disk: Path, step: Step) -> Published:
        published = farm.import_image(_IMAGE, disk)
        step.facts |= {
            "version": published.number,
            "root": published.root,
            "bytes": published.size_bytes,
            "chunks": published.chunks,
            "zero_chunks": published.zero_chunks,
            "new_chunks": published.new_chunks,
            "stored_bytes": published.stored_bytes,
        }
        self.display.fact(
            f"{published.name}: {mebibytes(published.size_bytes)}, {published.chunks:,} chunks "
            f"({published.zero_chunks:,} of zeros), {published.new_chunks:,} new, "
            f"{mebibytes(published.stored_bytes)} stored"
        )
        self.display.fact(f"root hash {published.root}")
        return published

    # 3, 6

    def _replicate(self, farm: Farm, version: Published, server: Server, step: Step) -> None:
        began = time.monotonic()
        fetched = farm.replicate(version, server)
        seconds = time.monotonic() - began
        step.facts |= {"replica_seconds": round(seconds, 3), "fetched_bytes": fetched}
        self.display.fact(
            f"{server.name} fetched {mebibytes(fetched)} in {seconds:.1f} s: it holds "
            f"{version.name}"
        )

    # 4, 6

    def _boot_title(self) -> str:
        if self.wishes.guest:
            return "Boot a guest in QEMU that has no disk"
        return "Read the whole image through the client on a unix socket (--no-guest)"

    def _register(self, farm: Farm, host: str) -> None:
        key_file = farm.add_device(_DEVICE, MAC, _IMAGE)
        key = key_file.read_text(encoding="utf-8").strip()
        self._login = DeviceLogin(_DEVICE, (farm.api_url(host),), key)

    def _start_witness(self, name: str, version: Published, images: GoldenPair, step: Step) -> None:
        assert self._login is not None  # noqa: S101 - the device was registered before
        folder = self.wishes.build / "demo"
        if self.wishes.guest:
            assert self._kernel is not None  # noqa: S101 - fetched in the first step
            guest = Guest.start(
                f"guest-{name}",
                kernel=self._kernel,
                base=self._base,
                login=self._login,
                folder=folder,
                programs=self.programs,
            )
            self._witness = guest
            self._expect_up(guest, version, images, step)
        else:
            self._witness = Reader.start(
                f"reader-{name}",
                client=self.wishes.client,
                login=self._login,
                root=version.root,
                folder=folder,
                programs=self.programs,
            )
        console = self._witness.console
        self.display.doing("reading and verifying the whole version")
        console.wait_for(
            lambda seen: bool(seen.passes), _PASS_SECONDS, "the whole version was read once"
        )
        self.display.doing("")
        first = console.passes[0]
        self._check_passes()
        step.facts |= {"first_pass_bytes": first.bytes_read, "first_pass_is_right": first.is_right}
        self.display.fact(
            f"read {mebibytes(first.bytes_read)} and found the root hash of {version.name}"
        )

    def _expect_up(self, guest: Guest, version: Published, images: GoldenPair, step: Step) -> None:
        console = guest.console
        self.display.doing("the guest starts")
        console.wait_for(lambda seen: seen.up is not None, _UP_SECONDS, "it was up")
        self.display.doing("")
        up = console.up
        assert up is not None  # noqa: S101 - just waited for
        seconds = time.monotonic() - guest.started_at
        step.facts |= {
            "up_seconds": round(seconds, 2),
            "guest_version": up.version,
            "guest_packages": up.packages,
        }
        self.display.fact(
            f"up after {seconds:.1f} s: version {up.version}, {up.packages} packages, {up.init}, "
            f"kernel {up.kernel}"
        )
        if up.root != version.root:
            message = f"the guest runs root {up.root}, not {version.root} of {version.name}"
            raise PromiseBrokenError(message)
        if images.says_version and up.version != str(version.number):
            message = (
                f"the guest runs version {up.version} by its own file system, not {version.number}"
            )
            raise PromiseBrokenError(message)
        if up.in_image:
            console.wait_for(lambda seen: seen.wrote is not None, _UP_SECONDS, "it wrote a file")
            wrote = console.wrote
            assert wrote is not None  # noqa: S101 - just waited for
            if wrote.cached_bytes == 0 or wrote.reached_the_image or not wrote.disk_read_only:
                message = f"the guest's writes did not stay in its memory: {wrote}"
                raise PromiseBrokenError(message)
            step.facts["written_to_ram_bytes"] = wrote.cached_bytes
            self.display.fact(
                f"wrote {mebibytes(wrote.cached_bytes)}: into its memory, the disk stayed read-only"
            )
        else:
            self.display.fact("the image holds no Linux root: the initramfs verifies it instead")

    def _check_passes(self) -> None:
        assert self._witness is not None  # noqa: S101 - called for a witness only
        console = self._witness.console
        for one in console.passes:
            if not one.is_right or one.errors:
                self.report.io_errors += max(1, one.errors)
                verdict = "right" if one.is_right else "WRONG"
                message = f"pass {one.number} saw {one.errors} errors; its root was {verdict}"
                raise PromiseBrokenError(message)
        if console.troubles:
            self.report.io_errors += len(console.troubles)
            message = f"the guest's kernel reported: {console.troubles[0]}"
            raise PromiseBrokenError(message)

    # 5

    def _kill_serving(self, farm: Farm, servers: list[Server], step: Step) -> Server:
        assert self._witness is not None  # noqa: S101 - started in the step before
        console = self._witness.console
        self.display.doing("asking the farm who serves it")
        serving = farm.serving(_DEVICE, _SESSION_SECONDS)
        (server,) = (one for one in servers if one.name == serving)
        before = len(console.passes)
        pid = farm.kill_stream(server)
        self.display.fact(
            f"`corral status` names {serving}; its stream process {pid} was killed (-9) "
            "while the reading went on"
        )
        step.facts["killed_server"] = serving
        # The first to end is the pass in which the server died; the next was read without it from
        # end to end.
        self.display.doing("going on without it")
        console.wait_for(
            lambda seen: len(seen.passes) >= before + 2,
            2 * _PASS_SECONDS,
            "two more passes after the kill",
        )
        self.display.doing("")
        self._check_passes()
        after = console.passes[before:]
        stall = max(one.longest_stall_ms for one in after)
        usual = max((one.longest_stall_ms for one in console.passes[:before]), default=0.0)
        self.report.note_stall(stall)
        step.facts |= {
            "longest_stall_ms": stall,
            "longest_wait_before_ms": usual,
            "io_errors": 0,
            "passes_after": len(after),
        }
        self.display.fact(
            f"longest stall at the far end: {stall:.0f} ms (before the kill: {usual:.0f} ms); "
            "no error"
        )
        return server

    # 6

    def _second_version(self, farm: Farm, images: GoldenPair, second: Server, step: Step) -> None:
        published = self._import(farm, images.version_2, step)
        self._published.append(published)
        step.facts |= {
            "changed_bytes": published.changed_bytes,
            "changed_chunks": published.changed_chunks,
        }
        self.display.fact(
            f"{images.second_is}: {mebibytes(published.changed_bytes)} changed, "
            f"{mebibytes(published.stored_bytes)} stored"
        )
        self._replicate(farm, published, second, step)
        if self._witness is not None:
            self._check_passes()
            self._witness.stop()
        self.report.version_before = self._published[0].number
        self._start_witness("second", published, images, step)
        # The guest (or the reader) has just proved by the root hash which version it reads.
        self.report.version_after = published.number

    # 7

    def _hold_promises(self, step: Step) -> None:
        self._check_passes()
        stall = self.report.longest_stall_ms
        step.facts["one_second_kept"] = stall is not None and stall < 1000  # noqa: PLR2004 - DESIGN's first promise

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
