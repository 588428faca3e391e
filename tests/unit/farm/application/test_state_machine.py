"""Everything that people, devices and servers do, in any order, with the power cut at any step.

Each step is taken on a farm in memory and on one in SQLite, which must answer alike. What must hold
of a farm is looked at after each.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.farm_in_memory import MemoryPorts, disk
from tests.power_cut import Cut, CutTransactions, Fuse, PowerCutError

from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.add_store import NewStore
from corral.farm.application.change_collection import CollectionEdit
from corral.farm.application.change_device import DeviceEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.change_site import SiteEdit
from corral.farm.application.change_store import StoreEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.ports.records import Transactions
from corral.farm.application.progress import Progress
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.take_server_report import (
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.bootstrap import Application
from corral.farm.domain.delivery.device import DeviceName, MacAddress, device_name
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.collection import CollectionName, collection_name
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import Server, ServerName, server_name
from corral.farm.domain.estate.site import SiteName, site_name
from corral.farm.domain.estate.store import StoreName, store_name
from corral.farm.domain.estate.subnet import Subnet, parse_subnets
from corral.farm.domain.image.image import ImageName, image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Access, VersionName

URL = ApiUrl("http://127.0.0.1:10800")
CUT, DONE = "cut", "done"

sites = st.sampled_from(["default", "a", "b"]).map(site_name)
collections = st.sampled_from(["default", "c", "d"]).map(collection_name)
stores = st.sampled_from(["default", "e", "f"]).map(store_name)
servers = st.sampled_from(["s1", "s2", "s3"]).map(server_name)
devices = st.sampled_from(["pc1", "pc2", "pc3"]).map(device_name)
images = st.sampled_from(["i", "j"]).map(image_name)
versions = st.builds(lambda i, n: VersionName.parse(f"{i}/{n}"), images, st.integers(1, 4))
macs = st.integers(1, 3).map(lambda n: MacAddress.parse(f"52:54:00:00:00:0{n}"))
paths = st.sampled_from(["/x", "/y", "/z"]).map(Path)
subnets = st.lists(
    st.sampled_from(["192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/64"]), max_size=2
).map(parse_subnets)
# After how many steps the power is cut; mostly never.
cuts = st.none() | st.none() | st.none() | st.integers(0, 12)


class Farm:
    """A farm whose process can die and be started again; its stores and records stay."""

    def __init__(self, transactions: Transactions, key: MemoryFarmKey) -> None:
        self.fuse = Fuse()
        self.ports: Any = MemoryPorts(
            transactions=CutTransactions(transactions, self.fuse), farm_key=key
        )
        self.stores = self.ports.chunk_stores
        for port in ("chunk_stores", "secret_files"):
            setattr(self.ports, port, Cut(getattr(self.ports, port), self.fuse))
        self.application = Application(self.ports)
        self.application.create_farm(farm_name("home"), (URL,))
        self.streaming: set[tuple[str, str]] = set()

    def take(self, step: Callable[["Farm"], object], cut_after: int | None) -> str:
        """Say what became of a step."""
        self.fuse.steps = cut_after
        try:
            step(self)
        except PowerCutError:
            self.application = Application(self.ports)
            return CUT
        except DomainError as error:
            return error.code
        finally:
            self.fuse.steps = None
        return DONE

    def serve(self, server: Server) -> None:
        """Do what the server's stream process does between two reports, and report."""
        wanted = self.application.configure_server(server.id)
        store = self.stores.stores[server.store.path]
        for root in wanted.removals:
            store.remove_version(root)
        for replica in wanted.replicas:
            for other in self.stores.stores.values():
                if not store.holds(replica.root) and other.holds(replica.root):
                    store.manifests[replica.root] = other.manifests[replica.root]
                    store.sizes[replica.root] = other.sizes[replica.root]
                    store.chunks.update(
                        {n: other.chunks[n] for n in store.manifests[replica.root] if n}
                    )
        self.application.take_server_report(
            server.id,
            ServerReport(
                generation=wanted.generation,
                removed=wanted.removals,
                replicas=tuple(
                    ReportedReplica(
                        replica.root,
                        ReplicaState.COMPLETE
                        if store.holds(replica.root)
                        else ReplicaState.FETCHING,
                        replica.size_bytes,
                        replica.size_bytes,
                        0,
                    )
                    for replica in wanted.replicas
                ),
                sessions=tuple(
                    ReportedSession(
                        view.device.id, "i/1", f"{server.name}:1", self.ports.clock.now(), 0
                    )
                    for view in self.application.list_devices()
                    if (server.name, view.device.name) in self.streaming
                ),
            ),
        )

    def seen(self) -> tuple[object, ...]:
        """Give all that can be seen of it."""
        app = self.application
        return (
            app.show_farm(),
            app.list_sites(),
            app.list_collections(),
            app.list_stores(),
            app.list_servers(),
            app.list_images(),
            app.list_devices(),
            app.show_status(),
        )


