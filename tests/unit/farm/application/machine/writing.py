"""What devices write to servers, and what becomes of it."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.unit.farm.application.machine.devices import devices
from tests.unit.farm.application.machine.steps import Steps, cuts, images

from corral.farm.application.change_image import ImageEdit
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.domain.delivery.device import DeviceName
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import Promotion
from corral.farm.domain.image.version import Access
from corral.farm.domain.image.write_cache import CacheSetting, ImageMode, WriteCache

caches = st.sampled_from([WriteCache.DEVICE_RAM, WriteCache.SERVER, WriteCache.SERVER_PERSISTENT])


class WritingSteps(Steps):
    @rule(image=images, device=devices, cut=cuts)
    def maintain(self, image: ImageName, device: DeviceName, cut: int | None) -> None:
        request = MaintenanceRequest(image, device)
        self.take(lambda f: f.application.maintain_image(request), cut)

    @rule(image=images, to=st.sampled_from(Access), cut=cuts)
    def seal(self, image: ImageName, to: Access, cut: int | None) -> None:
        self.take(lambda f: f.application.promote_maintenance(image, Promotion(to)), cut)

    @rule(image=images, cut=cuts)
    def discard(self, image: ImageName, cut: int | None) -> None:
        self.take(lambda f: f.application.discard_maintenance(image), cut)

    @rule(image=images, mode=st.none() | st.sampled_from(ImageMode), cache=caches, cut=cuts)
    def change_image(
        self, image: ImageName, mode: ImageMode | None, cache: WriteCache, cut: int | None
    ) -> None:
        edit = ImageEdit(mode=mode, write_cache=CacheSetting(cache))
        self.take(lambda f: f.application.change_image(image, edit), cut)

    @rule(device=devices, cache=st.none() | caches, cut=cuts)
    def set_device_cache(
        self, device: DeviceName, cache: WriteCache | None, cut: int | None
    ) -> None:
        setting = None if cache is None else CacheSetting(cache)
        self.take(lambda f: f.application.set_device_cache(device, setting), cut)

    @rule(device=devices, custom=st.booleans(), cut=cuts)
    def reset_device(self, *, device: DeviceName, custom: bool, cut: int | None) -> None:
        self.take(lambda f: f.application.reset_device_cache(device, also_custom=custom), cut)
