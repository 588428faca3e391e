"""Who may do what: accounts, groups, roles, passwords and tokens."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from tests.unit.farm.application.machine.farm import DONE, Farm
from tests.unit.farm.application.machine.steps import Steps, cuts

from corral.farm.application.give_password import HowToSignIn
from corral.farm.application.grant_role import WantedRole
from corral.farm.domain.access.account import AccountName, GroupName, account_name, group_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import Permission, Role
from corral.farm.domain.errors import DomainError

accounts = st.sampled_from(["admin", "ada", "ada", "bob"]).map(account_name)
groups = st.sampled_from(["team", "night"]).map(group_name)
chosen = st.sampled_from(["correct horse battery", "staple after staple"])
roles = st.sampled_from([Role.FARM_ADMINISTRATOR, Role.FARM_READER])
addresses = st.sampled_from(["192.0.2.1", "192.0.2.2"])


class AccessSteps(Steps):
    @rule(name=accounts, how=st.sampled_from(HowToSignIn), cut=cuts)
    def add_account(self, name: AccountName, how: HowToSignIn, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            remember(farm, name, farm.application.add_account(name, how).secret)

        self.take(step, cut)

    @rule(name=accounts, how=st.sampled_from(HowToSignIn) | chosen.map(Password), cut=cuts)
    def set_password(self, name: AccountName, how: HowToSignIn | Password, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            given = farm.application.set_password(name, how)
            remember(farm, name, how if isinstance(how, Password) else given.secret)
            # Whoever was signed in is not any more.
            assert not [one for one in working(farm) if one == (name, True)]

        self.take(step, cut)

    @rule(name=accounts, disabled=st.booleans(), cut=cuts)
    def change_account(self, *, name: AccountName, disabled: bool, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            farm.application.change_account(name, disabled=disabled)
            assert not disabled or name not in {whose for whose, _ in working(farm)}

        self.take(step, cut)

    @rule(name=accounts, cut=cuts)
    def remove_account(self, name: AccountName, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            farm.application.remove_account(name)
            assert name not in {whose for whose, _ in working(farm)}

        self.take(step, cut)

    @rule(
        name=accounts,
        new=st.none() | chosen,
        wrong=st.sampled_from([False, False, False, True]),
        address=addresses,
        cut=cuts,
    )
    def sign_in(
        self, *, name: AccountName, new: str | None, wrong: bool, address: str, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            known = farm.passwords.get(name)
            tried = "nobody's password" if wrong or known is None else known
            fresh = None if new is None else Password(new)
            given = farm.application.sign_in(name, Password(tried), address, fresh)
            assert tried == known
            assert given.account.name == name
            farm.tokens[given.secret] = name
            if fresh is not None:
                remember(farm, name, fresh)
            caller = farm.application.recognise_caller(given.secret, address)
            assert (caller.account.name, caller.rights.is_person) == (name, True)

        said = self.take(step, cut)
        assert not (wrong and said == DONE)

    @rule(name=accounts, new=chosen, wrong=st.booleans(), cut=cuts)
    def change_own_password(
        self, *, name: AccountName, new: str, wrong: bool, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            account = farm.application.show_account(name).account
            known = farm.passwords.get(name)
            tried = "nobody's password" if wrong or known is None else known
            farm.application.change_own_password(account.id, Password(tried), Password(new))
            assert tried == known
            remember(farm, name, Password(new))

        self.take(step, cut)

    @rule(name=accounts, token=st.sampled_from(["ci", "cd"]), cut=cuts)
    def issue_token(self, name: AccountName, token: str, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            given = farm.application.issue_token(name, token, frozenset({Permission.FARM_READ}))
            farm.tokens[given.secret] = name

        self.take(step, cut)

    @rule(name=accounts, token=st.sampled_from(["ci", "cd", "session"]), cut=cuts)
    def revoke_token(self, name: AccountName, token: str, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            revoked = farm.application.revoke_token(token, name)
            for secret in farm.tokens:
                if secret.digest() == revoked.digest:
                    assert is_refused(farm, secret)

        self.take(step, cut)

    @rule(name=groups, members=st.sets(accounts, max_size=2).map(sorted), cut=cuts)
    def add_group(self, name: GroupName, members: list[AccountName], cut: int | None) -> None:
        self.take(lambda f: f.application.add_group(name, members), cut)

    @rule(name=groups, add=st.booleans(), member=accounts, cut=cuts)
    def change_group(
        self, *, name: GroupName, add: bool, member: AccountName, cut: int | None
    ) -> None:
        joining, leaving = ([member], []) if add else ([], [member])
        self.take(lambda f: f.application.change_group(name, add=joining, remove=leaving), cut)

    @rule(name=groups, cut=cuts)
    def remove_group(self, name: GroupName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_group(name), cut)

    @rule(role=roles, account=accounts, group=st.none() | groups, revoke=st.booleans(), cut=cuts)
    def grant_role(
        self,
        *,
        role: Role,
        account: AccountName,
        group: GroupName | None,
        revoke: bool,
        cut: int | None,
    ) -> None:
        wanted = WantedRole(role, account if group is None else None, group)
        verb = "revoke_role" if revoke else "grant_role"
        self.take(lambda f: getattr(f.application, verb)(wanted), cut)

    @invariant()
    def tokens_open_what_their_accounts_may(self) -> None:
        for farm in self._first():
            views = {view.account.name: view for view in farm.application.list_accounts()}
            for secret, whose in farm.tokens.items():
                try:
                    caller = farm.application.recognise_caller(secret, "192.0.2.1")
                except DomainError:
                    continue
                assert caller.account.name == whose
                assert not views[account_name(whose)].account.disabled
                held = {one.role for one in views[account_name(whose)].roles}
                assert {grant.role for grant in caller.rights.grants} == held


def remember(farm: Farm, name: AccountName, password: Password | None) -> None:
    farm.passwords.pop(name, None)
    if password is not None:
        farm.passwords[name] = password.reveal()


def is_refused(farm: Farm, secret: object) -> bool:
    try:
        farm.application.recognise_caller(secret, "192.0.2.1")  # type: ignore[arg-type] # a Token
    except DomainError:
        return True
    return False


def working(farm: Farm) -> list[tuple[str, bool]]:
    """Give whose tokens open something, and whether that is a person's session."""
    found: list[tuple[str, bool]] = []
    for secret in farm.tokens:
        try:
            caller = farm.application.recognise_caller(secret, "192.0.2.1")
        except DomainError:
            continue
        found.append((caller.account.name, caller.rights.is_person))
    return found
