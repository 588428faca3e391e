"""Images, versions and replicas in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.image.errors import (
    ImageNameTakenError,
    ImageUnknownError,
    VersionChangedError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import Content
from corral.farm.domain.image.version_errors import ImageChangedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version, VersionName


class MemoryImages:
    """Images by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, image: Image) -> None:
        """Add one."""
        if any(one.name == image.name for one in self._state.images.values()):
            raise ImageNameTakenError(image.name)
        self._state.images[image.id] = image

    def get(self, name: ImageName) -> Image:
        """Give the one of that name."""
        image = self.find(name)
        if image is None:
            raise ImageUnknownError(name)
        return image

    def find(self, name: ImageName) -> Image | None:
        """Give the one of that name, if there is one."""
        return next((image for image in self.all() if image.name == name), None)

    def find_of_library(self, name: ImageName) -> Image | None:
        """Give the library's one of that name, if there is one."""
        found = (i for i in self._state.images.values() if i.content is not Content.DISK)
        return next((image for image in found if image.name == name), None)

    def with_id(self, image_id: ImageId) -> Image:
        """Give the one with that id."""
        try:
            return self._state.images[image_id]
        except KeyError:
            raise ImageUnknownError(str(image_id)) from None

    def change(self, seen: Image, after: Image) -> None:
        """Replace the image if its revision is still the one that was seen."""
        known = self._state.images.get(seen.id)
        if known is None or known.revision != seen.revision:
            raise ImageChangedError(seen.name)
        self._state.images[seen.id] = replace(after, last_number=known.last_number)

    def remove(self, image_id: ImageId) -> None:
        """Forget it, but for its name and number."""
        image = self.with_id(image_id)
        state = self._state
        last = max(image.last_number, self.find_last_number(image.name))
        state.former_images[image.name] = last
        for device in list(state.devices.values()):
            login = device.last_login
            if login is not None and login.image_id == image_id:
                state.devices[device.id] = device.logged_in(replace(login, image_id=None))
        for name in [one.name for one in state.versions.values() if one.image_id == image_id]:
            del state.versions[name]
        state.version_changes = tuple(
            one for one in state.version_changes if one.image_id != image_id
        )
        state.image_policies.pop(image_id, None)
        del state.images[image_id]

    def find_last_number(self, name: ImageName) -> int:
        """Give the highest number of a removed image of that name."""
        return self._state.former_images.get(name, 0)

    def all(self) -> Sequence[Image]:
        """Give all of them."""
        disks = (one for one in self._state.images.values() if one.content is Content.DISK)
        return sorted(disks, key=lambda image: image.name)


class MemoryVersions:
    """Versions by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def publish(self, version: Version) -> None:
        """Add the next version of an image."""
        image = self._state.images.get(version.image_id)
        if image is None or image.last_number != version.number - 1:
            raise VersionChangedError(str(version.name))
        self._state.images[image.id] = replace(image, last_number=version.number)
        self._state.versions[version.name] = version

    def adopt(self, version: Version) -> None:
        """Add one that is not known any more."""
        image = self._state.images.get(version.image_id)
        if image is None or version.name in self._state.versions:
            raise VersionChangedError(str(version.name))
        last = max(image.last_number, version.number)
        self._state.images[image.id] = replace(image, last_number=last)
        self._state.versions[version.name] = version

    def get(self, name: VersionName) -> Version:
        """Give the one of that name, whatever its state."""
        try:
            return self._state.versions[name]
        except KeyError:
            raise VersionUnknownError(str(name)) from None

    def of_image(self, image_id: ImageId) -> Sequence[Version]:
        """Give all versions of an image."""
        return [version for version in self.all() if version.image_id == image_id]

    def all(self) -> Sequence[Version]:
        """Give all versions of all images."""
        return [self._state.versions[name] for name in sorted(self._state.versions)]

    def with_root(self, root: RootHash) -> Sequence[Version]:
        """Give all versions that have that root."""
        return [version for version in self.all() if version.root == root]

    def move(self, seen: Version, after: Version) -> None:
        """Replace the version if its state and revision are still as they were seen."""
        known = self._state.versions.get(seen.name)
        if known is None or (known.state, known.revision) != (seen.state, seen.revision):
            raise VersionChangedError(str(seen.name))
        self._state.versions[seen.name] = after


class MemoryReplicas:
    """Replicas by server and root."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, replica: Replica) -> None:
        """Add it, or replace the one of the same server and root."""
        self._state.replicas[replica.server_id, replica.root] = replica

    def find(self, server_id: ServerId, root: RootHash) -> Replica | None:
        """Give the one of that server and root."""
        return self._state.replicas.get((server_id, root))

    def of_server(self, server_id: ServerId) -> Sequence[Replica]:
        """Give all of one server."""
        return [replica for replica in self.all() if replica.server_id == server_id]

    def of_root(self, root: RootHash) -> Sequence[Replica]:
        """Give all of one root."""
        return [replica for replica in self.all() if replica.root == root]

    def all(self) -> Sequence[Replica]:
        """Give all of them."""
        servers = self._state.servers
        return sorted(
            self._state.replicas.values(),
            key=lambda replica: (servers[replica.server_id].name, replica.root),
        )

    def count_complete(self) -> int:
        """Give how many are complete."""
        return sum(replica.is_complete for replica in self._state.replicas.values())

    def remove(self, server_id: ServerId, root: RootHash) -> None:
        """Forget it."""
        self._state.replicas.pop((server_id, root), None)
