"""Take a snapshot of every device's login, for the time when the database is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_servers import supposed_caller
from corral.farm.application.log_device_in import answer_to_login
from corral.farm.application.one_moment import remembering
from corral.farm.domain.errors import DomainError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.log_device_in import LoginAnswer
    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.farm import Farm


@dataclass(frozen=True)
class LoginSnapshot:
    """What each device would have been answered at one moment."""

    farm: Farm
    taken_at: datetime
    answers: tuple[LoginAnswer, ...]
    """In the order of the devices' names; a device that would have been refused is not there."""
    authority: str
    """The farm's root certificate."""


class TakeLoginSnapshot:
    """Answers every device's login at once, changing nothing.

    Limits keep nobody out of it: it is for a time when nobody counts.
    """

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(self) -> LoginSnapshot:
        """Give the snapshot; its tickets last as long as those of any login."""
        now = self._clock.now()
        answers: list[LoginAnswer] = []
        with self._transactions.reading() as records:
            moment = remembering(records)
            for device in records.devices.all():
                try:
                    later = supposed_caller(moment, device, is_for_later=True)
                    answer = answer_to_login(moment, device, self._key, now, caller=later)
                except DomainError:
                    # It would be refused with the database there; without, it is told that the
                    # snapshot has nothing for it.
                    continue
                answers.append(answer)
            farm = records.farm.get()
        return LoginSnapshot(farm, now, tuple(answers), self._authority.root(farm))
