"""Which machine of a rollout is which: a computer, or a user's virtual machine on it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from corral.farm.domain.computer.check_in import KitState, MachineState
from corral.farm.domain.computer.computer import ComputerId
from corral.farm.domain.computer.user import UserId
from corral.farm.domain.library.assignment import engine_release
from corral.farm.domain.rollout.evidence import Digest, Evidence, Told
from corral.farm.domain.rollout.member import MemberId

if TYPE_CHECKING:
    from corral.farm.domain.computer.check_in import CheckIn, SeenMachine
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.library.release import Release


def machine_of(computer_id: ComputerId, user_id: UserId) -> MemberId:
    """Give the id of a user's virtual machine on a computer."""
    return MemberId(f"{computer_id}/{user_id}")


def engine_of(computer_id: ComputerId) -> MemberId:
    """Give the id of a computer as one that is given kits."""
    return MemberId(str(computer_id))


def parts_of(member_id: MemberId) -> tuple[ComputerId, UserId | None]:
    """Give the computer and the user of an id."""
    computer, slash, user = member_id.partition("/")
    return ComputerId(UUID(computer)), UserId(UUID(user)) if slash else None


_TOLD = {
    MachineState.WENT_BACK: Told.WENT_BACK,
    MachineState.FAILED: Told.FAILED,
    MachineState.HELD: Told.HELD,
    MachineState.PROVEN: Told.DONE,
}
_KIT_TOLD = {
    KitState.PROVING: Told.ON_TRIAL,
    KitState.WENT_BACK: Told.WENT_BACK,
    KitState.FAILED: Told.FAILED,
    KitState.CURRENT: Told.DONE,
}


def machine_evidence(said: CheckIn, seen: SeenMachine | None) -> Evidence:
    """Give what a check-in says of a virtual machine; ``said.at`` is the farm's own time."""
    if seen is None:
        return Evidence(said.at)
    return Evidence(
        at=said.at,
        wanted=_digest(seen.wanted),
        attempt=seen.attempt,
        told=_told(seen),
        running=_digest(seen.running) if seen.is_running else None,
        starts=seen.starts,
        boot_milliseconds=seen.boot_milliseconds,
        is_healthy=seen.is_healthy,
        code=seen.code,
        problem=seen.problem,
    )


def _told(seen: SeenMachine) -> Told:
    """Give its word. One that runs what it should and does not call it proven may still go back."""
    runs_it = seen.is_running and seen.running is not None and seen.running == seen.wanted
    return _TOLD.get(seen.state, Told.ON_TRIAL if runs_it else Told.UNDER_WAY)


def kit_evidence(said: CheckIn, digest: Digest, release: Release) -> Evidence:
    """Give what a check-in says of the engine, for one who asks for one release.

    An engine is known by the root of the kit that it was started from. One that came with its
    computer's package has none, and is known by the release that answers. Whatever else it runs is
    something else.
    """
    running = engine_release(said)
    is_it = said.kit.running in {None, str(digest)} and running == release
    wanted = said.kit.wanted == str(release)
    return Evidence(
        at=said.at,
        wanted=digest if wanted else None,
        attempt=said.kit.attempt,
        told=_KIT_TOLD.get(said.kit.state, Told.UNDER_WAY),
        running=digest if is_it else Digest(f"engine {said.engine.release}"),
        code=said.kit.code,
        problem=said.kit.problem,
    )


def _digest(root: RootHash | None) -> Digest | None:
    return None if root is None else Digest(root.hex)
