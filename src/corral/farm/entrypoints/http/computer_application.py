"""What the API needs of the application for users and computers."""

from typing import Protocol

from corral.farm.application.admit_computer import ApproveComputer, DeleteComputer, RefuseComputer
from corral.farm.application.assign_image import AssignImage, UnassignImage
from corral.farm.application.change_computer import ChangeComputer, RetryMachine
from corral.farm.application.edit_user_groups import AddUserGroup, ChangeUserGroup, RemoveUserGroup
from corral.farm.application.edit_users import AddUser, ChangeUser, RemoveUser
from corral.farm.application.issue_code import IssueCode, ListCodes, RevokeCode
from corral.farm.application.kill_computer import KillComputer, RecycleComputer, UndoKill
from corral.farm.application.list_computers import (
    ListComputerEvents,
    ListComputers,
    ShowComputer,
)
from corral.farm.application.list_machines import (
    ListComputerImages,
    ListImageUsers,
    ListUserImages,
)
from corral.farm.application.list_users import ListUserGroups, ListUsers, ShowUser, ShowUserGroup
from corral.farm.application.look_for_orders import LookForOrders
from corral.farm.application.register_computer import RegisterComputer
from corral.farm.application.set_machine_policy import SetMachinePolicy, ShowMachinePolicy
from corral.farm.application.take_check_in import RecogniseComputer, TakeCheckIn


class ComputerApplication(Protocol):
    """The wired use cases."""

    @property
    def add_user(self) -> AddUser: ...  # noqa: D102 - each names itself
    @property
    def change_user(self) -> ChangeUser: ...  # noqa: D102 - each names itself
    @property
    def remove_user(self) -> RemoveUser: ...  # noqa: D102 - each names itself
    @property
    def list_users(self) -> ListUsers: ...  # noqa: D102 - each names itself
    @property
    def show_user(self) -> ShowUser: ...  # noqa: D102 - each names itself
    @property
    def add_user_group(self) -> AddUserGroup: ...  # noqa: D102 - each names itself
    @property
    def change_user_group(self) -> ChangeUserGroup: ...  # noqa: D102 - each names itself
    @property
    def remove_user_group(self) -> RemoveUserGroup: ...  # noqa: D102 - each names itself
    @property
    def list_user_groups(self) -> ListUserGroups: ...  # noqa: D102 - each names itself
    @property
    def show_user_group(self) -> ShowUserGroup: ...  # noqa: D102 - each names itself
    @property
    def assign_image(self) -> AssignImage: ...  # noqa: D102 - each names itself
    @property
    def unassign_image(self) -> UnassignImage: ...  # noqa: D102 - each names itself
    @property
    def list_image_users(self) -> ListImageUsers: ...  # noqa: D102 - each names itself
    @property
    def list_user_images(self) -> ListUserImages: ...  # noqa: D102 - each names itself
    @property
    def list_computer_images(self) -> ListComputerImages: ...  # noqa: D102 - each names itself
    @property
    def set_machine_policy(self) -> SetMachinePolicy: ...  # noqa: D102 - each names itself
    @property
    def show_machine_policy(self) -> ShowMachinePolicy: ...  # noqa: D102 - each names itself
    @property
    def issue_code(self) -> IssueCode: ...  # noqa: D102 - each names itself
    @property
    def list_codes(self) -> ListCodes: ...  # noqa: D102 - each names itself
    @property
    def revoke_code(self) -> RevokeCode: ...  # noqa: D102 - each names itself
    @property
    def register_computer(self) -> RegisterComputer: ...  # noqa: D102 - each names itself
    @property
    def approve_computer(self) -> ApproveComputer: ...  # noqa: D102 - each names itself
    @property
    def refuse_computer(self) -> RefuseComputer: ...  # noqa: D102 - each names itself
    @property
    def list_computers(self) -> ListComputers: ...  # noqa: D102 - each names itself
    @property
    def show_computer(self) -> ShowComputer: ...  # noqa: D102 - each names itself
    @property
    def list_computer_events(self) -> ListComputerEvents: ...  # noqa: D102 - each names itself
    @property
    def change_computer(self) -> ChangeComputer: ...  # noqa: D102 - each names itself
    @property
    def retry_machine(self) -> RetryMachine: ...  # noqa: D102 - each names itself
    @property
    def kill_computer(self) -> KillComputer: ...  # noqa: D102 - each names itself
    @property
    def undo_kill(self) -> UndoKill: ...  # noqa: D102 - each names itself
    @property
    def recycle_computer(self) -> RecycleComputer: ...  # noqa: D102 - each names itself
    @property
    def delete_computer(self) -> DeleteComputer: ...  # noqa: D102 - each names itself
    @property
    def recognise_computer(self) -> RecogniseComputer: ...  # noqa: D102 - each names itself
    @property
    def take_check_in(self) -> TakeCheckIn: ...  # noqa: D102 - each names itself
    @property
    def look_for_orders(self) -> LookForOrders: ...  # noqa: D102 - each names itself
