"""What the API needs of the application to administer images."""

from typing import Protocol

from corral.farm.application.change_image import ChangeImage
from corral.farm.application.describe_version import DescribeVersion
from corral.farm.application.discard_maintenance import DiscardMaintenance
from corral.farm.application.list_images import ShowImage, ShowVersion, ShowVersionHistory
from corral.farm.application.maintain_image import MaintainImage
from corral.farm.application.pin_version import PinVersion, UnpinImage
from corral.farm.application.promote_maintenance import PromoteMaintenance
from corral.farm.application.promote_version import PromoteVersion
from corral.farm.application.release_version import ReleaseVersion
from corral.farm.application.remove_image import RemoveImage
from corral.farm.application.republish_images import ListToRepublish, RepublishImages
from corral.farm.application.reset_device_cache import ResetDeviceCache
from corral.farm.application.retire_version import RetireVersion
from corral.farm.application.revert_version import RevertVersion
from corral.farm.application.set_device_cache import SetDeviceCache


class ImagesApplication(Protocol):
    """The wired use cases that requests about images call."""

    @property
    def list_to_republish(self) -> ListToRepublish: ...  # noqa: D102 - each names itself
    @property
    def republish_images(self) -> RepublishImages: ...  # noqa: D102 - each names itself
    @property
    def remove_image(self) -> RemoveImage: ...  # noqa: D102 - each names itself
    @property
    def change_image(self) -> ChangeImage: ...  # noqa: D102 - each names itself
    @property
    def describe_version(self) -> DescribeVersion: ...  # noqa: D102 - each names itself
    @property
    def discard_maintenance(self) -> DiscardMaintenance: ...  # noqa: D102 - each names itself
    @property
    def maintain_image(self) -> MaintainImage: ...  # noqa: D102 - each names itself
    @property
    def pin_version(self) -> PinVersion: ...  # noqa: D102 - each names itself
    @property
    def unpin_image(self) -> UnpinImage: ...  # noqa: D102 - each names itself
    @property
    def promote_maintenance(self) -> PromoteMaintenance: ...  # noqa: D102 - each names itself
    @property
    def promote_version(self) -> PromoteVersion: ...  # noqa: D102 - each names itself
    @property
    def release_version(self) -> ReleaseVersion: ...  # noqa: D102 - each names itself
    @property
    def reset_device_cache(self) -> ResetDeviceCache: ...  # noqa: D102 - each names itself
    @property
    def retire_version(self) -> RetireVersion: ...  # noqa: D102 - each names itself
    @property
    def revert_version(self) -> RevertVersion: ...  # noqa: D102 - each names itself
    @property
    def set_device_cache(self) -> SetDeviceCache: ...  # noqa: D102 - each names itself
    @property
    def show_image(self) -> ShowImage: ...  # noqa: D102 - each names itself
    @property
    def show_version(self) -> ShowVersion: ...  # noqa: D102 - each names itself
    @property
    def show_version_history(self) -> ShowVersionHistory: ...  # noqa: D102 - each names itself
