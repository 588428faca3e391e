"""What the API needs of the application."""

from typing import Protocol

from corral.farm.application.configure_server import ConfigureServer
from corral.farm.application.list_devices import ListDevices
from corral.farm.application.list_images import ListImages
from corral.farm.application.list_servers import ListServers
from corral.farm.application.log_device_in import LogDeviceIn
from corral.farm.application.recognise_device import RecogniseDevice
from corral.farm.application.recognise_server import RecogniseServer
from corral.farm.application.show_farm import ShowFarm
from corral.farm.application.show_status import ShowStatus
from corral.farm.application.take_server_report import TakeServerReport
from corral.farm.domain.access.actor import Actor


class Application(Protocol):
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
    def show_farm(self) -> ShowFarm: ...  # noqa: D102
    @property
    def list_servers(self) -> ListServers: ...  # noqa: D102
    @property
    def list_images(self) -> ListImages: ...  # noqa: D102
    @property
    def list_devices(self) -> ListDevices: ...  # noqa: D102
    @property
    def show_status(self) -> ShowStatus: ...  # noqa: D102
