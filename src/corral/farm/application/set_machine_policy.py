"""Say how machines of an image are run on computers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, edited
from corral.farm.domain.computer.errors import MachinePolicyChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.computer.policy import ImagePolicy
    from corral.farm.domain.image.image import ImageName


@dataclass(frozen=True)
class PolicyEdit:
    """What is to be different."""

    memory_mib: Edit[int] = KEEP
    processors: Edit[int] = KEEP
    user_disk_bytes: Edit[int] = KEEP
    prove_within_seconds: Edit[int] = KEEP
    soak_seconds: Edit[int] = KEEP
    postpone_seconds: Edit[int] = KEEP
    starts_itself: Edit[bool] = KEEP
    is_disabled: Edit[bool] = KEEP


class SetMachinePolicy:
    """Changes it; it counts from the next start of each machine."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self, image: ImageName, edit: PolicyEdit, revision: int | None = None
    ) -> ImagePolicy:
        """Give it as it is now.

        Raises ``ImageUnknownError``, ``MachinePolicyInvalidError``, and
        ``MachinePolicyChangedError`` if ``revision`` is given and is not that of the policy.
        """
        with self._transactions.writing() as records:
            seen = records.image_policies.with_id(records.images.get(image).id)
            if revision not in (None, seen.revision):
                raise MachinePolicyChangedError(image)
            now = seen.policy
            wanted = replace(
                now,
                memory_mib=edited(edit.memory_mib, now.memory_mib),
                processors=edited(edit.processors, now.processors),
                user_disk_bytes=edited(edit.user_disk_bytes, now.user_disk_bytes),
                prove_within_seconds=edited(edit.prove_within_seconds, now.prove_within_seconds),
                soak_seconds=edited(edit.soak_seconds, now.soak_seconds),
                postpone_seconds=edited(edit.postpone_seconds, now.postpone_seconds),
                starts_itself=edited(edit.starts_itself, now.starts_itself),
                is_disabled=edited(edit.is_disabled, now.is_disabled),
            )
            if wanted == now:
                return seen
            return records.image_policies.change(seen, replace(seen, policy=wanted))


class ShowMachinePolicy:
    """Gives how machines of an image are run."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, image: ImageName) -> ImagePolicy:
        """Give it; raises ``ImageUnknownError``."""
        with self._transactions.reading() as records:
            return records.image_policies.with_id(records.images.get(image).id)
