"""The port of virtual machines, by QEMU."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corral.engine.adapters.files import make_folder, reason_of
from corral.engine.adapters.qemu import images
from corral.engine.adapters.qemu.accelerator import note_broken
from corral.engine.adapters.qemu.command import SUSPENDED, Disks, command
from corral.engine.adapters.qemu.layers import is_at, layer_of, put_layers
from corral.engine.adapters.qemu.places import Places
from corral.engine.adapters.qemu.watcher import Watcher
from corral.engine.domain.failures import ProcessFailedError
from corral.engine.domain.machine.record import Mode
from corral.engine.domain.machine.seen import Seen
from corral.engine.domain.machine.tools_record import ToolsStage
from corral.guest.accelerator import EMULATION

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from corral.engine.adapters.state_folder import StateFolder
    from corral.engine.application.ports import Clock
    from corral.engine.domain.machine.record import Machine, MachineKey
    from corral.guest.accelerator import Accelerator

_START_SECONDS: Final = 120.0
_CALL_SECONDS: Final = 60.0
_SAVE_SECONDS: Final = 600.0
_END_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.05


class QemuProcesses:
    """Starts processes that are their own, and finds them again by their locks and sockets."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a process is made of comes from many places
        self,
        state: StateFolder,
        disks: Path,
        accelerator: Accelerator,
        clock: Clock,
        on_change: Callable[[], None],
        tools: Path | None = None,
    ) -> None:
        self._state = state
        self._disks = disks
        self.accelerator = accelerator
        self._clock = clock
        self._on_change = on_change
        self._tools = tools
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen[bytes]] = []
        self._watchers: dict[MachineKey, tuple[Watcher, asyncio.Task[None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qemu", daemon=True)
        self._thread.start()

    def look(self, machine: Machine) -> Seen:
        """Say what one does."""
        key = machine.key
        places = self._places(key)
        seen = Seen(has_own_disk=machine.mode is not Mode.SHARED and places.system.exists())
        if not self._is_alive(places):
            self._forget(key)
            self._children = [child for child in self._children if child.poll() is None]
            return seen
        observed = self._watched(key).observation
        if observed.is_accelerator_broken and self.accelerator.is_kvm:
            note_broken(self._state.broken_kvm)
            self.accelerator = EMULATION
        start = machine.start
        boot: int | None = None
        if start is not None and observed.first_heard is not None and not start.is_resumed:
            seconds = observed.first_heard.seconds_since(start.moment)
            connected = observed.connected
            listened = None if connected is None else connected.seconds_since(start.moment)
            # One that was found running may have spoken long before.
            if seconds is not None and listened is not None and listened <= _END_SECONDS:
                boot = int(seconds * 1000)
        return replace(
            seen,
            power=observed.power,
            was_reset=observed.was_reset,
            root=observed.root,
            is_healthy=observed.is_healthy,
            healthy_since=observed.healthy_since,
            boot_milliseconds=boot,
            guest_tools=observed.guest_tools,
            installing=observed.installing,
            installing_problem=observed.installing_problem,
        )

    def start(self, machine: Machine, size_bytes: int, *, is_fresh: bool) -> None:
        """Start one; it is its own from then on."""
        places = self._places(machine.key)
        with self._starting(places) as lock:
            self._prepare_disks(machine, places, size_bytes, is_fresh=is_fresh)
            is_installing = is_at(machine, ToolsStage.INSTALLING)
            disks = Disks(
                self._disks,
                has_user_disk=places.user.exists(),
                layer=layer_of(machine, places),
                tools=self._tools if is_installing else None,
            )
            words = command(machine, places, self.accelerator, disks)
            for stale in (places.monitor, places.guest, places.display, places.pid):
                stale.unlink(missing_ok=True)
            self._spawn(places, words, lock)
        self._watched(machine.key)

    def shut_down(self, key: MachineKey) -> None:
        """Ask the guest to switch itself off."""
        with suppress(ProcessFailedError):  # what does not answer is ended when its time is up
            self._call(self._watched(key).shut_down())

    def end(self, key: MachineKey) -> None:
        """End one at once."""
        places = self._places(key)
        if not self._is_alive(places):
            return
        with suppress(ProcessFailedError):
            self._call(self._watched(key).execute("quit"))
        if not self._has_ended(places):
            self._kill(places)
            if not self._has_ended(places):
                raise ProcessFailedError(str(key), "its process cannot be ended")
        self._forget(key)

    def suspend(self, key: MachineKey) -> None:
        """Write what is in its memory into its disk, and halt it."""
        watcher = self._watched(key)
        self._call(watcher.execute("stop"))
        places = self._places(key)
        devices = ["system", *(["user"] if places.user.exists() else [])]
        common = {"tag": SUSPENDED, "devices": devices}
        with suppress(ProcessFailedError):  # there is none, mostly
            self._job(watcher, "snapshot-delete", common)
        self._job(watcher, "snapshot-save", {**common, "vmstate": "system"})

    def go_on(self, key: MachineKey) -> None:
        """Let a halted one go on."""
        self._call(self._watched(key).execute("cont"))

    def install_tools(self, key: MachineKey) -> None:
        """Have its guest install the tools on the medium beside its disks; returns at once."""
        self._call(self._watched(key).install_tools())

    def make_disk(self, machine: Machine) -> None:
        """Make a local machine's own disk."""
        places = self._places(machine.key)
        if not places.system.exists():
            images.create_disk(places.system, machine.disk_bytes)

    def snapshots(self, key: MachineKey) -> Sequence[str]:
        """Give the names of a machine's snapshots."""
        places = self._places(key)
        if not places.system.exists():
            return ()
        return [name for name in images.snapshots(places.system) if name != SUSPENDED]

    def take_snapshot(self, key: MachineKey, name: str) -> None:
        """Keep how its disks are, under a name."""
        for disk in self._disks_of(key):
            if name in images.snapshots(disk):
                images.delete_snapshot(disk, name)
            images.take_snapshot(disk, name)

    def revert(self, key: MachineKey, name: str) -> None:
        """Have its disks be as they were."""
        for disk in self._disks_of(key):
            if name in images.snapshots(disk):
                images.revert(disk, name)

    def close(self) -> None:
        """Listen to none any more; they go on."""
        with self._lock:
            watching = [task for _, task in self._watchers.values()]
            self._watchers.clear()
        with suppress(TimeoutError):
            # Each hangs up, for which it needs the loop.
            ending = asyncio.run_coroutine_threadsafe(_ended(watching), self._loop)
            ending.result(_END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _prepare_disks(
        self, machine: Machine, places: Places, size_bytes: int, *, is_fresh: bool
    ) -> None:
        current = machine.current
        if is_fresh and current is not None:
            if machine.mode is Mode.SHARED:
                put_layers(machine, places)
            images.create_overlay(places.system, current.root, self._disks, size_bytes)
        elif current is not None and images.base_of(places.system) != current.root:
            reason = f"{places.system.name} is over another version than {current.name}"
            raise ProcessFailedError(str(machine.key), reason)
        wanted = machine.policy.user_disk_bytes
        if wanted and places.user.exists():
            images.grow(places.user, wanted)
        elif wanted:
            images.create_disk(places.user, wanted)

    def _spawn(self, places: Places, words: list[str], lock: int) -> None:
        """Start a process that holds the lock, and return once it can be spoken to."""
        try:
            with places.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - no shell; names are in JSON or our own
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    # Whatever ends the agent does not end it.
                    start_new_session=True,
                    cwd="/",
                )
        except OSError as error:
            raise ProcessFailedError(places.folder.name, reason_of(error)) from error
        self._children.append(process)
        pause = threading.Event()
        for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
            if process.poll() is not None:
                said = places.log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
                reason = said or f"QEMU ended with {process.returncode} and did not say why"
                raise ProcessFailedError(places.folder.name, reason)
            if places.pid.exists():  # written when everything else is there
                return
            pause.wait(_POLL_SECONDS)
        process.kill()
        raise ProcessFailedError(places.folder.name, "QEMU does not get ready")

    @contextmanager
    def _starting(self, places: Places) -> Iterator[int]:
        """Hold a machine's lock, which goes over to its process."""
        make_folder(places.folder)
        with self._lock:
            descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise ProcessFailedError(places.folder.name, "its process runs already") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_alive(self, places: Places) -> bool:
        """Whether a process of it lives, or is being started by anybody."""
        with self._lock:
            try:
                descriptor = os.open(places.lock, os.O_RDWR)
            except FileNotFoundError:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
            else:
                return False
            finally:
                os.close(descriptor)

    def _has_ended(self, places: Places) -> bool:
        pause = threading.Event()
        for _ in range(int(_END_SECONDS / _POLL_SECONDS)):
            if not self._is_alive(places):
                return True
            pause.wait(_POLL_SECONDS)
        return False

    def _kill(self, places: Places) -> None:
        """Kill its process, after a look at whether it is that."""
        with suppress(OSError, ValueError):
            pid = int(places.pid.read_text("ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if str(places.pid).encode() in words:
                os.kill(pid, signal.SIGKILL)

    def _disks_of(self, key: MachineKey) -> list[Path]:
        places = self._places(key)
        return [disk for disk in (places.system, places.user) if disk.exists()]

    def _places(self, key: MachineKey) -> Places:
        return Places.of(self._state, key)

    def _watched(self, key: MachineKey) -> Watcher:
        with self._lock:
            known = self._watchers.get(key)
            if known is not None:
                return known[0]
            watcher = Watcher(self._places(key), self._clock, self._on_change)
            task = asyncio.run_coroutine_threadsafe(self._begun(watcher), self._loop).result()
            self._watchers[key] = (watcher, task)
            return watcher

    @staticmethod
    async def _begun(watcher: Watcher) -> asyncio.Task[None]:
        return asyncio.create_task(watcher.watch())

    def _forget(self, key: MachineKey) -> None:
        with self._lock:
            known = self._watchers.pop(key, None)
        if known is not None:
            self._loop.call_soon_threadsafe(known[1].cancel)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever QEMU answers
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_SECONDS)

    def _job(self, watcher: Watcher, name: str, arguments: dict[str, Any]) -> None:
        """Have QEMU do what takes a while, and wait for its end."""
        asyncio.run_coroutine_threadsafe(_job(watcher, name, arguments), self._loop).result(
            _SAVE_SECONDS
        )


async def _ended(watching: list[asyncio.Task[None]]) -> None:
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def _job(watcher: Watcher, name: str, arguments: dict[str, Any]) -> None:
    await watcher.execute(name, {**arguments, "job-id": name})
    while True:
        jobs = await watcher.execute("query-jobs")
        job = next((one for one in jobs if one["id"] == name), None)
        if job is None:
            return
        if job["status"] == "concluded":
            await watcher.execute("job-dismiss", {"id": name})
            if "error" in job:
                raise ProcessFailedError(watcher.places.folder.name, f"{name}: {job['error']}")
            return
        await asyncio.sleep(_POLL_SECONDS)
