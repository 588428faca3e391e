"""Show who streams what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.list_devices import devices_with_warnings
from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from corral.farm.application.list_devices import DeviceView
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server, ServerState


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
class FarmStatus:
    """The farm at one moment."""

    farm: Farm
    servers: tuple[ServerLine, ...]
    sessions: tuple[SessionView, ...]
    warnings: tuple[DeviceView, ...] = ()
    """The devices with something that a person should know of their writes."""


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
            warnings = devices_with_warnings(records, now)
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
        )
