"""A backup of one release is read by the programs of the next before anything is upgraded."""

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from corral.farm.application.progress import Progress
from corral.farm.bootstrap import kit_workshop
from corral.farm.domain.library.kit import written_public_key
from tests import releases as made
from tests.compat.conftest import Releases
from tests.compat.shared_farm import SharedFarm
from tests.releases import LABELS, NOTES, SOURCES, TAGS

sys.path.insert(0, str(SOURCES.parent / "tools"))
farm_wheels = importlib.import_module("farm_wheels")

FARM: Final[Mapping[str, Any]] = {
    "format": 1,
    "component": "farm",
    "released_on": "2026-11-30",
    "document": "1",
    "publishes_image_format": 1,
    "schema": {"expands_to": LABELS, "contracts_to": TAGS, "readable_from": "0032"},
}
DELIVERY: Final = "corral/farm/adapters/sql/delivery.py"
"""Where devices are read."""
BLIND: Final = """

def _blind(self):
    raise ValueError("devices of 4.0 are not what 5.1 knows")


SqlDevices.all = _blind
"""


class Publisher:
    """Signs kits of releases that lie as folders."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key = home / "publisher.key"
        self.public_key = written_public_key(kit_workshop().make_key(self.key))

    def kit(self, of: made.Installed, **facts: object) -> Path:
        folder = self.home / f"wheels-{of.number}"
        folder.mkdir(exist_ok=True)
        wheel = farm_wheels.write_own(folder, of.number, of.site)
        target = self.home / f"farm-{of.number}.corral-kit"
        target.unlink(missing_ok=True)
        manifest = json.dumps({**FARM, "release": of.number, **facts})
        kit_workshop().build(manifest, [wheel], target, self.key, Progress())
        return target


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


@pytest.fixture
def verify(
    farm: SharedFarm, releases: Releases, publisher: Publisher
) -> Callable[..., tuple[str, ...]]:
    """A farm of the old release with a backup; gives the words that verify it."""
    farm.create(releases.old)
    farm.ask(releases.old, "library", "trust", "add", "us", publisher.public_key)
    key = farm.home / "backup.key"
    recipient = farm.ask(releases.old, "backup", "key", str(key))["recipient"]
    place = str(farm.home / "safe")
    farm.ask(releases.old, "backup", "set", "--to", place, "--recipient", recipient)
    farm.ask(releases.old, "backup", "create")
    return lambda kit: ("backup", "verify", "--key", str(key), "--by", str(kit))


def readers(farm: SharedFarm, releases: Releases) -> list[str]:
    return [one["read_by"] for one in farm.ask(releases.old, "backup", "list")["backups"]]


def test_the_next_release_expands_and_reads_what_was_restored(
    farm: SharedFarm,
    releases: Releases,
    publisher: Publisher,
    verify: Callable[..., tuple[str, ...]],
) -> None:
    kit = publisher.kit(releases.new)
    # What names the farm's own database must not lead the other release there.
    environment = {"CORRAL_DATABASE_URL": farm.url}
    done = farm.run(releases.old, *verify(kit), **environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["read_by"], said["noted"], said["schema"]) == ("5.0", True, NOTES)
    assert farm.seen().revision == NOTES, "only the scratch farm is expanded"
    assert readers(farm, releases) == ["5.0"]
    # Whoever verifies it again without a kit takes nothing of that back.
    plain = farm.ask(releases.old, "backup", "verify", "--key", str(farm.home / "backup.key"))
    assert plain["read_by"] == ""
    assert readers(farm, releases) == ["5.0"]


def test_a_release_that_cannot_read_it_is_named_with_what_it_said(
    farm: SharedFarm,
    releases: Releases,
    publisher: Publisher,
    verify: Callable[..., tuple[str, ...]],
    tmp_path: Path,
) -> None:
    blind = made.lay_out(
        replace(made.NEW, number="5.1", appended={**made.NEW.appended, DELIVERY: BLIND}),
        tmp_path,
    )
    refused = farm.refusal(releases.old, *verify(publisher.kit(blind)))
    assert (refused.code, refused.exit_code) == ("backup-not-read", 6)
    assert "release 5.1 could not read the backup: 'corral schema read': " in refused.message
    stuck = made.lay_out(
        replace(
            made.NEW,
            number="5.2",
            steps={
                **made.NEW.steps,
                f"{LABELS}_expand_labels.py": made.NEW.steps[f"{LABELS}_expand_labels.py"].replace(
                    '"audit_note", sa.Column("label"', '"no_such", sa.Column("label"'
                ),
            },
        ),
        tmp_path,
    )
    refused = farm.refusal(releases.old, *verify(publisher.kit(stuck)))
    assert refused.code == "backup-not-read"
    assert "'corral schema expand': " in refused.message
    assert readers(farm, releases) == [""]


def test_only_a_kit_of_the_farm_by_somebody_trusted_is_run(
    farm: SharedFarm,
    releases: Releases,
    publisher: Publisher,
    verify: Callable[..., tuple[str, ...]],
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    strange = Publisher(tmp_path / "other").kit(releases.new)
    assert farm.refusal(releases.old, *verify(strange)).code == "kit-untrusted"
    kit = publisher.kit(releases.new)
    content = bytearray(kit.read_bytes())
    content[-100] ^= 1
    kit.write_bytes(content)
    assert farm.refusal(releases.old, *verify(kit)).code == "kit-damaged"
    missing = farm.refusal(releases.old, *verify(tmp_path / "none.corral-kit"))
    assert missing.code == "library-file-unusable"
    assert readers(farm, releases) == [""]
