"""What people do with sites, collections, stores and servers."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.unit.farm.application.machine.steps import Steps, cuts, servers

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.add_store import NewStore
from corral.farm.application.change_collection import CollectionEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.change_site import SiteEdit
from corral.farm.application.change_store import StoreEdit
from corral.farm.application.set_balance import BalanceWish
from corral.farm.domain.delivery.ranking import Affinity
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.collection import CollectionName, collection_name
from corral.farm.domain.estate.replication import Bandwidth
from corral.farm.domain.estate.scrub import MODEST
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.estate.site import SiteName, site_name
from corral.farm.domain.estate.store import StoreName, store_name
from corral.farm.domain.estate.subnet import Subnet, parse_subnets

sites = st.sampled_from(["default", "a", "b"]).map(site_name)
collections = st.sampled_from(["default", "c", "d"]).map(collection_name)
stores = st.sampled_from(["default", "e", "f"]).map(store_name)
paths = st.sampled_from(["/x", "/y", "/z"]).map(Path)
subnets = st.lists(
    st.sampled_from(["192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/64"]), max_size=2
).map(parse_subnets)


class EstateSteps(Steps):
    @rule(name=sites, near=subnets, cut=cuts)
    def add_site(self, name: SiteName, near: tuple[Subnet, ...], cut: int | None) -> None:
        self.take(lambda f: f.application.add_site(NewSite(name, subnets=near)), cut)

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
        self.take(lambda f: f.application.change_site(name, edit, revision), cut)

    @rule(name=sites, cut=cuts)
    def remove_site(self, name: SiteName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_site(name), cut)

    @rule(name=collections, site=sites, cut=cuts)
    def add_collection(self, name: CollectionName, site: SiteName, cut: int | None) -> None:
        self.take(lambda f: f.application.add_collection(NewCollection(name, site)), cut)

    @rule(name=collections, site=sites, cut=cuts)
    def move_collection(self, name: CollectionName, site: SiteName, cut: int | None) -> None:
        edit = CollectionEdit(site=site)
        self.take(lambda f: f.application.change_collection(name, edit), cut)

    @rule(name=collections, cut=cuts)
    def remove_collection(self, name: CollectionName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_collection(name), cut)

    @rule(name=stores, path=st.none() | paths, shared=st.booleans(), cut=cuts)
    def add_store(
        self, *, name: StoreName, path: Path | None, shared: bool, cut: int | None
    ) -> None:
        wanted = NewStore(name, default_path=path, shared=shared)
        self.take(lambda f: f.application.add_store(wanted), cut)

    @rule(name=stores, shared=st.booleans(), cut=cuts)
    def change_store(self, *, name: StoreName, shared: bool, cut: int | None) -> None:
        self.take(lambda f: f.application.change_store(name, StoreEdit(shared=shared)), cut)

    @rule(name=stores, cut=cuts)
    def remove_store(self, name: StoreName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_store(name), cut)

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
        self.take(lambda f: f.application.add_server(wanted), cut)

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
        self.take(lambda f: f.application.change_server(name, edit), cut)

    @rule(name=servers, cut=cuts)
    def drain(self, name: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.drain_server(name), cut)

    @rule(name=servers, cut=cuts)
    def undrain(self, name: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.undrain_server(name), cut)

    @rule(name=servers, cut=cuts)
    def remove_server(self, name: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_server(name), cut)

    @rule(name=stores, copies=st.none() | st.integers(1, 3), cut=cuts)
    def set_copies(self, name: StoreName, copies: int | None, cut: int | None) -> None:
        self.take(lambda f: f.application.set_copies(name, copies), cut)

    @rule(name=servers, cut=cuts)
    def rebalance_server(self, name: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.rebalance_servers.of_server(name), cut)

    @rule(name=sites, cut=cuts)
    def rebalance_site(self, name: SiteName, cut: int | None) -> None:
        self.take(lambda f: f.application.rebalance_servers.of_site(name), cut)

    @rule(name=sites, limit=st.none() | st.integers(1, 2), cut=cuts)
    def limit_replication(self, name: SiteName, limit: int | None, cut: int | None) -> None:
        bandwidth = Bandwidth(None if limit is None else limit << 20)
        self.take(lambda f: f.application.limit_replication(name, bandwidth), cut)

    @rule(name=stores, days=st.sampled_from([7, 30]), cut=cuts)
    def set_scrub(self, name: StoreName, days: int, cut: int | None) -> None:
        policy = replace(MODEST, every=timedelta(days=days))
        self.take(lambda f: f.application.set_scrub(name, policy), cut)

    @rule(automatic=st.booleans(), cut=cuts)
    def set_balance(self, *, automatic: bool, cut: int | None) -> None:
        wish = BalanceWish(is_automatic=automatic, least_devices=1)
        self.take(lambda f: f.application.set_balance(wish), cut)

    @rule(name=collections, affinity=st.sampled_from(Affinity), cut=cuts)
    def bind_collection(self, name: CollectionName, affinity: Affinity, cut: int | None) -> None:
        self.take(lambda f: f.application.set_affinity.of_collection(name, affinity), cut)
