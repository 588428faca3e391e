"""What every machine has: two farms that must answer alike, and what must hold of each."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.databases import sqlite_with_tables
from tests.unit.farm.application.machine.farm import CUT, Farm

from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.access.account import has_administrator
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.overlay import OverlayKind
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.task.state import TaskState

_COUNTED = (
    *("site", "collection", "store", "server", "device", "account", "group"),
    *("user", "user_group", "image_assignment", "computer"),
)
"""What has a revision."""

# What is there more often than what is not.
servers = st.sampled_from(["s1", "s1", "s2", "s2", "s3"]).map(server_name)
images = st.sampled_from(["i", "i", "i", "j"]).map(image_name)
versions = st.builds(
    lambda i, n: VersionName.parse(f"{i}/{n}"), images, st.sampled_from([1, 1, 2, 2, 3, 4])
)
# After how many steps the power is cut; mostly never.
cuts = st.none() | st.none() | st.none() | st.integers(0, 12)


def bounds(steps: int) -> settings:
    """Give how often a machine is tried: so many steps on two farms take half a second.

    What fails is made smaller by hand: by itself that takes minutes.
    """
    return settings(
        max_examples=min(40, settings().max_examples // 25),
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )


class Steps(RuleBasedStateMachine):
    """The farms, the clock, and what must hold."""

    @initialize()
    def begin(self) -> None:
        self._folder = TemporaryDirectory()
        self._sql = SqlTransactions(sqlite_with_tables(Path(self._folder.name, "farm.db")))
        key = MemoryFarmKey()
        self.farms = (Farm(MemoryTransactions(), key), Farm(self._sql, key))
        self._revisions: dict[object, int] = {}
        self._generation = 0
        self._published: dict[VersionName, object] = {}
        self.to_go: set[VersionName] = set()
        self.furnish()

    def furnish(self) -> None:
        """Begin with more than an empty farm."""

    def teardown(self) -> None:
        if hasattr(self, "_sql"):
            self._sql.close()
            self._folder.cleanup()

    def take(self, step: Callable[[Farm], object], cut_after: int | None = None) -> str:
        one, other = (farm.take(step, cut_after) for farm in self.farms)
        assert one == other
        if one == CUT:
            # Asked for again, it is done, or refused for a reason that can be told.
            again, likewise = (farm.take(step, None) for farm in self.farms)
            assert again == likewise != CUT
        return one

    @rule(seconds=st.sampled_from([1, 10, 60, 100_000]))
    def wait(self, seconds: int) -> None:
        for farm in self.farms:
            farm.wait(seconds)

    # What must hold.

    @rule()
    def somebody_looks(self) -> None:
        """Compare what is shown of both; what they remember is compared after each step."""
        one, other = (farm.seen() for farm in self.farms)
        for mine, theirs in zip(one, other, strict=True):
            assert mine == theirs

    @invariant()
    def both_remember_alike(self) -> None:
        if self._each():
            one, other = (farm.ledger for farm in self.farms)
            assert [noted.entry for noted in one.newest] == [noted.entry for noted in other.newest]
            for noun, things in one.things.items():
                assert things == other.things[noun], noun

    @invariant()
    def sites_have_no_address_in_common(self) -> None:
        for farm in self._first():
            for one, other in combinations(farm.ledger.things["site"].values(), 2):
                assert not any(a.overlaps(b) for a in one.subnets for b in other.subnets)

    @invariant()
    def folders_are_shared_in_shared_stores_only(self) -> None:
        for farm in self._first():
            for one, other in combinations(farm.ledger.things["server"].values(), 2):
                if one.store.id == other.store.id:
                    assert one.store.belongs_to == other.store.belongs_to
                    assert farm.ledger.things["store"][one.store.belongs_to].shared

    @invariant()
    def no_two_devices_have_a_card_in_common(self) -> None:
        for farm in self._first():
            cards = [device.mac for device in farm.ledger.things["device"].values()]
            assert len(cards) == len({*cards})

    @invariant()
    def what_is_published_stays_and_is_held_by_a_store(self) -> None:
        for farm in self._first():
            versions = farm.ledger.things["version"].values()
            published = {one.name: one.root for one in versions if one.is_published}
            for root in published.values():
                assert any(store.holds(root) for store in farm.stores.stores.values())
            for name, root in self._published.items():
                assert name in self.to_go or published[name] == root
            self._published = published
            self.to_go.clear()

    @invariant()
    def every_login_would_be_to_servers_that_hold_all_bytes(self) -> None:
        for farm in self._first():
            for answer in farm.application.take_login_snapshot().answers:
                farm.must_hold(answer)

    @invariant()
    def an_image_has_one_writer(self) -> None:
        for farm in self._first():
            overlays = farm.ledger.things["overlay"].values()
            written = [one.image_id for one in overlays if one.kind is OverlayKind.MAINTENANCE]
            assert len(written) == len(set(written))

    @invariant()
    def no_task_is_at_work_twice_or_published_twice(self) -> None:
        for farm in self._first():
            running = [
                (task.request.kind, task.request.server)
                for task in farm.ledger.things["task"].values()
                if task.state is TaskState.RUNNING and task.request.server is not None
            ]
            assert len(running) == len(set(running))
            assert all(len(made) <= 1 for made in farm.published_by.values())

    @invariant()
    def somebody_may_do_everything(self) -> None:
        for farm in self._first():
            things = farm.ledger.things
            assert has_administrator(
                list(things["account"].values()),
                list(things["group"].values()),
                list(things["role_grant"].values()),
            )

    @invariant()
    def revisions_and_the_generation_only_rise(self) -> None:
        for farm in self._first():
            things = farm.ledger.things
            assert things["farm"].generation >= self._generation
            self._generation = things["farm"].generation
            for noun in (
                "site",
                "collection",
                "store",
                "server",
                "device",
                "account",
                "group",
                "computer",
            ):
                for key, thing in things[noun].items():
                    assert thing.revision >= self._revisions.get(key, 1)
                    self._revisions[key] = thing.revision

    def _each(self) -> tuple[Farm, ...]:
        return getattr(self, "farms", ())

    def _first(self) -> tuple[Farm, ...]:
        """Give the farm in memory: the other one is seen to be alike."""
        return self._each()[:1]
