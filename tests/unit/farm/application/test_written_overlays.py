"""What devices write over versions: maintenance, caches on servers, custom images."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.memory.chunk_stores import MemoryChunkStore
from corral.farm.application.change_image import ImageEdit
from corral.farm.application.log_device_in import LoginAnswer
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.progress import Progress
from corral.farm.application.start_overlay import Told
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.application.writers import OverlayView
from corral.farm.domain.access.ticket import Purpose
from corral.farm.domain.delivery.device import DeviceName
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import (
    OverlayCondition,
    OverlayKind,
    OverlayPhase,
    Promotion,
)
from corral.farm.domain.image.overlay_errors import (
    DeviceWritesKeptError,
    MaintainerElsewhereError,
    MaintainsCustomError,
    MaintenanceUnderWayError,
    MaintenanceUnknownError,
    NothingWrittenError,
    OverlayFailedError,
    OverlayHeldError,
    OverlayNotReadyError,
    OverlaySealingError,
    OverlayServerAwayError,
    OverlayTransitionError,
    OverlayUnknownError,
    VersionWrittenOverError,
    WriterOnError,
)
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import Access, VersionName
from corral.farm.domain.image.write_cache import (
    CacheDiskMissingError,
    CacheFallback,
    CacheSetting,
    ImageMode,
    WriteCache,
)

DEBIAN = ImageName("debian")
PC1, PC2 = DeviceName("pc1"), DeviceName("pc2")
READY = OverlayCondition.READY


@dataclass
class Scene:
    """A farm with ``debian/1`` on two servers, and two devices that start it."""

    farm: FarmInMemory
    servers: Sequence[Server]

    def report(  # noqa: PLR0913 - what a server may say
        self,
        place: int = 0,
        *,
        condition: OverlayCondition = READY,
        clients: int = 0,
        written: int = 4096,
        problem: str = "",
        sealed: RootHash | None = None,
        sessions: tuple[ReportedSession, ...] = (),
        forgotten: bool = False,
    ) -> None:
        """Let a server say that it holds everything, and how its overlays are."""
        server, app = self.servers[place], self.farm.application
        wanted = app.configure_server(server.id)
        app.take_server_report(
            server.id,
            ServerReport(
                generation=wanted.generation,
                replicas=tuple(
                    ReportedReplica(r.root, ReplicaState.COMPLETE, r.size_bytes, r.size_bytes)
                    for r in wanted.replicas
                ),
                sessions=sessions,
                overlays=()
                if forgotten
                else tuple(
                    ReportedOverlay(
                        one.overlay.id,
                        condition,
                        written_bytes=written,
                        clients=clients,
                        problem=problem,
                        sealed_root=sealed,
                        sealed_bytes=None if sealed is None else one.overlay.size_bytes,
                    )
                    for one in wanted.overlays
                ),
            ),
        )

    def login(
        self, name: str = "pc1", running: RootHash | None = None, *, has_disk: bool | None = None
    ) -> LoginAnswer:
        device = self.farm.application.show_device(DeviceName(name)).device
        return self.farm.application.log_device_in(device.id, running, Told(has_disk))

    def start(self, name: str = "pc1") -> LoginAnswer:
        """Log in as a device does: again, once the server has made what it writes to."""
        with pytest.raises(OverlayNotReadyError):
            self.login(name)
        for place in range(len(self.servers)):
            self.report(place)
        return self.login(name)

    def maintain(self, name: DeviceName = PC1) -> OverlayView:
        return self.farm.application.maintain_image(MaintenanceRequest(DEBIAN, name))

    def overlays(self) -> list[OverlayKind]:
        with self.farm.ports.transactions.reading() as records:
            return [overlay.kind for overlay in records.overlays.all()]


@pytest.fixture
def scene(farm: FarmInMemory) -> Scene:
    servers = [farm.add_server(name) for name in ("s1", "s2")]
    version = farm.import_disk("debian", disk(1)).version
    farm.replicate(version, servers[1])
    farm.add_device("pc1", "debian")
    farm.add_device("pc2", "debian")
    made = Scene(farm, servers)
    made.report()
    made.report(1)
    return made


def purpose(answer: LoginAnswer) -> int:
    return base64.urlsafe_b64decode(answer.ticket + "==")[1]


def root(number: int) -> RootHash:
    return RootHash(f"{number:064x}")


# maintenance


def test_one_device_writes_and_the_others_go_on(scene: Scene) -> None:
    view = scene.maintain()
    assert view.export == "debian/2@pc1"
    assert scene.login("pc2").export == "debian/1"
    answer = scene.start()
    assert (answer.export, purpose(answer)) == ("debian/2@pc1", Purpose.WRITE)
    assert [server.name for server in answer.servers] == [view.server.name]
    # What it runs is the version below, and it may go on writing.
    renewed = scene.login(running=answer.version.root)
    assert (renewed.export, purpose(renewed)) == ("debian/2@pc1", Purpose.WRITE)


def test_a_device_that_ran_before_goes_on_reading_until_it_starts_again(scene: Scene) -> None:
    running = scene.login().version.root
    scene.maintain()
    scene.report(0)
    scene.report(1)
    assert scene.login(running=running).export == "debian/1"
    assert scene.login().export == "debian/2@pc1"


def test_the_server_that_keeps_it_is_told_and_no_other(scene: Scene) -> None:
    view = scene.maintain()
    for server in scene.servers:
        wanted = scene.farm.application.configure_server(server.id).overlays
        assert [one.export for one in wanted] == (
            ["debian/2@pc1"] if server.id == view.server.id else []
        )


def sealed(scene: Scene, promotion: Promotion) -> VersionName:
    view = scene.maintain()
    place = [server.id for server in scene.servers].index(view.server.id)
    scene.start()
    scene.farm.application.promote_maintenance(DEBIAN, promotion)
    (wanted,) = scene.farm.application.configure_server(view.server.id).overlays
    assert wanted.is_sealing
    with pytest.raises(OverlaySealingError, match=view.server.name):
        scene.login()
    scene.report(place, condition=OverlayCondition.SEALED, sealed=root(77))
    scene.report(place, condition=OverlayCondition.SEALED, sealed=root(77))
    assert scene.farm.application.configure_server(view.server.id).overlays == ()
    return VersionName.parse("debian/2")


def test_what_was_written_becomes_a_signed_version_in_test(scene: Scene) -> None:
    name = sealed(scene, Promotion(description="with Firefox"))
    version = scene.farm.version(str(name))
    assert (version.standing, version.root) == (Standing.TEST, root(77))
    assert version.description == "with Firefox"
    public_key = scene.farm.application.show_farm().farm.public_key
    assert scene.farm.ports.signature_check(
        public_key, version.root.signed_message(), version.signature
    )
    history = scene.farm.application.show_version_history(name)
    assert [(one.what, one.by) for one in history] == [
        ("publish", "farm"),
        ("promote-to-test", "farm"),
    ]
    assert scene.login().export == "debian/1"
    assert scene.overlays() == []


def to_be_sealed(scene: Scene) -> tuple[OverlayView, MemoryChunkStore]:
    """A device wrote on a server that is gone silent by now, and whose folder is here."""
    view = scene.maintain()
    scene.start()
    scene.farm.application.promote_maintenance(DEBIAN, Promotion(description="by hand"))
    store = scene.farm.store_of(view.server.name)
    store.overlays[view.overlay.id] = disk(1, 5)
    return view, store


def test_what_was_written_is_sealed_here_while_its_server_does_not_run(scene: Scene) -> None:
    view, store = to_be_sealed(scene)
    seal = scene.farm.application.seal_maintenance
    assert seal(view.overlay.id, Progress()) is None, "its server runs, and does it"
    scene.farm.wait(6)
    version = seal(view.overlay.id, Progress())
    assert version is not None
    assert store.holds(version.root)
    assert (str(version.name), version.standing) == ("debian/2", Standing.TEST)
    assert version.description == "by hand"
    assert scene.overlays() == []
    # What the server would say of it now makes no second version.
    scene.report(0)
    scene.report(1)
    assert scene.farm.version("debian/2") == version
    with pytest.raises(OverlayUnknownError):
        seal(view.overlay.id, Progress())


def test_what_another_process_has_open_is_left_to_it(scene: Scene) -> None:
    view, store = to_be_sealed(scene)
    scene.farm.wait(6)
    store.held_overlays.add(view.overlay.id)
    with pytest.raises(OverlayHeldError, match="another process"):
        scene.farm.application.seal_maintenance(view.overlay.id, Progress())
    assert scene.overlays() == [OverlayKind.MAINTENANCE]


def test_a_sealed_version_is_released_when_every_server_of_the_old_one_has_it(
    scene: Scene,
) -> None:
    name = sealed(scene, Promotion(Access.PRODUCTION))
    view = scene.farm.application.show_version(name)
    assert view.version.standing is Standing.PENDING
    (lack,) = view.wait.lacking
    assert lack.missing_bytes == view.version.size_bytes
    scene.report(0)
    scene.report(1)
    assert scene.farm.version(str(name)).standing is Standing.PRODUCTION
    assert scene.login().export == "debian/2"


@pytest.mark.parametrize("way", ["clients", "session"])
def test_nothing_is_promoted_while_the_writer_is_on(scene: Scene, way: str) -> None:
    view = scene.maintain()
    place = [server.id for server in scene.servers].index(view.server.id)
    scene.start()
    now = scene.farm.ports.clock.now()
    session = ReportedSession(view.device.id, view.export, "192.0.2.9:4", now, 7)
    app = scene.farm.application
    scene.report(
        place,
        clients=1 if way == "clients" else 0,
        sessions=(session,) if way == "session" else (),
    )
    with pytest.raises(WriterOnError, match=f"pc1.*{view.server.name}"):
        app.promote_maintenance(DEBIAN, Promotion())
    with pytest.raises(WriterOnError, match=f"pc1.*{view.server.name}"):
        app.discard_maintenance(DEBIAN)
    scene.farm.wait(3600)  # a silent server counts as it last spoke
    with pytest.raises(WriterOnError):
        app.promote_maintenance(DEBIAN, Promotion())
    scene.report(place)
    app.promote_maintenance(DEBIAN, Promotion())
    with pytest.raises(OverlayTransitionError, match="sealing"):
        app.promote_maintenance(DEBIAN, Promotion())


def maintained_and_untouched(scene: Scene) -> None:
    scene.maintain()
    scene.start()
    for place in range(len(scene.servers)):
        scene.report(place, written=0)


def test_what_a_device_has_not_written_becomes_no_version(scene: Scene) -> None:
    maintained_and_untouched(scene)
    app = scene.farm.application
    with pytest.raises(NothingWrittenError, match="corral image discard debian"):
        app.promote_maintenance(DEBIAN, Promotion())
    # Nothing is known of a server that went silent: what it has is sealed when it is back.
    scene.farm.wait(3600)
    assert app.promote_maintenance(DEBIAN, Promotion()).overlay.phase is OverlayPhase.SEALING


def test_an_unchanged_version_is_made_for_who_asks(scene: Scene) -> None:
    maintained_and_untouched(scene)
    app = scene.farm.application
    view = app.promote_maintenance(DEBIAN, Promotion(), even_if_unchanged=True)
    assert view.overlay.phase is OverlayPhase.SEALING


def test_an_image_has_one_writer_and_takes_no_import_meanwhile(scene: Scene) -> None:
    scene.maintain()
    with pytest.raises(MaintenanceUnderWayError, match="pc1"):
        scene.maintain(PC2)
    with pytest.raises(MaintenanceUnderWayError, match="image discard debian"):
        scene.farm.import_disk("debian", disk(9))
    scene.farm.application.discard_maintenance(DEBIAN)
    assert str(scene.farm.import_disk("debian", disk(9)).version.name) == "debian/2"


def test_a_version_is_not_deleted_under_what_was_written_over_it(scene: Scene) -> None:
    app = scene.farm.application
    scene.maintain()
    scene.farm.import_disk("fedora", disk(9))
    for name in (PC1, PC2):
        app.assign_device(name, ImageName("fedora"))
    with pytest.raises(VersionWrittenOverError, match="pc1"):
        app.delete_version(VersionName.parse("debian/1"))
    scene.farm.import_disk("copy", disk(1))  # the same content, which then stays anyway
    app.delete_version(VersionName.parse("debian/1"))


def test_a_failed_sealing_can_be_gone_on_with(scene: Scene) -> None:
    view = scene.maintain()
    place = [server.id for server in scene.servers].index(view.server.id)
    scene.start()
    scene.farm.application.promote_maintenance(DEBIAN, Promotion())
    with pytest.raises(MaintenanceUnderWayError):
        scene.maintain()
    scene.report(place, condition=OverlayCondition.FAILED, problem="input/output error")
    assert scene.maintain().overlay.phase is OverlayPhase.OPEN
    with pytest.raises(OverlayFailedError, match="input/output error"):
        scene.login()
    scene.report(place)
    assert scene.login().export == "debian/2@pc1"


def test_maintenance_is_for_an_assigned_device_of_a_shared_image(scene: Scene) -> None:
    app = scene.farm.application
    scene.farm.add_device("pc3")
    with pytest.raises(MaintainerElsewhereError, match="pc3"):
        scene.maintain(DeviceName("pc3"))
    with pytest.raises(MaintenanceUnknownError, match="debian"):
        app.discard_maintenance(DEBIAN)
    with pytest.raises(MaintenanceUnknownError, match="debian"):
        app.promote_maintenance(DEBIAN, Promotion())
    scene.farm.application.remove_device(PC2)
    app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    with pytest.raises(MaintainsCustomError):
        scene.maintain()


def test_what_a_server_has_no_more_is_said_and_not_made_up(scene: Scene) -> None:
    view = scene.maintain()
    place = [server.id for server in scene.servers].index(view.server.id)
    scene.start()
    scene.report(place, forgotten=True)
    with pytest.raises(OverlayFailedError, match="no more"):
        scene.login()


def test_a_device_whose_writes_are_kept_is_not_removed(scene: Scene) -> None:
    scene.maintain()
    with pytest.raises(DeviceWritesKeptError, match="debian/2@pc1"):
        scene.farm.application.remove_device(PC1)
    scene.farm.application.discard_maintenance(DEBIAN)
    scene.farm.application.remove_device(PC1)


# write caches on servers


def cached(scene: Scene, kind: WriteCache, **more: CacheFallback) -> Scene:
    setting = CacheSetting(kind, 1 << 30, **more)
    scene.farm.application.change_image(DEBIAN, ImageEdit(write_cache=setting))
    return scene


def test_a_server_cache_begins_empty_at_every_start(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER)
    first = scene.start()
    assert (first.export, first.write_cache) == ("debian/1@pc1", WriteCache.SERVER)
    assert first.overlay is not None
    assert first.overlay.limit_bytes == 1 << 30
    # It runs, and its ticket is renewed for the same.
    running = scene.login(running=first.version.root)
    assert running.overlay is not None
    assert running.overlay.id == first.overlay.id
    second = scene.start()
    assert second.overlay is not None
    assert second.overlay.id != first.overlay.id
    assert scene.overlays() == [OverlayKind.SERVER]


def test_a_start_that_is_tried_again_finds_what_was_made_for_it(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER)
    for _ in range(3):
        with pytest.raises(OverlayNotReadyError, match="pc1"):
            scene.login()
    assert scene.overlays() == [OverlayKind.SERVER]


def test_a_persistent_cache_is_kept_until_the_version_changes(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER_PERSISTENT)
    first = scene.start().overlay
    assert first is not None
    again = scene.login().overlay
    assert again is not None
    assert again.id == first.id
    scene.farm.import_disk("debian", disk(2))
    third = scene.start().overlay
    assert third is not None
    assert (third.id == first.id, third.base == first.base) == (False, False)


def test_a_persistent_cache_waits_for_its_server_or_is_reset(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER_PERSISTENT)
    first = scene.start()
    other = 1 - [server.id for server in scene.servers].index(first.servers[0].id)
    scene.farm.wait(60)
    scene.report(other)
    with pytest.raises(OverlayServerAwayError, match=first.servers[0].name):
        scene.login()
    (given_up,) = scene.farm.application.reset_device_cache(PC1)
    assert given_up.export == "debian/1@pc1"
    with pytest.raises(OverlayNotReadyError):
        scene.login()
    scene.report(other)
    assert scene.login().servers[0].id == scene.servers[other].id


def test_a_cache_in_use_is_not_reset(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER_PERSISTENT)
    answer = scene.start()
    place = [server.id for server in scene.servers].index(answer.servers[0].id)
    scene.report(place, clients=1)
    with pytest.raises(WriterOnError, match="pc1"):
        scene.farm.application.reset_device_cache(PC1)


def test_a_device_of_another_setting_goes_by_its_own(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER)
    scene.start()
    scene.farm.application.set_device_cache(PC1, CacheSetting(WriteCache.DEVICE_DISK))
    answer = scene.login()
    assert (answer.export, answer.write_cache) == ("debian/1", WriteCache.DEVICE_DISK)
    assert scene.overlays() == []
    scene.farm.application.set_device_cache(PC1, None)
    assert scene.start().write_cache is WriteCache.SERVER


def test_a_missing_disk_falls_back_as_configured_and_is_told(scene: Scene) -> None:
    cached(scene, WriteCache.DEVICE_DISK, fallback=CacheFallback.DEVICE_RAM)
    answer = scene.login(has_disk=False)
    assert answer.write_cache is WriteCache.DEVICE_RAM
    assert answer.setting.fallback is CacheFallback.DEVICE_RAM
    (view, _) = scene.farm.application.list_devices()
    assert view.warning == "uses device-ram instead of device-disk: its cache disk is missing"
    assert scene.login(has_disk=True).write_cache is WriteCache.DEVICE_DISK
    assert scene.farm.application.list_devices()[0].warning == ""
    cached(scene, WriteCache.DEVICE_DISK, fallback=CacheFallback.SERVER)
    with pytest.raises(OverlayNotReadyError):
        scene.login(has_disk=False)
    cached(scene, WriteCache.DEVICE_DISK, fallback=CacheFallback.REFUSE)
    with pytest.raises(CacheDiskMissingError, match="pc1"):
        scene.login(has_disk=False)


def test_a_cache_that_fills_is_told_before_it_is_full(scene: Scene) -> None:
    running = scene.login().version.root
    device = scene.farm.application.show_device(PC1).device
    told = Told(kind=WriteCache.DEVICE_RAM, limit_bytes=100, used_bytes=79)
    scene.farm.application.log_device_in(device.id, running, told)
    assert scene.farm.application.show_device(PC1).warning == ""
    scene.farm.application.log_device_in(device.id, running, replace(told, used_bytes=80))
    assert scene.farm.application.show_device(PC1).warning == "write cache is 80 % full"


def test_a_full_overlay_is_told(scene: Scene) -> None:
    cached(scene, WriteCache.SERVER)
    answer = scene.start()
    place = [server.id for server in scene.servers].index(answer.servers[0].id)
    scene.report(place, condition=OverlayCondition.FULL, problem="its limit is reached")
    assert "full: its limit is reached" in scene.farm.application.show_device(PC1).warning


# custom images


def test_a_custom_image_keeps_what_its_device_writes(scene: Scene) -> None:
    app = scene.farm.application
    app.remove_device(PC2)
    app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    first = scene.start()
    assert (first.export, purpose(first)) == ("debian/1@pc1", Purpose.WRITE)
    scene.farm.import_disk("debian", disk(2))
    again = scene.login()
    assert (again.export, again.overlay) == (first.export, replace_seen(again, first))
    app.promote_maintenance(DEBIAN, Promotion(Access.PRODUCTION))
    place = [server.id for server in scene.servers].index(first.servers[0].id)
    scene.report(place, condition=OverlayCondition.SEALED, sealed=root(78))
    scene.report(0)
    scene.report(1)
    assert scene.start().export == "debian/3@pc1"
    app.reset_device_cache(PC1)
    assert scene.overlays() == [OverlayKind.CUSTOM]
    app.reset_device_cache(PC1, also_custom=True)
    assert scene.overlays() == []


def replace_seen(of: LoginAnswer, other: LoginAnswer) -> object:
    """Give the other's overlay with what was noted since it was handed out."""
    assert of.overlay is not None
    assert other.overlay is not None
    return replace(
        other.overlay,
        seen=of.overlay.seen,
        opened_at=of.overlay.opened_at,
        revision=of.overlay.revision,
    )
