"""What the API needs of the application for verbs on versions, servers and devices."""

from typing import Protocol

from corral.farm.application.assign_device import AssignDevice
from corral.farm.application.delete_version import DeleteVersion
from corral.farm.application.drain_server import DrainServer
from corral.farm.application.remove_server import RemoveServer
from corral.farm.application.replicate_version import ReplicateVersion
from corral.farm.application.unassign_device import UnassignDevice
from corral.farm.application.undrain_server import UndrainServer


class VerbApplication(Protocol):
    """The wired use cases."""

    @property
    def assign_device(self) -> AssignDevice: ...  # noqa: D102
    @property
    def unassign_device(self) -> UnassignDevice: ...  # noqa: D102
    @property
    def delete_version(self) -> DeleteVersion: ...  # noqa: D102
    @property
    def drain_server(self) -> DrainServer: ...  # noqa: D102
    @property
    def remove_server(self) -> RemoveServer: ...  # noqa: D102
    @property
    def replicate_version(self) -> ReplicateVersion: ...  # noqa: D102
    @property
    def undrain_server(self) -> UndrainServer: ...  # noqa: D102
