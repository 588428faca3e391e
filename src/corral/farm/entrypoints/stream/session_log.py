"""Who came and who left, one line each in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from corral.wire.server import SessionReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    import corral_native as native

_log = structlog.get_logger("corral.stream")


@dataclass
class SessionLog:
    """Knows who was there the last time. Used from one thread."""

    _sessions: dict[tuple[str, int], SessionReport] = field(default_factory=dict)

    def note(self, connected: Iterable[native.Session]) -> tuple[SessionReport, ...]:
        """Log what is new, with the id of the device that the API's log has for its login."""
        reports = tuple(map(_session, connected))
        present = {(one.address, one.connected_at): one for one in reports}
        for event, ones, others in (
            ("stream begins", present, self._sessions),
            ("stream ends", self._sessions, present),
        ):
            for key in ones.keys() - others.keys():
                one = ones[key]
                device = None if one.subject is None else str(one.subject)
                _log.info(
                    event,
                    device_id=device,
                    export=one.export,
                    address=one.address,
                    sent_bytes=one.sent_bytes,
                )
        self._sessions = present
        return reports


def _session(session: native.Session) -> SessionReport:
    return SessionReport(
        subject=None if session.subject is None else UUID(bytes=session.subject),
        export=session.export,
        address=session.address,
        connected_at=int(session.connected_at),
        sent_bytes=session.sent_bytes,
    )
