"""Sites, collections, stores, and what people change of servers and devices."""

from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk

from corral.farm.adapters.memory.chunk_stores import MemoryChunkStores
from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.add_store import NewStore
from corral.farm.application.change_collection import CollectionEdit
from corral.farm.application.change_device import DeviceEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.change_site import SiteEdit
from corral.farm.application.change_store import StoreEdit
from corral.farm.application.progress import Progress
from corral.farm.domain.delivery.device import DeviceType, MacAddress
from corral.farm.domain.delivery.errors import (
    DeviceChangedError,
    DeviceDisabledError,
    DeviceStreamsError,
    DeviceUnknownError,
    MacTakenError,
)
from corral.farm.domain.estate.address import Address, AddressUnreachableError
from corral.farm.domain.estate.capacity import device_limit, power_rating
from corral.farm.domain.estate.collection import (
    FIRST_COLLECTION,
    CollectionChangedError,
    CollectionInUseError,
    CollectionPermanentError,
    CollectionUnknownError,
    collection_name,
)
from corral.farm.domain.estate.errors import ServerChangedError, StoreTakenError
from corral.farm.domain.estate.farm import FarmId
from corral.farm.domain.estate.server import Server, server_name
from corral.farm.domain.estate.site import (
    FIRST_SITE,
    SiteChangedError,
    SiteInUseError,
    SiteNameTakenError,
    SitePermanentError,
    SiteUnknownError,
    SubnetsOverlapError,
    site_name,
)
from corral.farm.domain.estate.store import (
    FIRST_STORE,
    FolderId,
    StoreChangedError,
    StoreInUseError,
    StorePathMissingError,
    StorePermanentError,
    StoreSharedByError,
    StoreUnknownError,
    store_name,
)
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.domain.image.errors import RootBeingRemovedError, StoreOtherFarmError

BASEL, ROOM, NAS = site_name("basel"), collection_name("room-1"), store_name("nas")
HERE = parse_subnets(["192.0.2.0/24"])


def add_server(
    farm: FarmInMemory, name: str, path: str | None = None, store: str | None = None
) -> Server:
    place = 1 + len(farm.application.list_servers())
    return farm.application.add_server(
        NewServer(
            name=server_name(name),
            store_path=None if path is None else Path(path),
            listen=(Address("127.0.0.1", 10_800 + place),),
            chunks_listen=Address("127.0.0.1", 10_900 + place),
            store=None if store is None else store_name(store),
        )
    ).server


def test_new_farm_has_a_site_a_collection_and_a_store_for_whatever_comes(
    farm: FarmInMemory,
) -> None:
    server, device = farm.add_server("s1"), farm.add_device("pc1")
    (site,) = farm.application.list_sites()
    assert (site.site, site.servers, site.collections, site.devices) == (FIRST_SITE, 1, 1, 1)
    (collection,) = farm.application.list_collections()
    assert (collection.collection, collection.devices) == (FIRST_COLLECTION, 1)
    (store,) = farm.application.list_stores()
    assert (store.store.id, store.store.name) == (FIRST_STORE.id, FIRST_STORE.name)
    assert store.servers == (server,)
    assert device.collection_id == FIRST_COLLECTION.id


def test_sites_share_no_address(farm: FarmInMemory) -> None:
    basel = farm.application.add_site(NewSite(BASEL, "by the Rhine", HERE))
    wider = parse_subnets(["192.0.0.0/16"])
    with pytest.raises(SubnetsOverlapError, match="basel"):
        farm.application.add_site(NewSite(site_name("bern"), subnets=wider))
    with pytest.raises(SubnetsOverlapError, match="basel"):
        farm.application.change_site(FIRST_SITE.name, SiteEdit(subnets=wider))
    assert farm.application.change_site(BASEL, SiteEdit(subnets=wider)).subnets == wider
    with pytest.raises(SiteNameTakenError):
        farm.application.add_site(NewSite(BASEL))
    assert [view.site.name for view in farm.application.list_sites()] == ["basel", "default"]
    assert basel.description == "by the Rhine"


def test_second_of_two_administrators_is_told(farm: FarmInMemory) -> None:
    seen = farm.application.add_site(NewSite(BASEL)).revision
    first = farm.application.change_site(BASEL, SiteEdit(description="first"), seen)
    assert first.revision == seen + 1
    with pytest.raises(SiteChangedError):
        farm.application.change_site(BASEL, SiteEdit(description="second"), seen)
    with pytest.raises(SiteChangedError):
        farm.application.remove_site(BASEL, seen)
    assert farm.application.show_site(BASEL).site == first
    again = farm.application.change_site(BASEL, SiteEdit(description="first"), first.revision)
    assert again == first, "what changes nothing is no change"


