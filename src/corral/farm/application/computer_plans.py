"""Load what decides on what computers run, for one of them or for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.compatibility import Facts
from corral.farm.application.computer_rules import kits_of, rules_of
from corral.farm.application.note_releases import versions_as_of
from corral.farm.application.rollout_courses import Courses
from corral.farm.application.share_line import share_of
from corral.farm.application.show_replication import time_left
from corral.farm.domain.computer.orders import ChunkServer, arrival, asked_from, orders_for
from corral.farm.domain.computer.plan import Assigned, plan_machines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.computer.assignment import ImageAssignment
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import Computer
    from corral.farm.domain.computer.orders import KitOrder, Orders
    from corral.farm.domain.computer.plan import PlannedMachine
    from corral.farm.domain.computer.user import User, UserGroup
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.estate.site import SiteId
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash


def assigned_to_all(records: Records, now: datetime) -> Assigned:
    """Give who gets which image, of everybody."""
    return _assigned(
        records,
        records.users.all(),
        records.user_groups.all(),
        records.image_assignments.all(),
        now,
    )


def assigned_on(records: Records, computer: Computer, now: datetime) -> Assigned:
    """Give who gets which image of those who use one computer, however many others there are."""
    users = [records.users.with_id(user_id) for user_id in sorted(computer.users)]
    groups: list[UserGroup] = []
    for user in users:
        groups += records.user_groups.of_user(user.id)
    holders = {user.id for user in users} | {group.id for group in groups}
    found = records.image_assignments.of_holders(holders) if holders else ()
    return _assigned(records, users, groups, found, now)


def _assigned(
    records: Records,
    users: Sequence[User],
    groups: Sequence[UserGroup],
    assignments: Sequence[ImageAssignment],
    now: datetime,
) -> Assigned:
    images = {
        image_id: records.images.with_id(image_id)
        for image_id in {one.image_id for one in assignments}
    }
    return Assigned(
        users={user.id: user for user in users},
        groups=groups,
        assignments=assignments,
        images=images,
        versions={image_id: versions_as_of(records, image_id, now) for image_id in images},
        policies={image_id: records.image_policies.with_id(image_id).policy for image_id in images},
    )


def wanted_roots(planned: Iterable[PlannedMachine]) -> frozenset[RootHash]:
    """Give every root that somebody should have."""
    return frozenset(
        version.root
        for one in planned
        for version in (one.ordered, one.assigned)
        if version is not None
    )


def _roots(planned: Iterable[PlannedMachine], kit: KitOrder | None) -> frozenset[RootHash]:
    return wanted_roots(planned) | (frozenset() if kit is None else {kit.root})


class Orderer:
    """Makes the orders of many computers of one moment from what was looked up once."""

    def __init__(
        self,
        records: Records,
        now: datetime,
        assigned: Assigned | None = None,
        courses: Courses | None = None,
    ) -> None:
        self._records = records
        self._now = now
        for_all = courses is None
        courses, facts = courses or Courses(records, now, for_all=True), Facts(records)
        self._rules = rules_of(records, courses, facts, now)
        self._kits = kits_of(records, courses, facts, for_all=for_all)
        self._assigned = assigned or assigned_to_all(records, now)
        self._sites = {one.id: one.site_id for one in records.collections.all()}
        self._all_servers = records.servers.all()
        self._relays: dict[SiteId, list[Server]] = {}
        for server in self._all_servers:
            # Whoever works on one sends its site to the other servers meanwhile.
            if server.relay and not server.maintenance:
                self._relays.setdefault(server.site_id, []).append(server)
        self._replicas: dict[RootHash, Sequence[Replica]] = {}
        self._rates: dict[ServerId, int | None] = {}

    @classmethod
    def for_one(
        cls, records: Records, computer: Computer, now: datetime, courses: Courses
    ) -> Orderer:
        """Give one that looks up what concerns a single computer, however many others there are."""
        return cls(records, now, assigned_on(records, computer, now), courses)

    @property
    def images(self) -> Collection[ImageId]:
        """Give the images that are assigned to anybody it knows of."""
        return self._assigned.images.keys()

    def planned(self, computer: Computer, said: CheckIn | None) -> tuple[PlannedMachine, ...]:
        """Give what a computer should run."""
        return plan_machines(computer, said, self._assigned, self._rules)

    def __call__(self, computer: Computer, said: CheckIn | None) -> Orders:
        """Give what a computer is told, but for what is the farm's own."""
        planned = self.planned(computer, said)
        kit = self._kits(computer, said)
        site_id = self._sites[computer.collection_id]
        return orders_for(
            computer,
            planned,
            self._assigned,
            self.servers(_roots(planned, kit)),
            site_id,
            kit=kit,
            stays_home=site_id in self._relays,
        )

    def roots(self, computer: Computer, said: CheckIn | None) -> frozenset[RootHash]:
        """Give every root that a computer should have, or is told to."""
        return _roots(self.planned(computer, said), self._kits(computer, said))

    def relays(self, computer: Computer) -> Sequence[Server]:
        """Give those through which a computer reaches the farm."""
        return self._relays.get(self._sites[computer.collection_id], ())

    def arrival(self, computer: Computer, planned: PlannedMachine) -> datetime | None:
        """Give when what a computer should run is expected where it fetches it from."""
        if planned.assigned is None:
            return None
        root = planned.assigned.root
        site_id = self._sites[computer.collection_id]
        servers = self.servers(frozenset({root}))
        return arrival(root, asked_from(servers, site_id, stays_home=site_id in self._relays))

    def servers(self, roots: Iterable[RootHash]) -> tuple[ChunkServer, ...]:
        """Give who has which of the roots, and who is expected to have it when.

        Not those on which somebody works. Whether a server was heard of just now is not asked:
        orders that changed with that would never come to rest, and an engine finds it out itself.
        """
        found: dict[ServerId, list[Replica]] = {}
        for root in roots:
            for replica in self._replicas_of(root):
                found.setdefault(replica.server_id, []).append(replica)
        return tuple(
            self._chunk_server(server, found.get(server.id, ()))
            for server in self._all_servers
            if not server.maintenance
        )

    def _replicas_of(self, root: RootHash) -> Sequence[Replica]:
        if root not in self._replicas:
            self._replicas[root] = [
                one for one in self._records.replicas.of_root(root) if not one.is_removing
            ]
        return self._replicas[root]

    def _chunk_server(self, server: Server, replicas: Sequence[Replica]) -> ChunkServer:
        return ChunkServer(
            id=server.id,
            name=server.name,
            url=server.chunk_url,
            site_id=server.site_id,
            # What one of another release has, it gives to nobody.
            holds=frozenset(one.root for one in replicas if one.is_complete and not server.refusal),
            arrives={
                one.root: self._expected(server, one)
                for one in replicas
                if not (one.is_complete or server.refusal)
            },
            relay_url=server.relay_url,
        )

    def _expected(self, server: Server, replica: Replica) -> datetime | None:
        if server.id not in self._rates:
            self._rates[server.id] = share_of(self._records, server, self._now)
        left = max(0, replica.total_bytes - replica.done_bytes)
        needed = time_left(replica, left, self._rates[server.id])
        return None if needed is None else self._now + needed
