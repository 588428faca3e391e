import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.domain.image.errors import (
    ImageBusyError,
    ImageUnknownError,
    VersionLastError,
    VersionStreamedError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.standing import VersionEvent
from corral.farm.domain.image.version import VersionName, VersionState


def delete(farm: FarmInMemory, text: str, *, trust_silence: bool = False) -> VersionState:
    name = VersionName.parse(text)
    return farm.application.delete_version(name, trust_silence=trust_silence).version.state


def test_deleted_version_is_in_no_store_and_in_no_list(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    root = farm.import_disk("debian", disk(1)).version.root
    farm.import_disk("debian", disk(2))
    assert delete(farm, "debian/1") is VersionState.DELETED
    assert not farm.store_of("s1").holds(root)
    (left,) = farm.application.show_image(image_name("debian")).versions
    assert str(left.version.name) == "debian/2"


def test_number_of_a_deleted_version_is_not_given_again(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.import_disk("debian", disk(2))
    delete(farm, "debian/2")
    assert str(farm.import_disk("debian", disk(3)).version.name) == "debian/3"


def test_streamed_version_is_refused_and_the_device_is_named(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    first = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    device = farm.add_device("pc1", "debian")
    farm.report(server, sessions=((device, first),))
    with pytest.raises(VersionStreamedError, match="pc1"):
        delete(farm, "debian/1")
    farm.report(server)
    assert delete(farm, "debian/1") is VersionState.DELETED


def test_session_of_a_silent_server_counts_unless_silence_is_trusted(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    first = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    farm.report(server, sessions=((farm.add_device("pc1", "debian"), first),))
    farm.wait(3600)
    with pytest.raises(VersionStreamedError):
        delete(farm, "debian/1")
    assert delete(farm, "debian/1", trust_silence=True) is VersionState.DELETED


def test_trusting_silence_does_not_cut_off_a_server_that_reports(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    first = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    farm.report(server, sessions=((farm.add_device("pc1", "debian"), first),))
    with pytest.raises(VersionStreamedError):
        delete(farm, "debian/1", trust_silence=True)


def test_only_version_of_an_assigned_image_is_refused(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.add_device("pc1", "debian")
    with pytest.raises(VersionLastError, match="pc1"):
        delete(farm, "debian/1")


def test_only_version_of_an_image_nobody_has_can_go(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    assert delete(farm, "debian/1") is VersionState.DELETED


def test_content_that_another_version_still_has_stays_in_the_store(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    root = farm.import_disk("debian", disk(1)).version.root
    farm.import_disk("copy", disk(1))
    delete(farm, "debian/1")
    assert farm.store_of("s1").holds(root)
    assert (
        farm.application.show_version(VersionName.parse("copy/1")).replicas[0].replica.is_complete
    )


def test_delete_that_was_killed_half_way_is_finished_by_asking_again(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    with farm.ports.transactions.writing() as records:
        records.versions.move(version, version.after(VersionEvent.DELETE))
    assert farm.application.configure_server(server.id).removals == ()
    assert delete(farm, "debian/1") is VersionState.DELETED
    assert not farm.store_of("s1").holds(version.root)


@pytest.mark.parametrize(
    ("name", "error"),
    [("fedora/1", ImageUnknownError), ("debian/7", VersionUnknownError)],
)
def test_what_does_not_exist_is_not_deleted(
    farm: FarmInMemory, name: str, error: type[Exception]
) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with pytest.raises(error):
        delete(farm, name)


def test_deleted_version_is_unknown(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    delete(farm, "debian/1")
    with pytest.raises(VersionUnknownError):
        delete(farm, "debian/1")


def test_delete_waits_for_no_import(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with farm.ports.image_locks.hold(image_name("debian")), pytest.raises(ImageBusyError):
        delete(farm, "debian/1")
