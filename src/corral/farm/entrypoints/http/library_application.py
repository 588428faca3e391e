"""What the API needs of the application for the library."""

from typing import Protocol

from corral.farm.application.list_library import ListLibrary, LookIntoFolder, ShowLibraryItem
from corral.farm.application.receive_file import ReceiveFile
from corral.farm.application.remove_library_item import RemoveLibraryItem
from corral.farm.application.set_library_folder import SetLibraryFolder
from corral.farm.application.trust_publisher import (
    DistrustPublisher,
    ListPublishers,
    TrustPublisher,
)


class LibraryApplication(Protocol):
    """The wired use cases."""

    @property
    def list_library(self) -> ListLibrary: ...  # noqa: D102
    @property
    def show_library_item(self) -> ShowLibraryItem: ...  # noqa: D102
    @property
    def remove_library_item(self) -> RemoveLibraryItem: ...  # noqa: D102
    @property
    def receive_file(self) -> ReceiveFile: ...  # noqa: D102
    @property
    def look_into_folder(self) -> LookIntoFolder: ...  # noqa: D102
    @property
    def set_library_folder(self) -> SetLibraryFolder: ...  # noqa: D102
    @property
    def trust_publisher(self) -> TrustPublisher: ...  # noqa: D102
    @property
    def distrust_publisher(self) -> DistrustPublisher: ...  # noqa: D102
    @property
    def list_publishers(self) -> ListPublishers: ...  # noqa: D102