def test_every_noun_tells_the_second(farm: FarmInMemory) -> None:
    app = farm.application
    farm.add_server("s1")
    device = farm.add_device("pc1")
    app.add_collection(NewCollection(ROOM))
    app.add_store(NewStore(NAS))
    with pytest.raises(CollectionChangedError):
        app.change_collection(ROOM, CollectionEdit(description="x"), 2)
    with pytest.raises(CollectionChangedError):
        app.remove_collection(ROOM, 2)
    with pytest.raises(StoreChangedError):
        app.change_store(NAS, StoreEdit(description="x"), 2)
    with pytest.raises(StoreChangedError):
        app.remove_store(NAS, 2)
    with pytest.raises(ServerChangedError):
        app.change_server(server_name("s1"), ServerEdit(description="x"), 2)
    with pytest.raises(DeviceChangedError):
        app.change_device(device.name, DeviceEdit(description="x"), 2)
    with pytest.raises(DeviceChangedError):
        app.remove_device(device.name, 2)


def test_site_is_removed_when_nothing_belongs_to_it(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_site(NewSite(BASEL))
    app.add_collection(NewCollection(ROOM, BASEL))
    farm.add_server("s1")
    app.change_server(server_name("s1"), ServerEdit(site=BASEL))
    with pytest.raises(SiteInUseError, match="server s1, collection room-1"):
        app.remove_site(BASEL)
    app.change_collection(ROOM, CollectionEdit(site=FIRST_SITE.name))
    app.change_server(server_name("s1"), ServerEdit(site=FIRST_SITE.name))
    app.remove_site(BASEL)
    with pytest.raises(SiteUnknownError, match="basel"):
        app.show_site(BASEL)


def test_what_a_farm_begins_with_is_renamed_but_not_removed(farm: FarmInMemory) -> None:
    app = farm.application
    app.change_site(FIRST_SITE.name, SiteEdit(name=site_name("home")))
    app.change_collection(FIRST_COLLECTION.name, CollectionEdit(name=collection_name("all")))
    app.change_store(FIRST_STORE.name, StoreEdit(name=store_name("chunks")))
    with pytest.raises(SitePermanentError):
        app.remove_site(site_name("home"))
    with pytest.raises(CollectionPermanentError):
        app.remove_collection(collection_name("all"))
    with pytest.raises(StorePermanentError):
        app.remove_store(store_name("chunks"))
    farm.add_server("s1")
    farm.add_device("pc1")
    assert app.show_site(site_name("home")).devices == 1


def test_collection_is_removed_when_no_device_is_in_it(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_collection(NewCollection(ROOM))
    device = farm.add_device("pc1")
    app.change_device(device.name, DeviceEdit(collection=ROOM))
    with pytest.raises(CollectionInUseError, match="device pc1"):
        app.remove_collection(ROOM)
    app.change_device(device.name, DeviceEdit(collection=FIRST_COLLECTION.name))
    app.remove_collection(ROOM)
    with pytest.raises(CollectionUnknownError):
        app.change_device(device.name, DeviceEdit(collection=ROOM))


def test_servers_of_one_store_have_folders_of_their_own_or_the_default(farm: FarmInMemory) -> None:
    app = farm.application
    with pytest.raises(StorePathMissingError):
        add_server(farm, "s1")
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas")))
    first = add_server(farm, "s1", store="nas")
    assert first.store.path == Path("/srv/nas")
    with pytest.raises(StoreTakenError, match="s1"):
        add_server(farm, "s2", store="nas")
    second = add_server(farm, "s2", "/srv/two", store="nas")
    assert app.show_store(NAS).servers == (first, second)
    with pytest.raises(StoreInUseError, match="server s1, server s2"):
        app.remove_store(NAS)


def test_servers_of_a_shared_store_share_a_folder(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    first, second = add_server(farm, "s1", store="nas"), add_server(farm, "s2", store="nas")
    assert first.store == second.store
    with pytest.raises(StoreSharedByError, match="'s1' and 's2'"):
        app.change_store(NAS, StoreEdit(shared=False))
    with pytest.raises(StoreTakenError):
        app.change_server(second.name, ServerEdit(store=FIRST_STORE.name))
    with pytest.raises(StoreTakenError):
        add_server(farm, "s3", "/srv/nas")


def test_version_in_a_shared_folder_needs_no_copy(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    first, second = add_server(farm, "s1", store="nas"), add_server(farm, "s2", store="nas")
    version = farm.import_disk("debian", disk(1)).version
    states = {one.server.name: one.replica for one in app.show_version(version.name).replicas}
    assert {name: replica.is_complete for name, replica in states.items()} == {
        "s1": True,
        "s2": True,
    }
    third = add_server(farm, "s3", store="nas")
    (replica,) = app.replicate_version(version.name, [third.name])
    assert (replica.is_complete, replica.fetched_bytes) == (True, 0)
    own = add_server(farm, "s4", "/srv/own")
    (replica,) = app.replicate_version(version.name, [own.name])
    assert not replica.is_complete
    for server in (first, second, third):
        farm.report(server, holds=(version,))
    answer = app.log_device_in(farm.add_device("pc1", "debian").id)
    assert {server.name for server in answer.servers} == {"s1", "s2", "s3"}


def test_damage_in_a_shared_folder_is_that_of_all_its_servers(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    first, second = add_server(farm, "s1", store="nas"), add_server(farm, "s2", store="nas")
    version = farm.import_disk("debian", disk(1, 2)).version
    for server in (first, second):
        farm.report(server, holds=(version,))
    chunks = farm.ports.chunk_stores.stores[Path("/srv/nas")].chunks
    name, sound = next(iter(chunks.items()))
    chunks[name] = b"rotten"
    app.verify_store(first.name, Progress())
    assert [one.replica.is_complete for one in app.show_version(version.name).replicas] == [
        False,
        False,
    ]
    chunks[name] = sound
    assert app.heal_store(second.name, Progress()).healing.is_sound
    assert all(one.replica.is_complete for one in app.show_version(version.name).replicas)


def test_deleted_version_leaves_a_shared_folder_for_all_at_once(farm: FarmInMemory) -> None:
    app = farm.application
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    for name in ("s1", "s2"):
        farm.report(add_server(farm, name, store="nas"))
    version = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    deletion = app.delete_version(version.name)
    assert [server.name for server in deletion.removed_from] == ["s1", "s2"]
    assert deletion.waiting_for == ()
    assert farm.import_disk("debian", disk(1)).is_published


def test_root_is_not_imported_while_another_server_takes_it_out_of_the_folder(
    farm: FarmInMemory,
) -> None:
    app = farm.application
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    first, second = add_server(farm, "s1", store="nas"), add_server(farm, "s2", store="nas")
    version = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    for server in (first, second):
        farm.report(server, holds=(version,))
    stores = farm.ports.chunk_stores.stores
    elsewhere = stores.pop(Path("/srv/nas"))  # seen by the servers, but not from here
    assert len(app.delete_version(version.name).waiting_for) == 2
    stores[Path("/srv/nas")] = elsewhere
    farm.report(first, removed=(version,))
    with pytest.raises(RootBeingRemovedError, match="s2"):
        farm.import_disk("debian", disk(1))
    farm.report(second, removed=(version,))
    assert farm.import_disk("debian", disk(1)).is_published


def test_what_one_server_of_a_folder_has_fetched_the_others_have(farm: FarmInMemory) -> None:
    app = farm.application
    farm.add_server("s0")
    version = farm.import_disk("debian", disk(1)).version
    app.add_store(NewStore(NAS, default_path=Path("/srv/nas"), shared=True))
    first, second = add_server(farm, "s1", store="nas"), add_server(farm, "s2", store="nas")
    app.replicate_version(version.name, [first.name])
    farm.report(first, holds=(version,))
    held = {one.server.name for one in app.show_version(version.name).replicas}
    assert held == {"s0", "s1", "s2"}
    (replica,) = app.replicate_version(version.name, [second.name])
    assert replica.is_complete


def test_store_path_of_another_farm_is_refused(farm: FarmInMemory) -> None:
    ports = MemoryPorts(ids=farm.ports.ids)  # so that the two farms are not the same one
    ports.chunk_stores = farm.ports.chunk_stores
    other = FarmInMemory(ports)
    add_server(farm, "s1", "/srv/x")
    with pytest.raises(StoreOtherFarmError):
        add_server(other, "s1", "/srv/x")
    assert other.application.list_servers() == ()


@pytest.mark.parametrize("noun", ["site", "store"])
def test_server_does_not_go_where_somebody_just_removed_the_place(
    farm: FarmInMemory, noun: str
) -> None:
    app = farm.application
    app.add_site(NewSite(BASEL))
    app.add_store(NewStore(NAS))

    class Meanwhile(MemoryChunkStores):
        def create(self, path: Path, farm: FarmId) -> FolderId:
            if noun == "site":
                app.remove_site(BASEL)
            else:
                app.remove_store(NAS)
            return super().create(path, farm)

    farm.ports.chunk_stores = Meanwhile(farm.ports.files)
    wanted = NewServer(
        name=server_name("s1"),
        store_path=Path("/srv/s1"),
        listen=(Address("127.0.0.1", 1),),
        chunks_listen=Address("127.0.0.1", 2),
        store=NAS,
        site=BASEL,
    )
    with pytest.raises(SiteUnknownError if noun == "site" else StoreUnknownError):
        app.add_server(wanted)
    assert app.list_servers() == ()


def test_every_field_of_a_server_is_changed(farm: FarmInMemory) -> None:
    app = farm.application
    server = farm.add_server("s1")
    app.add_site(NewSite(BASEL))
    before = farm.generation
    changed = app.change_server(
        server.name,
        ServerEdit(
            site=BASEL,
            description="upstairs",
            advertised=(Address("192.0.2.1", 1),),
            chunks_advertised=Address("192.0.2.1", 2),
            management=Address("192.0.2.1", 22),
            power_rating=power_rating("2.5"),
            max_devices=device_limit(400),
            max_devices_booting=device_limit(50),
            maintenance=True,
            subnets=HERE,
        ),
    )
    view = app.show_server(server.name)
    assert view.server == changed
    assert view.site.name == BASEL
    assert (changed.max_devices, changed.max_devices_booting) == (400, 50)
    assert farm.generation == before + 1, "stream processes learn of it"
    cleared = app.change_server(
        server.name, ServerEdit(management=None, max_devices=None, advertised=())
    )
    assert (cleared.management, cleared.max_devices) == (None, None)
    assert cleared.advertised == cleared.listen
    assert cleared.power_rating == power_rating("2.5"), "what is not named stays"


def test_server_is_not_reached_by_the_wildcard(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    everywhere = Address("0.0.0.0", 1)  # noqa: S104 - to be refused
    for edit in (
        ServerEdit(advertised=(everywhere,)),
        ServerEdit(chunks_advertised=everywhere),
        ServerEdit(management=everywhere),
    ):
        with pytest.raises(AddressUnreachableError):
            farm.application.change_server(server.name, edit)


def test_device_that_is_disabled_may_not_log_in(farm: FarmInMemory) -> None:
    app = farm.application
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(server, holds=(version,))
    device = farm.add_device("pc1", "debian")
    app.log_device_in(device.id)
    app.change_device(device.name, DeviceEdit(disabled=True))
    for running in (None, version.root):
        with pytest.raises(DeviceDisabledError, match="corral device enable pc1"):
            app.log_device_in(device.id, running)
    app.change_device(device.name, DeviceEdit(disabled=False))
    assert app.log_device_in(device.id, version.root).version == version


def test_every_field_of_a_device_is_changed_and_its_assignment_stays(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    device, other = farm.add_device("pc1", "debian"), farm.add_device("pc2")
    edit = DeviceEdit(
        mac=MacAddress.parse("52:54:00:ff:00:01"), type=DeviceType.TEST, description="by the door"
    )
    changed = farm.application.change_device(device.name, edit)
    assert (changed.mac, changed.type, changed.description) == (
        edit.mac,
        DeviceType.TEST,
        "by the door",
    )
    assert changed.assignment == device.assignment
    assert (changed.id, changed.revision) == (device.id, device.revision + 1)
    with pytest.raises(MacTakenError):
        farm.application.change_device(device.name, DeviceEdit(mac=other.mac))


def test_device_is_removed_when_it_streams_nothing(farm: FarmInMemory) -> None:
    app = farm.application
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    farm.report(server, holds=(version,), sessions=((device, version),))
    with pytest.raises(DeviceStreamsError, match="s1"):
        app.remove_device(device.name)
    farm.wait(60)
    with pytest.raises(DeviceStreamsError):
        app.remove_device(device.name)  # a silent server counts as serving
    farm.report(server, holds=(version,))
    app.remove_device(device.name)
    with pytest.raises(DeviceUnknownError):
        app.show_device(device.name)
    farm.add_device("pc1")
