"""List the computers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.computer.check_in import CheckIn, ComputerNews, GivenOrders
    from corral.farm.domain.computer.computer import Computer, ComputerId, ComputerName
    from corral.farm.domain.computer.user import UserName
    from corral.farm.domain.estate.collection import Collection
    from corral.farm.domain.estate.site import Site


@dataclass(frozen=True)
class ComputerView:
    """A computer, where it is, who uses it, and what it last said and heard."""

    computer: Computer
    collection: Collection
    site: Site
    users: tuple[UserName, ...]
    said: CheckIn | None
    given: GivenOrders | None

    @property
    def has_heard(self) -> bool:
        """Whether it has in force what it was last told."""
        return (
            self.said is not None
            and self.given is not None
            and self.said.generation >= self.given.generation
        )


COMPUTERS: Final = Columns[ComputerView](
    values={
        "name": lambda view: view.computer.name,
        "state": lambda view: view.computer.state.value,
        "user": lambda view: view.users,
        "collection": lambda view: view.collection.name,
        "site": lambda view: view.site.name,
        "engine": lambda view: None if view.said is None else view.said.engine.release,
        "paused": lambda view: view.computer.is_paused,
        "description": lambda view: view.computer.description,
        "last-check-in": lambda view: None if view.said is None else view.said.at,
        "free": lambda view: None if view.said is None else view.said.engine.disk_free_bytes,
        "asked": lambda view: view.computer.asked_at,
        "registered": lambda view: view.computer.registered_at,
    },
    identity=lambda view: view.computer.name,
)


class ListComputers:
    """Gives all computers, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[ComputerView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            view_of = ComputerViews(
                records,
                {one.computer_id: one for one in records.check_ins.all()},
                {one.computer_id: one for one in records.computer_orders.all()},
            )
            return tuple(map(view_of, records.computers.all()))


class ShowComputer:
    """Gives one computer."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ComputerName) -> ComputerView:
        """Give its view; raises ``ComputerUnknownError``."""
        with self._transactions.reading() as records:
            computer = records.computers.get(name)
            said = records.check_ins.find(computer.id)
            given = records.computer_orders.find(computer.id)
            view_of = ComputerViews(
                records,
                {} if said is None else {computer.id: said},
                {} if given is None else {computer.id: given},
            )
            return view_of(computer)


class ListComputerEvents:
    """Gives what happened on a computer, as it told it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ComputerName) -> tuple[ComputerNews, ...]:
        """Give it, the newest first; raises ``ComputerUnknownError``."""
        with self._transactions.reading() as records:
            return tuple(records.computer_events.of_computer(records.computers.get(name).id))


class ComputerViews:
    """Looks up what many computers have in common once."""

    def __init__(
        self,
        records: Records,
        said: Mapping[ComputerId, CheckIn],
        given: Mapping[ComputerId, GivenOrders],
    ) -> None:
        self._users = {user.id: user.name for user in records.users.all()}
        self._collections = {one.id: one for one in records.collections.all()}
        self._sites = {site.id: site for site in records.sites.all()}
        self._said = said
        self._given = given

    def __call__(self, computer: Computer) -> ComputerView:
        """Give the view of one."""
        collection = self._collections[computer.collection_id]
        return ComputerView(
            computer=computer,
            collection=collection,
            site=self._sites[collection.site_id],
            users=tuple(sorted(self._users[user_id] for user_id in computer.users)),
            said=self._said.get(computer.id),
            given=self._given.get(computer.id),
        )
