"""The last snapshot of logins, in a file and in memory: what devices start from without a database.

The file is written whole or not at all and believed only with the farm's signature: whoever can
write a server's disk must not be able to send devices elsewhere.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.domain.access.token import NOBODYS_DIGEST, TokenDigest
from corral.farm.domain.delivery.errors import LoginAwaitsFarmError, LoginsUnusableError
from corral.wire.logins import LoginSnapshot, SignedLogins, signed_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from corral.farm.domain.access.token import Token
    from corral.wire.login import LoginAnswer
    from corral.wire.logins import KnownDevice


@dataclass(frozen=True)
class _Known:
    snapshot: LoginSnapshot
    devices: Mapping[str, KnownDevice]


class KeptLogins:
    """Keeps the newest snapshot, and answers from it. May be used from several threads."""

    def __init__(self, path: Path, farm_public_key: bytes) -> None:
        self._path = path
        self._farm_public_key = farm_public_key
        self._known: _Known | None = None

    @property
    def generation(self) -> int | None:
        """Of the farm when the snapshot was taken; none if there is no snapshot."""
        return None if self._known is None else self._known.snapshot.generation

    @property
    def taken_at(self) -> datetime | None:
        """When it was taken; none if there is no snapshot."""
        return None if self._known is None else _moment(self._known.snapshot)

    def age_seconds(self, now: datetime) -> int | None:
        """How long ago it was taken; none if there is no snapshot. No clock makes it negative."""
        taken_at = self.taken_at
        return None if taken_at is None else max(0, int((now - taken_at).total_seconds()))

    @property
    def device_count(self) -> int:
        """How many devices it can answer."""
        return 0 if self._known is None else len(self._known.devices)

    def ends(self, now: datetime) -> tuple[datetime, ...]:
        """Give when the answers end that it can still give, the first one first."""
        if self._known is None:
            return ()
        moments = sorted(one.answer.expires_at for one in self._known.devices.values())
        still = (one for one in moments if one > now.timestamp())
        return tuple(datetime.fromtimestamp(one, UTC) for one in still)

    def load(self) -> bool:
        """Read the file of an earlier run; False if there is none.

        Raises ``LoginsUnusableError``.
        """
        try:
            signed = SignedLogins.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return False
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LoginsUnusableError(str(self._path), reason) from error
        except ValidationError:
            # `ValidationError` quotes values, which are tickets.
            reason = "it is not one, or of another release"
            raise LoginsUnusableError(str(self._path), reason) from None
        self._known = self._believed(signed)
        return True

    def keep(self, signed: SignedLogins) -> None:
        """Answer from this one from now on, and write it down.

        Raises ``LoginsUnusableError`` for one that the farm has not signed or that is older than
        the one in use, and, after it is in use all the same, if it cannot be written.
        """
        known = self._believed(signed)
        if self._known is not None and known.snapshot.taken_at < self._known.snapshot.taken_at:
            reason = "it is older than the one in use"
            raise LoginsUnusableError(str(self._path), reason)
        self._known = known
        try:
            write_private_file(self._path, signed.model_dump_json().encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LoginsUnusableError(str(self._path), reason) from error

    def answer(self, device: str, key: Token, running: str | None, now: datetime) -> LoginAnswer:
        """Give what the device was to be answered when the snapshot was taken.

        Raises ``LoginAwaitsFarmError`` for a device that it does not know, for a wrong key, for a
        device that runs another version by now, and if its ticket has ended. A snapshot does not
        know all devices, so that the same answer to all of these is the only one that tells nobody
        which names there are; it takes as long for each.
        """
        known = self._known
        if known is None:
            never = "an earlier time, which was never taken,"
            raise LoginAwaitsFarmError(device, never)
        taken = _moment(known.snapshot).isoformat()
        found = known.devices.get(device)
        digest = NOBODYS_DIGEST if found is None else base64.b64decode(found.key_digest)
        is_its_key = TokenDigest(digest).matches(key)
        if found is None or not is_its_key:
            raise LoginAwaitsFarmError(device, taken)
        is_over = found.answer.expires_at <= now.timestamp()
        if is_over or running not in {None, found.answer.root}:
            raise LoginAwaitsFarmError(device, taken)
        requires_tls = any(server.tls for server in found.answer.servers)
        root = known.snapshot.certificate_authority if requires_tls else None
        update = {"answered_from": known.snapshot.taken_at, "certificate_authority": root}
        return found.answer.model_copy(update=update)

    def _believed(self, signed: SignedLogins) -> _Known:
        message = signed_message(signed.snapshot)
        if not is_signed(self._farm_public_key, message, base64.b64decode(signed.signature)):
            reason = "the farm has not signed it"
            raise LoginsUnusableError(str(self._path), reason)
        try:
            snapshot = LoginSnapshot.model_validate_json(signed.snapshot)
        except ValidationError:
            reason = "it is of another release"
            raise LoginsUnusableError(str(self._path), reason) from None
        return _Known(snapshot, {device.name: device for device in snapshot.devices})


def _moment(snapshot: LoginSnapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.taken_at, UTC)
