"""Whatever people, servers and the clock do: no device loses its version, none gets a wrong one."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_device import DeviceEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.progress import Progress
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ServerReport,
)
from corral.farm.domain.delivery.device import DeviceName, DeviceType
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import (
    OverlayCondition,
    OverlayKind,
    OverlayPhase,
    Promotion,
)
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import TRANSITIONS, Standing
from corral.farm.domain.image.version import Access, VersionName, VersionNumber

pytestmark = pytest.mark.thorough

DEBIAN = ImageName("debian")
DISK = Path("/disks/debian")
NUMBERS = st.integers(1, 4)
HOURS = st.none() | st.integers(-1, 3)
MOVES = ["release_version", "retire_version", "pin_version"]
KINDS = {
    "pc1": {Standing.PRODUCTION},
    "pc2": {Standing.PRODUCTION, Standing.PENDING, Standing.TEST},
    "pc3": {Standing.PRODUCTION, Standing.PENDING, Standing.TEST, Standing.MAINTENANCE},
}


def _later() -> dict[Standing, set[Standing]]:
    """Give what each standing can become by any number of moves."""
    found = {
        one: {after for (before, _), after in TRANSITIONS.items() if before is one}
        for one in Standing
    }
    for _ in Standing:
        for known in found.values():
            known.update(*(found[one] for one in tuple(known)))
    return found


LATER = _later()


class Versions(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.farm = FarmInMemory()
        self.app = self.farm.application
        self.servers = [self.farm.add_server(name) for name in ("s1", "s2")]
        self.filling = 1
        self.farm.import_disk("debian", disk(1))
        for place, kind in enumerate(DeviceType, 1):
            name = self.farm.add_device(f"pc{place}", "debian").name
            self.app.change_device(name, DeviceEdit(type=kind))
        self.standings: dict[VersionName, Standing] = {}
        self.all_report()

    def all_report(self) -> None:
        """Let both servers be there, with all that they should hold."""
        for place in range(len(self.servers)):
            self.report_of(place, clients=0, holds=True)
        self.could_start = dict.fromkeys(KINDS, True)

    def attempt(self, verb: object) -> None:
        """Do what may be refused; what is refused has changed nothing."""
        before = self.farm.ports.transactions
        kept = before._state  # type: ignore[attr-defined] # noqa: SLF001 - replaced as a whole by a change
        try:
            verb()  # type: ignore[operator] # a rule's own function
        except DomainError:
            assert before._state is kept  # type: ignore[attr-defined] # noqa: SLF001

    def at(self, hours: int | None) -> object:
        return None if hours is None else self.farm.ports.clock.now() + timedelta(hours=hours)

    @rule(to=st.sampled_from(Access), hours=HOURS)
    def import_disk(self, to: Access, hours: int | None) -> None:
        self.filling = self.filling % 250 + 1
        self.farm.ports.files[DISK] = disk(self.filling)
        at = self.at(hours) if to is Access.PRODUCTION else None
        request = ImportRequest(DEBIAN, DISK, to=to, release_at=at)  # type: ignore[arg-type] # a moment
        self.attempt(lambda: self.app.import_image(request, Progress()))

    @rule(number=NUMBERS, to=st.sampled_from([Access.TEST, Access.PRODUCTION]), hours=HOURS)
    def promote(self, number: int, to: Access, hours: int | None) -> None:
        at = self.at(hours) if to is Access.PRODUCTION else None
        request = PromotionRequest(named(number), to, at)  # type: ignore[arg-type] # a moment
        self.attempt(lambda: self.app.promote_version(request))

    @rule(number=NUMBERS, to=st.sampled_from([Access.TEST, Access.MAINTENANCE]))
    def revert(self, number: int, to: Access) -> None:
        self.attempt(lambda: self.app.revert_version(named(number), to))

    @rule(
        number=NUMBERS, verb=st.sampled_from(["release_version", "retire_version", "pin_version"])
    )
    def move(self, number: int, verb: str) -> None:
        self.attempt(lambda: getattr(self.app, verb)(named(number)))

    @rule()
    def unpin(self) -> None:
        self.attempt(lambda: self.app.unpin_image(DEBIAN))

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        self.attempt(lambda: self.app.delete_version(named(number)))

    @rule(number=NUMBERS)
    def replicate(self, number: int) -> None:
        name = self.servers[1].name
        self.attempt(lambda: self.app.replicate_version(named(number), [name]))

    @rule(name=st.sampled_from(sorted(KINDS)))
    def maintain(self, name: str) -> None:
        request = MaintenanceRequest(DEBIAN, DeviceName(name))
        self.attempt(lambda: self.app.maintain_image(request))

    @rule(to=st.sampled_from(Access), anyway=st.booleans())
    def seal(self, to: Access, anyway: bool) -> None:  # noqa: FBT001 - a rule
        self.attempt(
            lambda: self.app.promote_maintenance(DEBIAN, Promotion(to), even_if_unchanged=anyway)
        )

    @rule()
    def discard(self) -> None:
        self.attempt(lambda: self.app.discard_maintenance(DEBIAN))

    @rule(
        place=st.integers(0, 1),
        clients=st.integers(0, 1),
        holds=st.booleans(),
        written=st.sampled_from([0, 4096]),
    )
    def report(
        self,
        place: int,
        clients: int,
        holds: bool,  # noqa: FBT001 - a rule
        written: int,
    ) -> None:
        self.report_of(place, clients=clients, holds=holds, written=written)

    def report_of(self, place: int, *, clients: int, holds: bool, written: int = 4096) -> None:
        server = self.servers[place]
        wanted = self.app.configure_server(server.id)
        state = ReplicaState.COMPLETE if holds else ReplicaState.FETCHING
        self.filling = self.filling % 250 + 1
        self.app.take_server_report(
            server.id,
            ServerReport(
                generation=wanted.generation,
                removed=wanted.removals,
                replicas=tuple(
                    ReportedReplica(one.root, state, one.size_bytes if holds else 0, one.size_bytes)
                    for one in wanted.replicas
                ),
                overlays=tuple(
                    ReportedOverlay(
                        one.overlay.id,
                        OverlayCondition.SEALED if one.is_sealing else OverlayCondition.READY,
                        written_bytes=written,
                        clients=0 if one.is_sealing else clients,
                        sealed_root=RootHash(f"{self.filling:064x}") if one.is_sealing else None,
                    )
                    for one in wanted.overlays
                ),
            ),
        )

    @rule(name=st.sampled_from(sorted(KINDS)))
    def start(self, name: str) -> None:
        device = self.app.show_device(DeviceName(name)).device
        try:
            answer = self.app.log_device_in(device.id)
        except DomainError:
            return
        if answer.overlay is None:
            assert self.farm.version(str(answer.version.name)).standing in KINDS[name]
        else:
            assert answer.overlay.device_id == device.id

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.farm.wait(60 * minutes)
        self.all_report()

    @invariant()
    def each_kind_starts_what_it_may(self) -> None:
        """And nobody loses the version that there was to start."""
        seen = {view.device.name: view.version for view in self.app.list_devices()}
        for name, allowed in KINDS.items():
            version = seen[DeviceName(name)]
            assert version is not None
            assert self.farm.version(str(version)).standing in allowed

    @invariant()
    def versions_moved_as_the_table_says(self) -> None:
        views = self.app.show_image(DEBIAN).versions
        now = {view.version.name: view.version.standing for view in views}
        for name, before in self.standings.items():
            after = now.get(name, Standing.DELETED)
            assert after is before or after in LATER[before]
            # Only a revert takes a release back, and it does not lead to waiting.
            assert not (before is Standing.PRODUCTION and after is Standing.PENDING)
        self.standings |= now

    @invariant()
    def an_image_has_one_writer(self) -> None:
        with self.farm.ports.transactions.reading() as records:
            overlays = records.overlays.all()
        kinds = [overlay.kind for overlay in overlays]
        assert kinds.count(OverlayKind.MAINTENANCE) <= 1
        # With its version an overlay is gone: reported again, it would be published twice.
        assert not any(
            one.phase is OverlayPhase.SEALING
            and one.seen is not None
            and one.seen.condition is OverlayCondition.SEALED
            for one in overlays
        )

    @invariant()
    def what_is_pinned_is_released(self) -> None:
        pinned = self.app.show_image(DEBIAN).image.pinned
        if pinned is not None:
            assert self.farm.version(f"debian/{pinned}").standing is Standing.PRODUCTION


def named(number: int) -> VersionName:
    return VersionName(DEBIAN, VersionNumber(number))


TestVersions = Versions.TestCase
TestVersions.settings = settings(
    max_examples=min(200, settings().max_examples), stateful_step_count=50, deadline=None
)
