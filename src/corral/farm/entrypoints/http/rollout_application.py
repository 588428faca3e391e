"""What the API needs of the application for rollouts and for kits that computers are given."""

from typing import Protocol

from corral.farm.application.assign_kit import (
    AssignKit,
    ListComputerKits,
    ListKitComputers,
    RetryKit,
    UnassignKit,
)
from corral.farm.application.list_rollouts import ListRollouts, ShowRollout
from corral.farm.application.move_rollout import (
    PauseRollout,
    RemoveRollout,
    ResumeRollout,
    RetryRollout,
    StopRollout,
    TakeRolloutBack,
)
from corral.farm.application.start_rollout import StartRollout


class RolloutApplication(Protocol):
    """The wired use cases."""

    @property
    def start_rollout(self) -> StartRollout: ...  # noqa: D102
    @property
    def pause_rollout(self) -> PauseRollout: ...  # noqa: D102
    @property
    def resume_rollout(self) -> ResumeRollout: ...  # noqa: D102
    @property
    def stop_rollout(self) -> StopRollout: ...  # noqa: D102
    @property
    def take_rollout_back(self) -> TakeRolloutBack: ...  # noqa: D102
    @property
    def retry_rollout(self) -> RetryRollout: ...  # noqa: D102
    @property
    def remove_rollout(self) -> RemoveRollout: ...  # noqa: D102
    @property
    def list_rollouts(self) -> ListRollouts: ...  # noqa: D102
    @property
    def show_rollout(self) -> ShowRollout: ...  # noqa: D102
    @property
    def assign_kit(self) -> AssignKit: ...  # noqa: D102
    @property
    def unassign_kit(self) -> UnassignKit: ...  # noqa: D102
    @property
    def retry_kit(self) -> RetryKit: ...  # noqa: D102
    @property
    def list_kit_computers(self) -> ListKitComputers: ...  # noqa: D102
    @property
    def list_computer_kits(self) -> ListComputerKits: ...  # noqa: D102