class FarmMachine(RuleBasedStateMachine):
    """The steps."""

    template: ClassVar[bytes | None] = None

    @initialize()
    def begin(self) -> None:
        self._folder = TemporaryDirectory()
        path = Path(self._folder.name, "farm.db")
        # The schema is made once: that is what would take most of the time.
        if FarmMachine.template is not None:
            path.write_bytes(FarmMachine.template)
        self._sql = SqlTransactions(f"sqlite:///{path}")
        if FarmMachine.template is None:
            self._sql.set_up()
            self._sql.close()
            FarmMachine.template = path.read_bytes()
        key = MemoryFarmKey()
        self._farms = (Farm(MemoryTransactions(), key), Farm(self._sql, key))
        self._revisions: dict[object, int] = {}
        self._generation = 0

    def teardown(self) -> None:
        if hasattr(self, "_sql"):
            self._sql.close()
            self._folder.cleanup()

    def _take(self, step: Callable[[Farm], object], cut_after: int | None = None) -> str:
        one, other = (farm.take(step, cut_after) for farm in self._farms)
        assert one == other
        if one == CUT:
            # Asked for again, it is done, or refused for a reason that can be told.
            again, likewise = (farm.take(step, None) for farm in self._farms)
            assert again == likewise != CUT
        return one

    # The estate.

    @rule(name=sites, near=subnets, cut=cuts)
    def add_site(self, name: SiteName, near: tuple[Subnet, ...], cut: int | None) -> None:
        self._take(lambda f: f.application.add_site(NewSite(name, subnets=near)), cut)

    @rule(name=sites, new=sites, near=subnets, revision=st.none() | st.integers(1, 3), cut=cuts)
    def change_site(
        self,
        name: SiteName,
        new: SiteName,
        near: tuple[Subnet, ...],
        revision: int | None,
        cut: int | None,
    ) -> None:
        edit = SiteEdit(name=new, subnets=near)
        self._take(lambda f: f.application.change_site(name, edit, revision), cut)

    @rule(name=sites, cut=cuts)
    def remove_site(self, name: SiteName, cut: int | None) -> None:
        self._take(lambda f: f.application.remove_site(name), cut)

    @rule(name=collections, site=sites, cut=cuts)
    def add_collection(self, name: CollectionName, site: SiteName, cut: int | None) -> None:
        self._take(lambda f: f.application.add_collection(NewCollection(name, site)), cut)

    @rule(name=collections, site=sites, cut=cuts)
    def move_collection(self, name: CollectionName, site: SiteName, cut: int | None) -> None:
        edit = CollectionEdit(site=site)
        self._take(lambda f: f.application.change_collection(name, edit), cut)

    @rule(name=collections, cut=cuts)
    def remove_collection(self, name: CollectionName, cut: int | None) -> None:
        self._take(lambda f: f.application.remove_collection(name), cut)

    @rule(name=stores, path=st.none() | paths, shared=st.booleans(), cut=cuts)
    def add_store(
        self, *, name: StoreName, path: Path | None, shared: bool, cut: int | None
    ) -> None:
        wanted = NewStore(name, default_path=path, shared=shared)
        self._take(lambda f: f.application.add_store(wanted), cut)

    @rule(name=stores, shared=st.booleans(), cut=cuts)
    def change_store(self, *, name: StoreName, shared: bool, cut: int | None) -> None:
        self._take(lambda f: f.application.change_store(name, StoreEdit(shared=shared)), cut)

    @rule(name=stores, cut=cuts)
    def remove_store(self, name: StoreName, cut: int | None) -> None:
        self._take(lambda f: f.application.remove_store(name), cut)

    @rule(name=servers, path=st.none() | paths, store=stores, site=sites, cut=cuts)
    def add_server(
        self, name: ServerName, path: Path | None, store: StoreName, site: SiteName, cut: int | None
    ) -> None:
        wanted = NewServer(
            name=name,
            store_path=path,
            listen=(Address("127.0.0.1", 1),),
            chunks_listen=Address("127.0.0.1", 2),
            store=store,
            site=site,
        )
        self._take(lambda f: f.application.add_server(wanted), cut)

    @rule(name=servers, store=stores, site=sites, maintenance=st.booleans(), cut=cuts)
    def change_server(
        self,
        *,
        name: ServerName,
        store: StoreName,
        site: SiteName,
        maintenance: bool,
        cut: int | None,
    ) -> None:
        edit = ServerEdit(store=store, site=site, maintenance=maintenance)
        self._take(lambda f: f.application.change_server(name, edit), cut)

    @rule(name=servers, cut=cuts)
    def drain(self, name: ServerName, cut: int | None) -> None:
        self._take(lambda f: f.application.drain_server(name), cut)

    @rule(name=servers, cut=cuts)
    def undrain(self, name: ServerName, cut: int | None) -> None:
        self._take(lambda f: f.application.undrain_server(name), cut)

    # Devices.

    @rule(name=devices, mac=macs, image=st.none() | images, cut=cuts)
    def register(
        self, name: DeviceName, mac: MacAddress, image: ImageName | None, cut: int | None
    ) -> None:
        self._take(lambda f: f.application.register_device(name, mac, image), cut)

    @rule(name=devices, mac=macs, collection=collections, disabled=st.booleans(), cut=cuts)
    def change_device(
        self,
        *,
        name: DeviceName,
        mac: MacAddress,
        collection: CollectionName,
        disabled: bool,
        cut: int | None,
    ) -> None:
        edit = DeviceEdit(mac=mac, collection=collection, disabled=disabled)
        self._take(lambda f: f.application.change_device(name, edit), cut)

    @rule(name=devices, image=images, cut=cuts)
    def assign(self, name: DeviceName, image: ImageName, cut: int | None) -> None:
        self._take(lambda f: f.application.assign_device(name, image), cut)

    @rule(name=devices, cut=cuts)
    def remove_device(self, name: DeviceName, cut: int | None) -> None:
        self._take(lambda f: f.application.remove_device(name), cut)

    @rule(rows=st.lists(st.tuples(devices, macs), max_size=3), cut=cuts)
    def import_devices(self, rows: list[tuple[DeviceName, MacAddress]], cut: int | None) -> None:
        table = "\n".join(["name,mac", *(f"{name},{mac}" for name, mac in rows)])
        self._take(lambda f: f.application.import_devices(table), cut)

    @rule(name=devices, streams=st.booleans(), cut=cuts)
    def log_in(self, *, name: DeviceName, streams: bool, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            device = farm.application.show_device(name).device
            answer = farm.application.log_device_in(device.id)
            first = answer.servers[0]
            # What the farm promises to a device: a server that has all of its version.
            assert farm.stores.stores[first.store.path].holds(answer.version.root)
            assert not device.disabled
            if streams:
                farm.streaming.add((first.name, name))

        self._take(step, cut)

    @rule()
    def all_devices_shut_down(self) -> None:
        for farm in self._farms:
            farm.streaming.clear()

    # Images, and what servers do.

    @rule(image=images, content=st.integers(1, 3), server=st.none() | servers, cut=cuts)
    def import_image(
        self, image: ImageName, content: int, server: ServerName | None, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            farm.ports.files[Path("/disk")] = disk(content, 0, 9)
            request = ImportRequest(image, Path("/disk"), server=server)
            farm.application.import_image(request, Progress())

        self._take(step, cut)

    @rule(version=versions, to=st.sampled_from([Access.TEST, Access.PRODUCTION]), cut=cuts)
    def promote(self, version: VersionName, to: Access, cut: int | None) -> None:
        self._take(lambda f: f.application.promote_version(PromotionRequest(version, to)), cut)

    @rule(version=versions, server=servers, cut=cuts)
    def replicate(self, version: VersionName, server: ServerName, cut: int | None) -> None:
        self._take(lambda f: f.application.replicate_version(version, [server]), cut)

    @rule(version=versions, cut=cuts)
    def delete(self, version: VersionName, cut: int | None) -> None:
        self._take(lambda f: f.application.delete_version(version), cut)

    @rule(name=servers, cut=cuts)
    def serve(self, name: ServerName, cut: int | None) -> None:
        self._take(lambda f: f.serve(f.application.show_server(name).server), cut)

    @rule(seconds=st.sampled_from([1, 10, 100_000]))
    def wait(self, seconds: int) -> None:
        for farm in self._farms:
            farm.ports.clock.advance(timedelta(seconds=seconds))

    # What must hold.

    @invariant()
    def both_are_seen_alike(self) -> None:
        one, other = (farm.seen() for farm in self._each())
        for mine, theirs in zip(one, other, strict=True):
            assert mine == theirs

    @invariant()
    def sites_have_no_address_in_common(self) -> None:
        for farm in self._each():
            places = [view.site for view in farm.application.list_sites()]
            for one, other in combinations(places, 2):
                assert not any(a.overlaps(b) for a in one.subnets for b in other.subnets)

    @invariant()
    def folders_are_shared_in_shared_stores_only(self) -> None:
        for farm in self._each():
            for one, other in combinations(farm.application.list_servers(), 2):
                if one.server.store.id == other.server.store.id:
                    assert one.store == other.store
                    assert one.store.shared

    @invariant()
    def no_two_devices_have_a_card_in_common(self) -> None:
        for farm in self._each():
            cards = [view.device.mac for view in farm.application.list_devices()]
            assert len(cards) == len({*cards})

    @invariant()
    def what_is_published_is_held_by_a_store(self) -> None:
        for farm in self._each():
            for image in farm.application.list_images():
                for view in image.versions:
                    if view.version.is_published:
                        root = view.version.root
                        assert any(store.holds(root) for store in farm.stores.stores.values())

    @invariant()
    def revisions_and_the_generation_only_rise(self) -> None:
        for farm in self._each()[:1]:
            app = farm.application
            generation = app.show_farm().farm.generation
            assert generation >= self._generation
            self._generation = generation
            things: list[Any] = [view.site for view in app.list_sites()]
            things += [view.collection for view in app.list_collections()]
            things += [view.store for view in app.list_stores()]
            things += [view.server for view in app.list_servers()]
            things += [view.device for view in app.list_devices()]
            for thing in things:
                assert thing.revision >= self._revisions.get(thing.id, 1)
                self._revisions[thing.id] = thing.revision

    def _each(self) -> tuple[Farm, ...]:
        return getattr(self, "_farms", ())


# What fails is made smaller by hand: by itself that takes minutes.
FarmMachine.TestCase.settings = settings(
    max_examples=min(100, settings().max_examples // 10),
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
TestFarm = FarmMachine.TestCase
