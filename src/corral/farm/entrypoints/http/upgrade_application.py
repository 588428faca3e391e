"""What the API needs of the application for upgrades of the farm, and after it was restored."""

from typing import Protocol

from corral.farm.application.accept_difference import AcceptDifference, ShowDifference
from corral.farm.application.accept_risk import AcceptRisk, ListAcceptances, WithdrawAcceptance
from corral.farm.application.check_upgrade import CheckUpgrade
from corral.farm.application.move_upgrade import (
    FinaliseUpgrade,
    PauseUpgrade,
    ResumeUpgrade,
    RollBackUpgrade,
)
from corral.farm.application.plan_upgrade import PlanUpgrade
from corral.farm.application.show_upgrade import ListUpgrades, ShowUpgrade
from corral.farm.application.start_upgrade import StartUpgrade


class UpgradeApplication(Protocol):
    """The wired use cases."""

    @property
    def show_difference(self) -> ShowDifference: ...  # noqa: D102
    @property
    def accept_difference(self) -> AcceptDifference: ...  # noqa: D102
    @property
    def check_upgrade(self) -> CheckUpgrade: ...  # noqa: D102
    @property
    def plan_upgrade(self) -> PlanUpgrade: ...  # noqa: D102
    @property
    def start_upgrade(self) -> StartUpgrade: ...  # noqa: D102
    @property
    def pause_upgrade(self) -> PauseUpgrade: ...  # noqa: D102
    @property
    def resume_upgrade(self) -> ResumeUpgrade: ...  # noqa: D102
    @property
    def finalise_upgrade(self) -> FinaliseUpgrade: ...  # noqa: D102
    @property
    def roll_upgrade_back(self) -> RollBackUpgrade: ...  # noqa: D102
    @property
    def show_upgrade(self) -> ShowUpgrade: ...  # noqa: D102
    @property
    def list_upgrades(self) -> ListUpgrades: ...  # noqa: D102
    @property
    def accept_risk(self) -> AcceptRisk: ...  # noqa: D102
    @property
    def withdraw_acceptance(self) -> WithdrawAcceptance: ...  # noqa: D102
    @property
    def list_acceptances(self) -> ListAcceptances: ...  # noqa: D102
