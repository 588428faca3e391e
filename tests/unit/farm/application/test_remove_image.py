"""An image of which nothing is left is taken away."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.delivery.ranking import Affinity
from corral.farm.domain.image.errors import ImageBusyError, ImageInUseError, ImageUnknownError
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version_errors import ImageChangedError

DEBIAN = image_name("debian")


@pytest.fixture
def stocked(farm: FarmInMemory) -> FarmInMemory:
    """One server, and an image of one version."""
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    return farm


def delete_all(farm: FarmInMemory) -> None:
    for view in farm.application.show_image(DEBIAN).versions:
        farm.application.delete_version(view.version.name)


def test_an_image_without_versions_goes_and_its_numbers_are_not_given_again(
    stocked: FarmInMemory,
) -> None:
    stocked.import_disk("debian", disk(2))
    stocked.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    delete_all(stocked)
    (shown,) = stocked.application.list_images()
    assert (shown.versions, shown.newest) == ((), None)
    removed = stocked.application.remove_image(DEBIAN, 1)
    assert removed.name == DEBIAN
    assert stocked.application.list_images() == ()
    with pytest.raises(ImageUnknownError):
        stocked.application.remove_image(DEBIAN)
    again = stocked.import_disk("debian", disk(3)).version
    assert str(again.name) == "debian/3"
    (entry,) = stocked.application.list_audit(AuditFilter(what="image.remove"))
    assert entry.entry.thing == "debian"


def test_what_is_left_is_named(stocked: FarmInMemory) -> None:
    stocked.add_device("pc1", "debian")
    with pytest.raises(ImageInUseError, match=r"version debian/1, device pc1: delete"):
        stocked.application.remove_image(DEBIAN)


def test_a_version_that_servers_are_still_to_delete_keeps_it(farm: FarmInMemory) -> None:
    server, other = farm.add_server("s1"), farm.add_server("s2")
    # On another machine: the folder of its store is not here.
    del farm.ports.chunk_stores.stores[other.store.path]
    version = farm.import_disk("debian", disk(1)).version
    farm.replicate(version, other)
    farm.application.delete_version(version.name)
    with pytest.raises(ImageInUseError, match=r"debian/1 \(servers are still to delete it\)"):
        farm.application.remove_image(DEBIAN)
    farm.report(server)
    farm.report(other, removed=(version,))
    farm.application.remove_image(DEBIAN)


def test_who_saw_an_older_state_is_told(stocked: FarmInMemory) -> None:
    delete_all(stocked)
    with pytest.raises(ImageChangedError):
        stocked.application.remove_image(DEBIAN, 7)


def test_it_does_not_go_under_an_import(stocked: FarmInMemory) -> None:
    delete_all(stocked)
    with stocked.ports.image_locks.hold(DEBIAN), pytest.raises(ImageBusyError):
        stocked.application.remove_image(DEBIAN)


def test_whom_it_is_assigned_to_keeps_it(stocked: FarmInMemory) -> None:
    roger = user_name("rboston")
    stocked.application.add_user(roger)
    stocked.application.assign_image(DEBIAN, [roger])
    delete_all(stocked)
    with pytest.raises(ImageInUseError, match="user rboston"):
        stocked.application.remove_image(DEBIAN)
    stocked.application.unassign_image(DEBIAN, [roger])
    stocked.application.remove_image(DEBIAN)
