"""Show who streams what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.list_devices import devices_with_warnings
from corral.farm.application.listing import Columns
from corral.farm.application.note_releases import as_of, wait_of
from corral.farm.application.observing import observes_server
from corral.farm.domain.image.standing import Standing

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.list_devices import DeviceView
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server, ServerState
    from corral.farm.domain.image.release import ReleaseWait
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class SessionView:
    """One session, as its server last reported it."""

    session: Session
    server: Server
    server_state: ServerState
    """``unknown`` means that the session was there when the server last reported."""
    device: Device | None


SESSIONS: Final = Columns[SessionView](
    values={
        "device": lambda view: None if view.device is None else view.device.name,
        "version": lambda view: view.session.export,
        "image": lambda view: view.session.export.partition("/")[0],
        "server": lambda view: view.server.name,
        "state": lambda view: view.server_state.value,
        "address": lambda view: view.session.address,
        "since": lambda view: view.session.connected_at,
        "sent": lambda view: view.session.sent_bytes,
    },
    # A connection has no name of its own; two of one device are told apart by their ports.
    identity=lambda view: (
        f"{view.server.name} {view.session.connected_at.isoformat()} {view.session.address}"
        f" {view.session.export}"
    ),
)


@dataclass(frozen=True)
class ServerLine:
    """One server in short."""

    server: Server
    state: ServerState
    session_count: int


@dataclass(frozen=True)
class PendingVersion:
    """A version that is in production, and not released yet."""

    version: Version
    wait: ReleaseWait


@dataclass(frozen=True)
class Observing:
    """What a restored farm waits for."""

    restored_at: datetime
    is_accepted: bool
    """It works as always, but for servers that hold what nobody has accepted yet."""
    servers: tuple[str, ...] = ()
    """Those that keep all that they have meanwhile."""

    def __str__(self) -> str:
        if not self.is_accepted:
            return "the farm was restored, and only observes until somebody accepts what differs"
        return f"the farm was restored, and keeps what these held before: {', '.join(self.servers)}"


@dataclass(frozen=True)
class FarmStatus:
    """The farm at one moment."""

    farm: Farm
    servers: tuple[ServerLine, ...]
    sessions: tuple[SessionView, ...]
    warnings: tuple[DeviceView, ...] = ()
    """The devices with something that a person should know of their writes."""
    pending: tuple[PendingVersion, ...] = ()
    observing: Observing | None = None
    """The farm was restored, and somebody has to look at what differs."""
    device_count: int = 0
    """The devices that the farm knows, whether they are on or off."""

    @property
    def streaming_count(self) -> int:
        """Those of them that a server streams to."""
        return len({view.device.id for view in self.sessions if view.device is not None})


def observing_of(records: Records) -> Observing | None:
    """Say what a restored farm waits for; nothing if there is nothing."""
    restoration = records.restorations.find()
    if restoration is None:
        return None
    servers = tuple(
        one.name
        for one in records.servers.all()
        # One that was added since, and never ran, holds nothing.
        if (one.added_at <= restoration.restored_at or one.last_report is not None)
        and observes_server(records, one.id)
    )
    is_accepted = restoration.accepted_at is not None
    if is_accepted and not servers:
        return None
    return Observing(restoration.restored_at, is_accepted, servers)


class ShowStatus:
    """Gives servers and sessions as of their last reports."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> FarmStatus:
        """Give the status of now."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            servers = {server.id: server for server in records.servers.all()}
            devices = {device.id: device for device in records.devices.all()}
            sessions = records.sessions.all()
            observing = observing_of(records)
            warnings = devices_with_warnings(records, now)
            pending = tuple(
                PendingVersion(version, wait_of(records, version, now))
                for version in as_of(records, records.versions.all(), now)
                if version.standing is Standing.PENDING
            )
        counts = dict.fromkeys(servers, 0)
        for session in sessions:
            counts[session.server_id] += 1
        return FarmStatus(
            farm=farm,
            servers=tuple(
                ServerLine(server, server.state(now), counts[server.id])
                for server in servers.values()
            ),
            sessions=tuple(
                SessionView(
                    session=session,
                    server=servers[session.server_id],
                    server_state=servers[session.server_id].state(now),
                    device=None if session.device_id is None else devices.get(session.device_id),
                )
                for session in sessions
            ),
            warnings=warnings,
            pending=pending,
            observing=observing,
            device_count=len(devices),
        )
