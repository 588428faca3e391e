"""Two releases on one database, in any order, there and back, until the older one is shut out.

Which process is of which release when is drawn by a seed. A run that fails prints its seed and all
that it did; ``COMPAT_SEED`` runs that one again.
"""

import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.compat.conftest import Releases
from tests.compat.shared_farm import ROLES, SharedFarm
from tests.releases import COLOURS, LABELS, NOTES, TAGS, Installed

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS: Final = [int(one) for one in os.environ.get("COMPAT_SEED", "1").split()]
_STEPS: Final = 5


@dataclass
class Story:
    """What happens to a farm, drawn as it goes, and told if it goes wrong."""

    farm: SharedFarm
    releases: Releases
    seed: int
    told: list[str] = field(default_factory=list)
    marks: int = 0
    """Entries that the new release has written."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - an order, no secret

    def tell(self, what: str) -> None:
        self.told.append(what)

    def someone(self) -> Installed:
        """Draw one of the releases that work on the database now."""
        if self.farm.seen().revision == NOTES:
            return self.releases.old
        return self.random.choice([self.releases.old, self.releases.new])

    # what can happen

    def a_process_changes(self) -> None:
        role, release = self.random.choice(ROLES), self.someone()
        how = self.random.choice(["stop", "kill"])
        self.tell(f"{how} {role}, start it at {release.number}")
        getattr(self.farm, how)(role)
        self.farm.start(role, release)

    def a_device_is_added(self) -> None:
        release = self.someone()
        self.tell(f"add a device by {release.number}")
        self.farm.add_device(release)

    def a_task_is_done(self) -> None:
        asks, looks = self.someone(), self.someone()
        self.tell(f"task queued by {asks.number}, looked at by {looks.number}")
        if "worker" not in self.farm.running:
            self.farm.start("worker", self.someone())
        number = self.farm.start_task(asks)
        self.farm.wait_for_task(number)
        assert self.farm.ask(looks, "task", "show", str(number))["state"] == "done"

    def a_device_reads(self) -> None:
        device = self.random.choice(self.farm.devices[1:])
        self.tell(f"{device} logs in and reads all of its disk")
        self.farm.wait_until_reported()
        root = self.farm.ask(self.someone(), "image", "show", "golden")["versions"][0]["root"]
        with self.farm.client(device) as client:
            assert client.read_once(root).verdicts == ("ok",)

    # the story

    def everybody_is(self, release: Installed) -> None:
        """Restart all processes at a release, in any order."""
        for role in self.random.sample(ROLES, len(ROLES)):
            self.tell(f"{role} is {release.number}")
            self.farm.start(role, release)
        self.farm.check(release)

    def goes_on(self, steps: int) -> None:
        """Let anything happen; after each step both releases find everything."""
        for _ in range(steps):
            events: list[Callable[[], None]] = [
                self.a_process_changes,
                self.a_process_changes,
                self.a_device_is_added,
                self.a_task_is_done,
                self.a_device_reads,
            ]
            self.random.choice(events)()
            self.farm.check(self.someone())


@pytest.mark.parametrize("seed", SEEDS)
def test_two_releases_share_a_farm_until_it_is_finalised(
    farm: SharedFarm, releases: Releases, seed: int
) -> None:
    story = Story(farm, releases, seed)
    try:
        _live(story)
    except BaseException as failure:
        failure.add_note("\n  ".join([f"COMPAT_SEED={seed}, on {farm.url}:", *story.told]))
        raise


def _live(story: Story) -> None:
    farm, old, new = story.farm, story.releases.old, story.releases.new
    farm.create(old)
    farm.add_server(old)
    story.everybody_is(old)
    assert farm.seen().revision == NOTES
    readable_from = farm.seen().readable_from
    # On PostgreSQL nobody of the new release does anything before somebody has expanded.
    if farm.database:
        refused = farm.refusal(new, "device", "list")
        assert (refused.code, refused.exit_code) == ("schema-behind", 6)
        assert "corral schema expand" in refused.message
    story.goes_on(1)
    story.tell("expand beside the old release's processes")
    farm.ask(new, "schema", "expand")
    assert (farm.seen().revision, farm.seen().readable_from) == (LABELS, readable_from)
    farm.check(old)
    story.goes_on(_STEPS)
    story.everybody_is(new)
    story.a_device_is_added()
    written_by_new = farm.rows("SELECT what FROM release_mark ORDER BY number")
    assert written_by_new
    # Nobody has finalised: all go back, and find what the new one wrote as far as they know it.
    story.everybody_is(old)
    story.goes_on(2)
    assert farm.rows("SELECT what FROM release_mark ORDER BY number")[: len(written_by_new)] == (
        written_by_new
    )
    story.everybody_is(new)
    story.tell("finalise")
    _is_finalised(story)


def _is_finalised(story: Story) -> None:
    farm, old, new = story.farm, story.releases.old, story.releases.new
    farm.start("stream", old)
    farm.wait_until_reported()
    refused = farm.refusal(new, "schema", "contract")
    assert refused.code == "schema-in-use"
    assert "s1 (4.0)" in refused.message
    # The old API goes on while the database is closed to it.
    farm.start("api", old)
    assert farm.ask(new, "schema", "contract", "--yes")["step"] == TAGS
    assert farm.seen().readable_from == LABELS
    before = farm.rows("SELECT count(*) FROM audit")
    answer = farm.log_in(farm.devices[1])
    assert answer.status_code == 503
    assert answer.json()["code"] == "farm-newer"
    for words in (["device", "list"], ["device", "add", "pc99", "--mac", "52:54:00:00:00:99"]):
        refused = farm.refusal(old, *words)
        assert (refused.code, refused.exit_code) == ("farm-newer", 6)
        assert "use the release that made it" in refused.message
    assert farm.rows("SELECT count(*) FROM audit") == before
    farm.stop("api")
    story.everybody_is(new)
    story.tell("the new release goes on alone")
    farm.add_device(new)
    farm.check(new)
    # The next release begins where this one ended.
    assert farm.ask(story.releases.next, "schema", "expand")["step"] == COLOURS
    farm.add_device(story.releases.next)
    farm.check(new)
