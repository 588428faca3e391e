"""What the API needs of the application for accounts, roles, tokens and the audit log."""

from typing import Protocol

from corral.farm.application.add_account import AddAccount
from corral.farm.application.change_account import ChangeAccount
from corral.farm.application.edit_groups import AddGroup, ChangeGroup, RemoveGroup
from corral.farm.application.grant_role import GrantRole, RevokeRole
from corral.farm.application.issue_token import IssueToken, ListTokens, RevokeToken
from corral.farm.application.list_accounts import (
    ListAccounts,
    ListGroups,
    ListRoles,
    ShowAccount,
    ShowGroup,
)
from corral.farm.application.list_audit import ListAudit
from corral.farm.application.recognise_caller import RecogniseCaller
from corral.farm.application.remove_account import RemoveAccount
from corral.farm.application.set_password import ChangeOwnPassword, SetPassword
from corral.farm.application.sign_in import SignIn


class AccessApplication(Protocol):
    """The wired use cases."""

    @property
    def sign_in(self) -> SignIn: ...  # noqa: D102
    @property
    def recognise_caller(self) -> RecogniseCaller: ...  # noqa: D102
    @property
    def add_account(self) -> AddAccount: ...  # noqa: D102
    @property
    def change_account(self) -> ChangeAccount: ...  # noqa: D102
    @property
    def remove_account(self) -> RemoveAccount: ...  # noqa: D102
    @property
    def set_password(self) -> SetPassword: ...  # noqa: D102
    @property
    def change_own_password(self) -> ChangeOwnPassword: ...  # noqa: D102
    @property
    def list_accounts(self) -> ListAccounts: ...  # noqa: D102
    @property
    def show_account(self) -> ShowAccount: ...  # noqa: D102
    @property
    def add_group(self) -> AddGroup: ...  # noqa: D102
    @property
    def change_group(self) -> ChangeGroup: ...  # noqa: D102
    @property
    def remove_group(self) -> RemoveGroup: ...  # noqa: D102
    @property
    def list_groups(self) -> ListGroups: ...  # noqa: D102
    @property
    def show_group(self) -> ShowGroup: ...  # noqa: D102
    @property
    def grant_role(self) -> GrantRole: ...  # noqa: D102
    @property
    def revoke_role(self) -> RevokeRole: ...  # noqa: D102
    @property
    def list_roles(self) -> ListRoles: ...  # noqa: D102
    @property
    def issue_token(self) -> IssueToken: ...  # noqa: D102
    @property
    def list_tokens(self) -> ListTokens: ...  # noqa: D102
    @property
    def revoke_token(self) -> RevokeToken: ...  # noqa: D102
    @property
    def list_audit(self) -> ListAudit: ...  # noqa: D102
