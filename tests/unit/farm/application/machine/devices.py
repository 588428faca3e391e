"""What people do with devices, and devices themselves."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.unit.farm.application.machine.estate import collections
from tests.unit.farm.application.machine.farm import Farm
from tests.unit.farm.application.machine.steps import Steps, cuts, images

from corral.farm.application.change_device import DeviceEdit
from corral.farm.domain.delivery.device import DeviceName, DeviceType, MacAddress, device_name
from corral.farm.domain.estate.collection import CollectionName
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import OverlayPhase

devices = st.sampled_from(["pc1", "pc2", "pc3"]).map(device_name)
macs = st.integers(1, 3).map(lambda n: MacAddress.parse(f"52:54:00:00:00:0{n}"))


class DeviceSteps(Steps):
    @rule(name=devices, mac=macs, image=st.none() | images, cut=cuts)
    def register(
        self, name: DeviceName, mac: MacAddress, image: ImageName | None, cut: int | None
    ) -> None:
        self.take(lambda f: f.application.register_device(name, mac, image), cut)

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
        self.take(lambda f: f.application.change_device(name, edit), cut)

    @rule(name=devices, image=images, cut=cuts)
    def assign(self, name: DeviceName, image: ImageName, cut: int | None) -> None:
        self.take(lambda f: f.application.assign_device(name, image), cut)

    @rule(name=devices, cut=cuts)
    def unassign(self, name: DeviceName, cut: int | None) -> None:
        self.take(lambda f: f.application.unassign_device(name), cut)

    @rule(name=devices, cut=cuts)
    def remove_device(self, name: DeviceName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_device(name), cut)

    @rule(rows=st.lists(st.tuples(devices, macs), max_size=3), cut=cuts)
    def import_devices(self, rows: list[tuple[DeviceName, MacAddress]], cut: int | None) -> None:
        table = "\n".join(["name,mac", *(f"{name},{mac}" for name, mac in rows)])
        self.take(lambda f: f.application.import_devices(table), cut)

    @rule(name=devices, streams=st.booleans(), cut=cuts)
    def log_in(self, *, name: DeviceName, streams: bool, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            device = farm.application.show_device(name).device
            answer = farm.application.log_device_in(device.id)
            farm.must_hold(answer)
            if answer.overlay is not None:
                assert farm.writing.setdefault(answer.overlay.id, name) == name
                assert answer.overlay.phase is OverlayPhase.OPEN
            elif streams:
                farm.streaming.add((answer.servers[0].name, name))

        self.take(step, cut)

    @rule()
    def all_devices_shut_down(self) -> None:
        for farm in self.farms:
            farm.streaming.clear()
            farm.writing.clear()

    @rule(name=devices, kind=st.sampled_from(DeviceType), cut=cuts)
    def set_type(self, name: DeviceName, kind: DeviceType, cut: int | None) -> None:
        self.take(lambda f: f.application.change_device(name, DeviceEdit(type=kind)), cut)
