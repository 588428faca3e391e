"""What the API needs of the application."""

from typing import Protocol

from corral.farm.application.add_collection import AddCollection
from corral.farm.application.add_server import AddServer
from corral.farm.application.add_site import AddSite
from corral.farm.application.add_store import AddStore
from corral.farm.application.certify import CertifyServer, ShowCertificates
from corral.farm.application.change_collection import ChangeCollection
from corral.farm.application.change_device import ChangeDevice
from corral.farm.application.change_farm import ChangeFarm
from corral.farm.application.change_server import ChangeServer
from corral.farm.application.change_site import ChangeSite
from corral.farm.application.change_store import ChangeStore
from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.configure_server import ConfigureServer
from corral.farm.application.import_devices import ImportDevices
from corral.farm.application.list_collections import ListCollections, ShowCollection
from corral.farm.application.list_devices import ListDevices, ShowDevice
from corral.farm.application.list_images import ListImages
from corral.farm.application.list_servers import ListServers, ShowServer
from corral.farm.application.list_sites import ListSites, ShowSite
from corral.farm.application.list_stores import ListStores, ShowStore
from corral.farm.application.log_device_in import LogDeviceIn
from corral.farm.application.mirror_to_relay import MirrorToRelay
from corral.farm.application.ports.farm_key import FarmKey
from corral.farm.application.rebalance_servers import RebalanceServers
from corral.farm.application.recognise_device import RecogniseDevice
from corral.farm.application.recognise_server import RecogniseServer
from corral.farm.application.register_device import RegisterDevice
from corral.farm.application.remove_collection import RemoveCollection
from corral.farm.application.remove_device import RemoveDevice
from corral.farm.application.remove_site import RemoveSite
from corral.farm.application.remove_store import RemoveStore
from corral.farm.application.set_affinity import SetAffinity
from corral.farm.application.set_balance import SetBalance
from corral.farm.application.set_replication import LimitReplication, SetCopies
from corral.farm.application.set_scrub import SetScrub
from corral.farm.application.show_affinity import ShowAffinity
from corral.farm.application.show_balance import ShowBalance
from corral.farm.application.show_farm import ShowFarm
from corral.farm.application.show_replication import ShowReplication
from corral.farm.application.show_schema import ShowSchema
from corral.farm.application.show_status import ShowStatus
from corral.farm.application.take_server_report import TakeServerReport
from corral.farm.domain.access.actor import Actor
from corral.farm.entrypoints.http.access_application import AccessApplication
from corral.farm.entrypoints.http.computer_application import ComputerApplication
from corral.farm.entrypoints.http.images_application import ImagesApplication
from corral.farm.entrypoints.http.library_application import LibraryApplication
from corral.farm.entrypoints.http.rollout_application import RolloutApplication
from corral.farm.entrypoints.http.task_application import TaskApplication
from corral.farm.entrypoints.http.upgrade_application import UpgradeApplication
from corral.farm.entrypoints.http.verb_application import VerbApplication


class Application(
    AccessApplication,
    ComputerApplication,
    ImagesApplication,
    LibraryApplication,
    RolloutApplication,
    TaskApplication,
    UpgradeApplication,
    VerbApplication,
    Protocol,
):
    """The wired use cases that requests call."""

    def acting_as(self, actor: Actor) -> "Application":
        """Give the same verbs in the name of somebody, for the audit log."""
        ...

    @property
    def log_device_in(self) -> LogDeviceIn: ...  # noqa: D102 - each names itself
    @property
    def recognise_device(self) -> RecogniseDevice: ...  # noqa: D102
    @property
    def recognise_server(self) -> RecogniseServer: ...  # noqa: D102
    @property
    def configure_server(self) -> ConfigureServer: ...  # noqa: D102
    @property
    def take_server_report(self) -> TakeServerReport: ...  # noqa: D102
    @property
    def mirror_to_relay(self) -> MirrorToRelay: ...  # noqa: D102
    @property
    def certify_server(self) -> CertifyServer: ...  # noqa: D102
    @property
    def show_farm(self) -> ShowFarm: ...  # noqa: D102
    @property
    def show_certificates(self) -> ShowCertificates: ...  # noqa: D102
    @property
    def change_farm(self) -> ChangeFarm: ...  # noqa: D102
    @property
    def list_servers(self) -> ListServers: ...  # noqa: D102
    @property
    def list_images(self) -> ListImages: ...  # noqa: D102
    @property
    def list_devices(self) -> ListDevices: ...  # noqa: D102
    @property
    def show_status(self) -> ShowStatus: ...  # noqa: D102
    @property
    def add_site(self) -> AddSite: ...  # noqa: D102
    @property
    def list_sites(self) -> ListSites: ...  # noqa: D102
    @property
    def show_site(self) -> ShowSite: ...  # noqa: D102
    @property
    def change_site(self) -> ChangeSite: ...  # noqa: D102
    @property
    def remove_site(self) -> RemoveSite: ...  # noqa: D102
    @property
    def add_collection(self) -> AddCollection: ...  # noqa: D102
    @property
    def list_collections(self) -> ListCollections: ...  # noqa: D102
    @property
    def show_collection(self) -> ShowCollection: ...  # noqa: D102
    @property
    def change_collection(self) -> ChangeCollection: ...  # noqa: D102
    @property
    def remove_collection(self) -> RemoveCollection: ...  # noqa: D102
    @property
    def add_store(self) -> AddStore: ...  # noqa: D102
    @property
    def list_stores(self) -> ListStores: ...  # noqa: D102
    @property
    def show_store(self) -> ShowStore: ...  # noqa: D102
    @property
    def change_store(self) -> ChangeStore: ...  # noqa: D102
    @property
    def remove_store(self) -> RemoveStore: ...  # noqa: D102
    @property
    def change_server(self) -> ChangeServer: ...  # noqa: D102
    @property
    def change_device(self) -> ChangeDevice: ...  # noqa: D102
    @property
    def remove_device(self) -> RemoveDevice: ...  # noqa: D102
    @property
    def add_server(self) -> AddServer: ...  # noqa: D102
    @property
    def register_device(self) -> RegisterDevice: ...  # noqa: D102
    @property
    def show_server(self) -> ShowServer: ...  # noqa: D102
    @property
    def show_device(self) -> ShowDevice: ...  # noqa: D102
    @property
    def import_devices(self) -> ImportDevices: ...  # noqa: D102
    @property
    def check_farm(self) -> CheckFarm: ...  # noqa: D102
    @property
    def show_schema(self) -> ShowSchema: ...  # noqa: D102
    @property
    def set_balance(self) -> SetBalance: ...  # noqa: D102
    @property
    def set_affinity(self) -> SetAffinity: ...  # noqa: D102
    @property
    def show_affinity(self) -> ShowAffinity: ...  # noqa: D102
    @property
    def show_balance(self) -> ShowBalance: ...  # noqa: D102
    @property
    def rebalance_servers(self) -> RebalanceServers: ...  # noqa: D102
    @property
    def show_replication(self) -> ShowReplication: ...  # noqa: D102
    @property
    def set_copies(self) -> SetCopies: ...  # noqa: D102
    @property
    def set_scrub(self) -> SetScrub: ...  # noqa: D102
    @property
    def limit_replication(self) -> LimitReplication: ...  # noqa: D102
    @property
    def farm_key(self) -> FarmKey: ...  # noqa: D102
