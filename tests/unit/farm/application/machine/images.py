"""What people do with images and versions, and servers with their bytes."""

from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.farm_in_memory import disk
from tests.unit.farm.application.machine.farm import Farm
from tests.unit.farm.application.machine.steps import Steps, cuts, images, servers, versions

from corral.farm.application.change_image import ImageEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.version import Access, VersionName

DISK = Path("/disk")


class ImageSteps(Steps):
    @rule(image=images, content=st.integers(1, 3), server=st.none() | servers, cut=cuts)
    def import_image(
        self, image: ImageName, content: int, server: ServerName | None, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            farm.ports.files[DISK] = disk(content, 0, 9)
            request = ImportRequest(image, DISK, server=server)
            farm.application.import_image(request, Progress())

        self.take(step, cut)

    @rule(version=versions, to=st.sampled_from([Access.TEST, Access.PRODUCTION]), cut=cuts)
    def promote(self, version: VersionName, to: Access, cut: int | None) -> None:
        self.take(lambda f: f.application.promote_version(PromotionRequest(version, to)), cut)

    @rule(version=versions, server=servers, cut=cuts)
    def replicate(self, version: VersionName, server: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.replicate_version(version, [server]), cut)

    @rule(version=versions, cut=cuts)
    def delete(self, version: VersionName, cut: int | None) -> None:
        self.to_go.add(version)
        self.take(lambda f: f.application.delete_version(version), cut)

    @rule(name=servers, cut=cuts)
    def serve(self, name: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.serve(f.application.show_server(name).server), cut)

    @rule(cut=cuts)
    def all_report(self, cut: int | None) -> None:
        self.take(all_reported, cut)

    @rule(
        version=versions,
        verb=st.sampled_from(["release_version", "retire_version", "pin_version"]),
        cut=cuts,
    )
    def move_version(self, version: VersionName, verb: str, cut: int | None) -> None:
        self.take(lambda f: getattr(f.application, verb)(version), cut)

    @rule(version=versions, to=st.sampled_from([Access.TEST, Access.MAINTENANCE]), cut=cuts)
    def revert(self, version: VersionName, to: Access, cut: int | None) -> None:
        self.take(lambda f: f.application.revert_version(version, to), cut)

    @rule(image=images, cut=cuts)
    def unpin(self, image: ImageName, cut: int | None) -> None:
        self.take(lambda f: f.application.unpin_image(image), cut)

    @rule(image=images, server=st.none() | servers, cut=cuts)
    def keep_to(self, image: ImageName, server: ServerName | None, cut: int | None) -> None:
        edit = ImageEdit(only_server=server)
        self.take(lambda f: f.application.change_image(image, edit), cut)

    @rule(version=versions, text=st.sampled_from(["", "for June"]), cut=cuts)
    def describe(self, version: VersionName, text: str, cut: int | None) -> None:
        self.take(lambda f: f.application.describe_version(version, text), cut)


def all_reported(farm: Farm) -> None:
    for view in farm.application.list_servers():
        farm.serve(view.server)
