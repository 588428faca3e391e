import threading
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.estate.errors import NoServerError, ServerUnknownError
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.errors import (
    DiskNotAnImageError,
    DiskUnreadableError,
    ImageBusyError,
    ImageNameTakenError,
    StoreFullError,
    VersionChangedError,
    WorkCancelledError,
)
from corral.farm.domain.image.image import image_name


def test_first_import_makes_the_image_and_its_version_1(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    outcome = farm.import_disk("debian", disk(1, 2, 0))
    assert outcome.is_published
    assert str(outcome.version.name) == "debian/1"
    assert outcome.version.size_bytes == len(disk(1, 2, 0))
    assert outcome.disk.zero_chunks == 1
    assert outcome.changed is None


def test_next_import_publishes_the_next_version_and_says_what_changed(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1, 2, 3))
    outcome = farm.import_disk("debian", disk(1, 9, 3))
    assert str(outcome.version.name) == "debian/2"
    assert outcome.changed is not None
    assert outcome.changed.changed_chunks == 1
    assert outcome.disk.new_chunks == 1


def test_root_is_signed_by_the_farm(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    public_key = farm.application.show_farm().farm.public_key
    message = version.root.signed_message()
    assert message == b"corral root v1\0" + bytes.fromhex(version.root.hex)
    assert farm.ports.signature_check(public_key, message, version.signature)


def test_same_disk_again_changes_nothing(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    first = farm.import_disk("debian", disk(1))
    again = farm.import_disk("debian", disk(1))
    assert not again.is_published
    assert again.version == first.version
    assert len(farm.application.show_image(image_name("debian")).versions) == 1


def test_same_disk_is_published_again_when_asked(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    again = farm.import_disk("debian", disk(1), even_if_unchanged=True)
    assert again.is_published
    assert str(again.version.name) == "debian/2"


def test_content_of_an_older_version_is_a_change(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.import_disk("debian", disk(2))
    back = farm.import_disk("debian", disk(1))
    assert back.is_published
    assert str(back.version.name) == "debian/3"


def test_importing_server_holds_the_version(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    (replica,) = farm.application.show_version(farm.version("debian/1").name).replicas
    assert replica.server.name == "s1"
    assert replica.replica.is_complete


def test_first_server_added_is_the_default(farm: FarmInMemory) -> None:
    farm.add_server("zebra")
    farm.wait(1)
    farm.add_server("ant")
    assert farm.import_disk("debian", disk(1)).server.name == "zebra"


def test_import_without_a_server_is_refused(farm: FarmInMemory) -> None:
    with pytest.raises(NoServerError):
        farm.import_disk("debian", disk(1))


def test_import_into_an_unknown_server_is_refused(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    request = ImportRequest(image_name("debian"), Path("/disks/x"), server=server_name("s2"))
    with pytest.raises(ServerUnknownError):
        farm.application.import_image(request, Progress())


def test_new_image_must_have_a_free_name(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1), must_be_new=True)
    with pytest.raises(ImageNameTakenError):
        farm.import_disk("debian", disk(2), must_be_new=True)


def test_second_import_at_once_is_refused(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    with (
        farm.ports.image_locks.hold(image_name("debian")),
        pytest.raises(ImageBusyError) as refusal,
    ):
        farm.import_disk("debian", disk(1))
    assert refusal.value.code == "image-busy"
    assert farm.import_disk("debian", disk(1)).is_published


def test_imports_into_two_images_do_not_disturb_each_other(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    with farm.ports.image_locks.hold(image_name("debian")):
        assert farm.import_disk("fedora", disk(1)).is_published


def test_what_is_no_disk_leaves_no_trace(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    with pytest.raises(DiskNotAnImageError):
        farm.import_disk("debian", b"")
    assert farm.application.list_images() == ()


def test_a_file_that_is_not_there_leaves_no_trace(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    request = ImportRequest(image_name("debian"), Path("/disks/missing"))
    with pytest.raises(DiskUnreadableError):
        farm.application.import_image(request, Progress())
    assert farm.application.list_images() == ()


def test_full_store_publishes_nothing_and_says_what_is_missing(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.store_of("s1").space_bytes = len(disk(1, 2)) - 100
    with pytest.raises(StoreFullError, match="lacks 100 bytes"):
        farm.import_disk("debian", disk(1, 2))
    assert farm.application.list_images() == ()
    farm.store_of("s1").space_bytes *= 2
    assert farm.import_disk("debian", disk(1, 2)).disk.new_chunks == 1  # the first was kept


def test_cancelled_import_publishes_nothing(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.ports.files[Path("/disks/debian")] = disk(1)
    progress = Progress()
    progress.cancel()
    with pytest.raises(WorkCancelledError):
        farm.application.import_image(
            ImportRequest(image_name("debian"), Path("/disks/debian")), progress
        )
    assert farm.application.list_images() == ()
    assert not farm.ports.image_locks.is_held(image_name("debian"))


def test_progress_can_be_read_while_the_import_works(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.ports.files[Path("/disks/debian")] = disk(1, 2, 3)
    progress = Progress()
    worker = threading.Thread(
        target=lambda: farm.application.import_image(
            ImportRequest(image_name("debian"), Path("/disks/debian")), progress
        )
    )
    worker.start()
    worker.join()
    assert progress.amounts().done_bytes == progress.amounts().total_bytes == len(disk(1, 2, 3))


def test_root_that_a_delete_took_away_meanwhile_is_not_published(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    store = farm.store_of("s1")
    real_import = store.import_disk

    def import_then_lose(*arguments: object) -> object:
        imported = real_import(*arguments)  # type: ignore[arg-type] # passed on as they come
        store.remove_version(imported.root)
        return imported

    store.import_disk = import_then_lose  # type: ignore[method-assign, assignment] # the race itself
    with pytest.raises(VersionChangedError):
        farm.import_disk("debian", disk(1))
    assert farm.application.list_images() == ()
