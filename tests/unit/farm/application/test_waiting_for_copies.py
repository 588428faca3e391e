"""How long somebody waits for servers that cannot go on."""

from typing import TYPE_CHECKING

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.image_tasks import PATIENCE_SECONDS, Fetched
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.image.errors import ReplicaStuckError
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.version import Version


class Copying:
    """A version that ``s2`` fetches from ``s1``, and somebody who waits for it."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm
        farm.add_server("s1")
        self.server: Server = farm.add_server("s2")
        self.version: Version = farm.import_disk("debian", disk(1, 2, 3)).version
        farm.application.replicate_version(self.version.name, [self.server.name])
        self.fetched = Fetched()

    def look(self, state: ReplicaState, done: int, seconds: float = 1) -> None:
        said = ReportedReplica(self.version.root, state, done, 3, problem="refused")
        report = ServerReport(generation=self.farm.generation, replicas=(said,))
        self.farm.application.take_server_report(self.server.id, report)
        views = self.farm.application.show_version(self.version.name).replicas
        asked = [one for one in views if one.server.name == self.server.name]
        self.fetched.see(self.version.name, asked, seconds)

    def go_on_trying(self) -> None:
        for _ in range(int(PATIENCE_SECONDS) + 1):
            self.look(ReplicaState.STUCK, 0)
            self.look(ReplicaState.FETCHING, 0)


@pytest.fixture
def copying(farm: FarmInMemory) -> Copying:
    return Copying(farm)


def test_a_peer_that_is_being_restarted_is_no_reason_to_give_up(copying: Copying) -> None:
    for _ in range(int(PATIENCE_SECONDS)):
        copying.look(ReplicaState.STUCK, 0)
    copying.look(ReplicaState.FETCHING, 1)
    copying.look(ReplicaState.COMPLETE, 3)


def test_one_that_tries_in_vain_is_given_up_with_what_it_says(copying: Copying) -> None:
    with pytest.raises(ReplicaStuckError, match="'s2' cannot fetch 'debian/1': refused"):
        copying.go_on_trying()


def test_what_comes_between_makes_it_wait_on(copying: Copying) -> None:
    for done in range(3):
        copying.look(ReplicaState.FETCHING, done)
        copying.look(ReplicaState.STUCK, done, PATIENCE_SECONDS)
