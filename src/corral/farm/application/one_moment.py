"""Records of one moment that are asked for the same things again and again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

from corral.farm.domain.image.write_cache import DeviceCache

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from corral.farm.application.ports.device_caches import DeviceCaches
    from corral.farm.application.ports.overlays import Overlays
    from corral.farm.application.ports.places import Places
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.image.overlay import Overlay


def remembering(records: Records) -> Records:
    """Give the same records, which ask the database for each thing only once.

    Right only inside a reading transaction, where nothing changes: ten thousand devices of one
    image then cost one question about that image.
    """
    return cast("Records", _Remembering(records))


class _Method(Protocol):
    def __call__(self, *arguments: object) -> object: ...


class _Remembering:
    """Gives repositories that remember their answers."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._repositories: dict[str, _RememberingRepository] = {}

    def __getattr__(self, noun: str) -> _RememberingRepository:
        known = self._repositories.get(noun)
        if known is None:
            match noun:
                case "overlays":
                    known = _Overlays(self._records.overlays)
                case "device_caches":
                    known = _DeviceCaches(self._records.device_caches)
                case "places":
                    known = _Places(self._records.places)
                case _:
                    known = _RememberingRepository(getattr(self._records, noun))
            self._repositories[noun] = known
        return known


class _RememberingRepository:
    """Remembers by method and arguments; what was raised is asked for again."""

    def __init__(self, repository: object) -> None:
        self._repository = repository
        self._answers: dict[Hashable, object] = {}

    def __getattr__(self, method: str) -> _Method:
        def remembered(*arguments: object) -> object:
            question = (method, arguments)
            if question not in self._answers:
                asked: _Method = getattr(self._repository, method)
                self._answers[question] = asked(*arguments)
            return self._answers[question]

        return remembered


class _Overlays(_RememberingRepository):
    """Knows what each device writes after one question: few devices have any."""

    def __init__(self, overlays: Overlays) -> None:
        super().__init__(overlays)
        self._overlays = overlays

    def of_device(self, device_id: DeviceId) -> Sequence[Overlay]:
        return self._by_device.get(device_id, ())

    @cached_property
    def _by_device(self) -> Mapping[DeviceId, Sequence[Overlay]]:
        found: dict[DeviceId, list[Overlay]] = {}
        for overlay in self._overlays.all():
            found.setdefault(overlay.device_id, []).append(overlay)
        return found


class _DeviceCaches(_RememberingRepository):
    """Knows the write cache of each device after one question."""

    def __init__(self, caches: DeviceCaches) -> None:
        super().__init__(caches)
        self._caches = caches

    def with_id(self, device_id: DeviceId) -> DeviceCache:
        return self._all.get(device_id) or DeviceCache(device_id)

    @cached_property
    def _all(self) -> Mapping[DeviceId, DeviceCache]:
        return self._caches.all()


class _Places(_RememberingRepository):
    """Knows where each device is after one question."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._places = places

    def find(self, device_id: DeviceId) -> Place | None:
        return self._by_device.get(device_id)

    @cached_property
    def _by_device(self) -> Mapping[DeviceId, Place]:
        return {place.device_id: place for place in self._places.all()}
