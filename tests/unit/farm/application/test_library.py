"""The library: what gets into it, and what does not."""

from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.kits import ENGINE, Signer, kit

from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.list_library import FileKind
from corral.farm.application.ports.records import Records
from corral.farm.application.progress import Progress
from corral.farm.application.work_on_task import Finished
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.image.errors import (
    ImageUnknownError,
    StoreFullError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import VersionName, VersionState
from corral.farm.domain.library.errors import (
    FileOtherKindError,
    FileUnfinishedError,
    ItemChangedError,
    ItemNotAvailableError,
    ItemTakenError,
    ItemTransitionError,
    ItemUnknownError,
    KitDamagedError,
    KitUntrustedError,
    LibraryFolderUnsetError,
    PublisherInUseError,
    PublisherKeyInvalidError,
    PublisherTakenError,
)
from corral.farm.domain.library.item import (
    TRANSITIONS,
    Item,
    ItemEvent,
    ItemKind,
    ItemState,
    item_name,
    next_state,
)
from corral.farm.domain.library.kit import (
    publisher_name,
    read_public_key,
    written_public_key,
)

FOLDER = Path("/import")
FIVE = item_name("engine-5.0")
ISO = bytes(0x8001) + b"CD001" + bytes(4096)


class Library:
    """A farm with a server, an import folder, and a publisher that it trusts."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm
        self.app = farm.application
        self.server = farm.add_server("s1")
        self.app.set_library_folder(FOLDER)
        self.app.trust_publisher(publisher_name("acme"), Signer().public_key)

    def put(self, name: str, content: bytes) -> Path:
        path = FOLDER / name
        self.farm.ports.files[path] = content
        return path

    def take(self, path: Path, kind: ItemKind = ItemKind.KIT, name: str = "") -> Item:
        return self.app.import_into_library(LibraryRequest(path, kind, name), Progress())

    def state(self, name: str = "engine-5.0") -> ItemState:
        return self.app.show_library_item(item_name(name)).item.state


@pytest.fixture
def library(farm: FarmInMemory) -> Library:
    return Library(farm)


def test_a_kit_becomes_a_version_that_engines_fetch_by_its_root(library: Library) -> None:
    """S18, S25: importing, then available; its root is in the store like that of any image."""
    library.put("five.corral-kit", kit())
    item = library.take(Path("five.corral-kit"))
    assert (item.name, item.state) == ("engine-5.0", ItemState.AVAILABLE)
    item.demand_available()
    view = library.app.show_library_item(FIVE)
    assert view.publisher is not None
    assert view.publisher.name == "acme"
    assert [(name, one.is_complete) for name, one in view.replicas] == [("s1", True)]
    store = library.farm.store_of("s1")
    assert item.root is not None
    assert store.holds(item.root)
    with library.farm.ports.transactions.reading() as records:
        version = records.versions.get(VersionName.parse("kit-engine/1"))
    assert (version.root, version.size_bytes) == (item.root, len(kit()))
    key = library.farm.ports.farm_key
    assert library.farm.ports.signature_check(
        key.public_key(), version.root.signed_message(), version.signature
    )


def test_a_kit_is_copied_to_a_server_that_was_named(library: Library) -> None:
    """What is in the way of an upgrade, a server without the kit, can be ended."""
    other = library.farm.add_server("s2")
    library.take(library.put("five.corral-kit", kit()))
    name = VersionName.parse("kit-engine/1")
    (replica,) = library.app.replicate_version(name, [other.name])
    assert (replica.server_id, replica.by_hand) == (other.id, True)
    shown = library.app.show_version(name)
    assert {one.server.name for one in shown.replicas} == {"s1", "s2"}
    with pytest.raises(ImageUnknownError):
        library.app.show_image(name.image)


def test_the_next_release_shares_what_it_has_in_common(library: Library) -> None:
    library.take(library.put("five", kit()))
    library.take(library.put("six", kit(release={**ENGINE, "release": "6.0"})))
    assert [one.item.version for one in library.app.list_library()] == [
        VersionName.parse("kit-engine/1"),
        VersionName.parse("kit-engine/2"),
    ]


@pytest.mark.parametrize(
    ("content", "error", "is_known"),
    [
        (kit(signer=Signer(2)), KitUntrustedError, False),
        (kit()[:-1] + b"?", KitDamagedError, True),
        (kit()[:-9], FileUnfinishedError, True),
        (ISO, FileOtherKindError, False),
        (disk(1), FileOtherKindError, False),
    ],
)
def test_what_is_not_right_is_never_available(
    library: Library,
    content: bytes,
    error: type[DomainError],
    is_known: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    """S15, S19, S22: unsigned, flipped, cut off, of another kind."""
    chunks = dict(library.farm.store_of("s1").chunks)
    path = library.put("five", content)
    with pytest.raises(error):
        library.take(path)
    if is_known:
        view = library.app.show_library_item(FIVE)
        assert view.item.state is ItemState.FAILED
        assert view.item.problem
        with pytest.raises(ItemNotAvailableError, match="failed in the library"):
            view.item.demand_available()
    else:
        assert not library.app.list_library()
    assert library.farm.store_of("s1").chunks == chunks, "no chunk of it was kept"
    # Once it is right, it is taken under the same name.
    library.put("five", kit())
    assert library.take(path).state is ItemState.AVAILABLE


def test_an_import_that_was_killed_is_begun_again(library: Library) -> None:
    path = library.put("five", kit())
    library.farm.store_of("s1").space_bytes = 100
    with pytest.raises(StoreFullError):
        library.take(path)
    with library.farm.ports.transactions.writing() as records:
        known = records.library_items.get(FIVE)
        assert known.state is ItemState.FAILED
        begun = known.after(ItemEvent.BEGIN)
        records.library_items.change(known, begun)
    with pytest.raises(ItemNotAvailableError, match="importing"):
        begun.demand_available()
    library.farm.store_of("s1").space_bytes = 1 << 40
    assert library.take(path).state is ItemState.AVAILABLE


def test_the_same_release_is_there_once(library: Library) -> None:
    path = library.put("five", kit())
    library.take(path)
    with pytest.raises(ItemTakenError, match="available"):
        library.take(path)


def test_what_is_removed_while_it_is_imported_does_not_come_back(library: Library) -> None:
    path = library.put("five", kit())

    class Removing(Progress):
        """Removes the item as soon as the import watches."""

        def watch(self, meter: object) -> None:
            library.app.remove_library_item(FIVE)
            super().watch(meter)  # type: ignore[arg-type]  # whatever the store gives

    with pytest.raises(ItemChangedError):
        library.app.import_into_library(LibraryRequest(path, ItemKind.KIT), Removing())
    assert not library.app.list_library()
    with library.farm.ports.transactions.reading() as records:
        assert not [one for one in records.versions.all() if one.is_published]


def test_what_is_removed_is_deleted_from_the_stores(library: Library) -> None:
    item = library.take(library.put("five", kit()))
    assert item.version is not None
    removal = library.app.remove_library_item(FIVE)
    assert removal.deletion is not None
    assert removal.deletion.version.state is not VersionState.PUBLISHED
    assert item.root is not None
    assert not library.farm.store_of("s1").holds(item.root)
    with pytest.raises(ItemUnknownError):
        library.app.show_library_item(FIVE)
    again = library.take(library.put("five", kit()))
    assert again.version == VersionName.parse("kit-engine/2")


def test_no_machine_is_given_a_kit_for_a_disk(library: Library) -> None:
    library.take(library.put("five", kit()))
    device = library.farm.add_device("pc1")
    name = image_name("kit-engine")
    with pytest.raises(ImageUnknownError):
        library.app.assign_device(device.name, name)
    assert not library.app.list_images()
    version = VersionName.parse("kit-engine/1")
    for verb in (library.app.delete_version, library.app.retire_version):
        with pytest.raises((ImageUnknownError, VersionUnknownError)):
            verb(version)
    with pytest.raises(DomainError):
        library.farm.import_disk("kit-engine", disk(1))


def test_disc_images_are_taken_as_they_are(library: Library) -> None:
    item = library.take(library.put("Tools.ISO", ISO), ItemKind.MEDIA)
    assert (item.name, item.kit, item.size_bytes) == ("tools.iso", None, len(ISO))
    assert item.version == VersionName.parse("media-tools.iso/1")


def test_a_folder_offers_what_is_complete_and_of_the_kind(library: Library) -> None:
    """S19, S22: and says of each other file why it does not."""
    library.put("a.corral-kit", kit())
    library.put("b.corral-kit", kit(signer=Signer(2)))
    library.put("c.iso", ISO)
    library.put("d.raw", disk(1, 2))
    library.put("e.corral-kit", kit(release={**ENGINE, "release": "6.0"})[:-7])
    library.take(library.put("f.corral-kit", kit(release={**ENGINE, "release": "4.5"})))
    kits = library.app.look_into_folder(FileKind.KIT).files
    assert [(one.path.name, one.name, one.code) for one in kits] == [
        ("a.corral-kit", "engine-5.0", ""),
        ("b.corral-kit", "engine-5.0", "kit-untrusted"),
        ("c.iso", "c.iso", "library-other-kind"),
        ("d.raw", "d.raw", "library-file-unfinished"),
        ("e.corral-kit", "engine-6.0", "library-file-unfinished"),
        ("f.corral-kit", "engine-4.5", "library-item-taken"),
    ]
    assert all(one.why_not for one in kits if not one.is_offered)
    assert "written to 0 seconds ago" in kits[3].why_not
    library.farm.wait(11)
    offered = {
        kind: [one.path.name for one in library.app.look_into_folder(kind).files if one.is_offered]
        for kind in FileKind
    }
    assert offered == {
        FileKind.KIT: ["a.corral-kit"],
        FileKind.MEDIA: ["c.iso"],
        FileKind.IMAGE: ["d.raw"],
    }


def test_without_a_folder_whole_paths_are_needed(farm: FarmInMemory) -> None:
    with pytest.raises(LibraryFolderUnsetError):
        farm.application.look_into_folder(FileKind.KIT)
    request = LibraryRequest(Path("five"), ItemKind.KIT)
    with pytest.raises(LibraryFolderUnsetError):
        farm.application.import_into_library(request, Progress())
    farm.application.set_library_folder(FOLDER)
    farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
    farm.ports.files[FOLDER / "five"] = kit()
    with pytest.raises(NoServerError):
        farm.application.import_into_library(request, Progress())
    assert not farm.application.list_library()
    # A name that leads out of the folder is none.
    with pytest.raises(LibraryFolderUnsetError):
        farm.application.import_into_library(
            LibraryRequest(Path("../five"), ItemKind.KIT), Progress()
        )


def test_a_publisher_stays_while_their_kits_do(library: Library) -> None:
    library.take(library.put("five", kit()))
    with pytest.raises(PublisherInUseError, match=r"engine-5\.0"):
        library.app.distrust_publisher(publisher_name("acme"))
    library.app.remove_library_item(FIVE)
    library.app.distrust_publisher(publisher_name("acme"))
    with pytest.raises(KitUntrustedError):
        library.take(FOLDER / "five")


def test_publishers_are_known_by_their_keys(library: Library) -> None:
    text = written_public_key(Signer().public_key)
    assert read_public_key(f" {text}\n") == Signer().public_key
    for wrong in ("", text[:-1], text.upper(), f"{text}0", "AAAA"):
        with pytest.raises(PublisherKeyInvalidError):
            read_public_key(wrong)
    with pytest.raises(PublisherTakenError, match="acme"):
        library.app.trust_publisher(publisher_name("other"), Signer().public_key)
    assert [one.name for one in library.app.list_publishers()] == ["acme"]


class Around:
    """What a worker lends; keeps what the task made."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.results: list[str] = []

    def wait(self, seconds: float) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def made(self, records: Records, result: str) -> None:
        assert records.library_items.get(FIVE).state is ItemState.AVAILABLE
        self.results.append(result)


def test_a_task_imports_and_keeps_what_it_made(library: Library) -> None:
    """S23, S24: the import is a task."""
    library.put("five", kit())
    task = library.app.start_task("library", {"path": "five"})
    assert (task.request.object, task.request.server) == ("five", library.server.name)
    around = Around()
    told = "engine-5.0 is available as kit-engine/1"
    assert library.app.run_task(task, around) == Finished(told)
    assert around.results == [told]
    with pytest.raises(DomainError, match="'kind' must be one of kit, media"):
        library.app.start_task("library", {"path": "five", "kind": "image"})
    with pytest.raises(DomainError, match="'path' is missing"):
        library.app.start_task("library", {})


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("event", ItemEvent)
def test_items_move_only_as_the_table_says(state: ItemState, event: ItemEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state("engine-5.0", state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(ItemTransitionError, match="cannot take"):
        next_state("engine-5.0", state, event)


def test_only_a_whole_import_makes_something_available() -> None:
    before = {one for (one, _), later in TRANSITIONS.items() if later is ItemState.AVAILABLE}
    assert before == {ItemState.IMPORTING}
