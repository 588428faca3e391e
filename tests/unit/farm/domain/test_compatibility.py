"""What runs where, by the facts of releases. S3 and the like number the seeds' statements."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.library.compatibility import (
    Allowed,
    EngineFacts,
    Forbidden,
    ImageFacts,
    ToolsWork,
    laggards,
    may_relay,
    may_run,
    may_serve,
    may_upgrade,
    way_up,
)
from corral.farm.domain.library.errors import ManifestInvalidError, ReleaseInvalidError
from corral.farm.domain.library.manifest import (
    FarmManifest,
    ReleaseManifest,
    SchemaFacts,
    read_manifest,
)
from corral.farm.domain.library.release import Component, Release

LAST_HEARD = datetime(2013, 8, 19, 7, 0, tzinfo=UTC)


def release(text: str) -> Release:
    return Release.parse(text)


def text_of(component: str, number: str, **facts: Any) -> str:  # noqa: ANN401 - as JSON has it
    return json.dumps(
        {
            "format": 1,
            "component": component,
            "release": number,
            "digest": "ab" * 32,
            "released_on": "2013-08-19",
            "document": "2.1",
            **facts,
        }
    )


def engine(number: str, *formats: int, **facts: Any) -> ReleaseManifest:  # noqa: ANN401
    return read_manifest(
        text_of("engine", number, **{"runs_image_formats": list(formats or (1,)), **facts})
    )


def farm(number: str, image_format: int, **facts: Any) -> ReleaseManifest:  # noqa: ANN401
    return read_manifest(text_of("farm", number, publishes_image_format=image_format, **facts))


ENGINE_45 = engine("4.5", 1, brings_guest_tools="4.5")
ENGINE_50 = engine("5.0", 1, 2, brings_guest_tools="5.0")
FARM_45 = farm("4.5", 1, publishes_guest_tools="4.5", oldest_engine="4.0")
FARM_50 = farm("5.0", 2, publishes_guest_tools="5.0", oldest_engine="4.5")


def image(
    published_with: str, now: str | None = None, *, keeps_changes: bool = False
) -> ImageFacts:
    """Give a version that a farm published; ``now`` is the farm's release by now."""
    farms = {"4.5": FARM_45, "5.0": FARM_50}
    said, today = farms[published_with].facts, farms[now or published_with].facts
    return ImageFacts(
        "debian/3",
        image_format=said.image_format,  # type: ignore[union-attr]  # both are farms
        keeps_changes=keeps_changes,
        guest_tools=said.guest_tools,
        published_with=release(published_with),
        newest_guest_tools=today.guest_tools,
    )


def test_the_matrix_of_the_upgrade_guide() -> None:
    """S3, S4, S7, S8, S38, S52: a VM of 5.0 does not run on 4.5; one of 4.5 does on 5.0."""
    old, new = EngineFacts.of(ENGINE_45), EngineFacts.of(ENGINE_50)
    assert may_run(image("4.5"), old) == Allowed()
    assert may_run(image("4.5"), new) == Allowed(ToolsWork.AT_START)
    assert may_run(image("5.0"), new) == Allowed()
    republish = may_run(image("4.5", now="5.0"), new)
    assert republish == Allowed(ToolsWork.AT_START, is_republishing_worth_while=True)

    refused = may_run(image("5.0"), old)
    assert isinstance(refused, Forbidden)
    assert refused.fact == "engine-4.5/runs-image-formats"
    assert refused.words == (
        "debian/3 has image format 2, published by farm 5.0, and engine 4.5 runs 1"
    )
    assert "follows by itself once the newer engine has checked in" in str(refused)


def test_guest_tools_of_what_a_user_changed_are_updated_by_hand() -> None:
    """S37: custom and local virtual machines need somebody; publishing anew does not reach them."""
    custom = image("4.5", now="5.0", keeps_changes=True)
    verdict = may_run(custom, EngineFacts.of(ENGINE_50))
    assert verdict == Allowed(ToolsWork.BY_HAND)


def test_an_engine_that_never_said_what_it_is_gets_nothing() -> None:
    """S8: a version is never handed to an engine that may not boot it."""
    verdict = may_run(image("4.5"), None)
    assert isinstance(verdict, Forbidden)
    assert verdict.fact == "engine/unknown"


def test_what_the_computer_says_and_what_its_release_says_must_both_hold() -> None:
    said = EngineFacts(release("5.0"), frozenset({1, 2, 3}), seen_at=LAST_HEARD)
    known = {ENGINE_50.release: ENGINE_50}
    both = said.as_published(known)
    assert both.image_formats == {1, 2}
    assert both.guest_tools == release("5.0")
    assert both.seen_at == LAST_HEARD
    assert said.as_published({}) == said


def test_guest_tools_have_a_range_on_an_engine() -> None:
    narrow = engine("5.0", 1, oldest_guest_tools="4.5", newest_guest_tools="5.0")
    for inside, fact in (
        ("4.4.9", "engine-5.0/oldest-guest-tools"),
        ("5.0.1", "engine-5.0/newest-guest-tools"),
        ("4.5", None),
        ("5.0.0", None),
    ):
        one = ImageFacts("debian/3", 1, guest_tools=release(inside))
        verdict = may_run(one, EngineFacts.of(narrow))
        assert (verdict.fact if isinstance(verdict, Forbidden) else None) == fact, inside


def test_an_older_farm_serves_a_newer_engine_that_knows_it() -> None:
    """S9: the engine 5.0 is imported and handed out by a farm of 4.5."""
    assert may_serve(FARM_45, release("5.0"), engine("5.0", 1, 2, oldest_farm="4.5")) == Allowed()
    refused = may_serve(FARM_45, release("5.0"), engine("5.0", 1, 2, oldest_farm="5.0"))
    assert isinstance(refused, Forbidden)
    assert refused.fact == "engine-5.0/oldest-farm"
    too_old = may_serve(FARM_50, release("4.4"))
    assert isinstance(too_old, Forbidden)
    assert too_old.fact == "farm-5.0/oldest-engine"
    assert isinstance(may_serve(FARM_45, None), Forbidden)


def test_a_relay_is_of_the_farms_own_release_or_serves_nothing() -> None:
    """S40, S48: no relay runs at another version than the farm."""
    assert may_relay(release("5.0"), release("5.0.0")) == Allowed()
    for other in (release("4.5"), release("5.1"), None):
        verdict = may_relay(other, release("5.0"))
        assert isinstance(verdict, Forbidden)
        assert verdict.fact == "farm/relay-equals-farm"


def test_a_release_can_say_from_which_relay_on_it_gets_on() -> None:
    lenient = farm("5.0", 2, oldest_relay="4.5")
    for one in ("5.0", "4.9", "4.5"):
        assert may_relay(release(one), release("5.0"), lenient) == Allowed()
    # Of a relay that is newer than the farm, the farm knows nothing.
    for other in (release("4.4"), release("5.1"), None):
        verdict = may_relay(other, release("5.0"), lenient)
        assert isinstance(verdict, Forbidden)
        assert verdict.fact == "farm-5.0/oldest-relay"
        assert "4.5 or a later one up to 5.0" in verdict.way_out
    assert isinstance(may_relay(release("4.5"), release("5.0"), farm("5.0", 2)), Forbidden)


def test_a_release_of_the_farm_says_which_schema_and_whom_it_gets_on_with() -> None:
    said = farm(
        "5.0",
        2,
        schema={"expands_to": "0033", "readable_from": "0031", "contracts_to": "0034"},
        oldest_console="4.0",
        oldest_server="4.1",
        oldest_target="4.2",
    ).facts
    assert isinstance(said, FarmManifest)
    assert said.schema == SchemaFacts("0033", "0031", "0034")
    assert (str(said.oldest_console), str(said.oldest_server)) == ("4.0", "4.1")
    assert str(said.oldest_target) == "4.2"
    assert said.oldest_relay is None
    plain = farm("5.0", 2, schema={"expands_to": "0033", "readable_from": "0033"}).facts
    assert isinstance(plain, FarmManifest)
    assert plain.schema is not None
    assert (plain.schema.contracts_to, plain.schema.head) == (None, "0033")
    silent = farm("5.0", 2).facts
    assert isinstance(silent, FarmManifest)
    assert silent.schema is None


def first(*actions: Mapping[str, Any]) -> dict[str, Any]:
    return {"upgrades": {"first": list(actions)}}


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        ({"schema": {"expands_to": "33", "readable_from": "0031"}}, "schema.expands_to"),
        ({"schema": {"expands_to": "0033"}}, "schema.readable_from"),
        ({"schema": {"expands_to": "0033", "readable_from": "0034"}}, "schema.readable_from"),
        (
            {"schema": {"expands_to": "0033", "readable_from": "0031", "contracts_to": "0033"}},
            "schema.contracts_to",
        ),
        ({"schema": {"expands_to": "0033", "readable_from": "0031", "x": 1}}, "schema.x"),
        ({"oldest_relay": "5.1"}, "oldest_relay"),
        ({"oldest_console": 4}, "oldest_console"),
        ({"oldest_server": "new"}, "oldest_server"),
        ({"oldest_target": "6.0"}, "oldest_target"),
        (first({"action": "reboot", "because": "x"}), "upgrades.first[0].action"),
        (first({"action": "by-hand", "name": "look"}), "upgrades.first[0].because"),
        (first({"action": "by-hand", "because": "x"}), "upgrades.first[0].name"),
        (first({"action": "by-hand", "because": "x", "name": "a b"}), "upgrades.first[0].name"),
        (
            first({"action": "backup-with-chunks", "because": "x", "name": "mine"}),
            "upgrades.first[0].name",
        ),
        (
            first(*2 * [{"action": "by-hand", "because": "x", "name": "look"}]),
            "upgrades.first[1].name",
        ),
        (
            first({"action": "by-hand", "because": "x", "name": "backup-with-chunks"}),
            "upgrades.first[0].name",
        ),
    ],
)
def test_what_a_release_says_of_its_farm_is_read_strictly(
    facts: Mapping[str, Any], where: str
) -> None:
    with pytest.raises(ManifestInvalidError) as refused:
        farm("5.0", 2, **facts)
    assert where in str(refused.value)


def test_what_a_release_asks_for_beforehand_depends_on_where_one_comes_from() -> None:
    said = farm(
        "5.0",
        2,
        **first(
            {"action": "backup-with-chunks", "because": "packs are written anew"},
            {"action": "by-hand", "name": "look", "because": "x", "before": "4.5"},
        ),
    )
    assert [one.name for one in said.upgrades.asked_of(release("4.0"))] == [
        "backup-with-chunks",
        "look",
    ]
    assert [one.name for one in said.upgrades.asked_of(release("4.5"))] == ["backup-with-chunks"]


def test_an_unknown_action_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ManifestInvalidError, match=r"'reboot' is nothing .* by-hand"):
        farm("5.0", 2, **first({"action": "reboot", "because": "x"}))


def test_the_farm_waits_for_every_computer_that_could_not_follow() -> None:
    """S5, S7, S13: engines first, because of what the new farm publishes; offline ones count."""
    seen = EngineFacts.of(ENGINE_45)
    offline = EngineFacts(seen.release, seen.image_formats, seen_at=LAST_HEARD)
    behind = laggards(
        FARM_50, [("zoe", offline), ("ann", EngineFacts.of(ENGINE_50)), ("bob", None)]
    )
    assert [(one.computer, one.why.fact, one.seen_at) for one in behind] == [
        ("bob", "engine/unknown", None),
        ("zoe", "engine-4.5/runs-image-formats", LAST_HEARD),
    ]


def test_where_nothing_new_is_published_the_farm_may_go_first() -> None:
    """S6: the order is not in the code; another release has another one."""
    same_format = farm("5.1", 1, oldest_engine="4.5")
    assert laggards(same_format, [("zoe", EngineFacts.of(ENGINE_45))]) == ()


def test_a_release_says_from_where_it_can_be_reached() -> None:
    to = engine(
        "5.0", upgrades={"oldest": "4.5", "refused": ["4.6.1"], "because": "the disk changed"}
    )
    assert may_upgrade(release("4.5"), to) == Allowed()
    assert may_upgrade(release("4.7"), to) == Allowed()
    assert may_upgrade(release("5.0"), to) == Allowed()
    for now in ("4.4", "4.6.1"):
        refused = may_upgrade(release(now), to)
        assert isinstance(refused, Forbidden)
        assert refused.fact == "engine-5.0/upgrades"
        assert "the disk changed" in refused.words


def test_nothing_goes_around_a_barrier() -> None:
    barrier = engine("4.8", upgrades={"barrier": True, "because": "moves the keys"})
    to = engine("5.0")
    refused = may_upgrade(release("4.5"), to, [barrier])
    assert isinstance(refused, Forbidden)
    assert refused.fact == "engine-4.8/barrier"
    assert refused.way_out == "upgrade to 4.8 first"
    assert may_upgrade(release("4.8"), to, [barrier]) == Allowed()
    assert may_upgrade(release("4.9"), to, [barrier]) == Allowed()
    # A barrier of the farm's software is none for engines.
    other = farm("4.8", 1, upgrades={"barrier": True, "because": "moves the keys"})
    assert may_upgrade(release("4.5"), to, [other]) == Allowed()


def test_the_way_up_passes_through_as_few_releases_as_it_can() -> None:
    known = [
        engine("4.6"),
        engine("4.8", upgrades={"barrier": True, "because": "moves the keys"}),
        engine("4.9"),
    ]
    to = engine("5.0", upgrades={"oldest": "4.7"})

    def named(now: str) -> list[str]:
        way = way_up(release(now), to, known)
        assert isinstance(way, tuple)
        return [str(step.release) for step in way]

    assert named("4.5") == ["4.8", "5.0"]
    assert named("4.8") == ["5.0"]
    assert named("5.0") == []
    nowhere = way_up(release("4.5"), to, [])
    assert isinstance(nowhere, Forbidden)
    assert nowhere.fact == "engine-5.0/upgrades"


def test_one_goes_back_only_as_far_as_the_newer_release_allows() -> None:
    newer = engine("5.0", upgrades={"back_to": "4.8"})
    assert may_upgrade(release("5.0"), engine("4.9"), [newer]) == Allowed()
    for older, known in (("4.7", [newer]), ("4.9", []), ("4.9", [engine("5.0")])):
        refused = may_upgrade(release("5.0"), engine(older), known)
        assert isinstance(refused, Forbidden)
        assert refused.fact == "engine-5.0/back-to"


@given(st.sets(st.integers(1, 5), min_size=1), st.integers(1, 5), st.integers(1, 5))
def test_an_engine_that_runs_more_never_runs_less(
    formats: set[int], more: int, wanted: int
) -> None:
    one = ImageFacts("debian/3", wanted)
    less = EngineFacts(release("1"), frozenset(formats))
    all_of_it = EngineFacts(release("1"), frozenset(formats | {more}))
    if isinstance(may_run(one, less), Allowed):
        assert isinstance(may_run(one, all_of_it), Allowed)


def test_releases_are_compared_number_by_number() -> None:
    assert release("1.10") > release("1.9.7")
    assert release("1.4") == release("1.4.0")
    assert hash(release("1.4")) == hash(release("1.4.0"))
    assert str(release("1.4.0")) == "1.4.0"
    assert release("0") < release("0.1")
    for text in (
        "",
        "1.",
        "v1",
        "1.4-rc1",
        "1..2",
        "1.2.3.4.5.6.7",
        "\u0661.\u0662",
        "1" * 10,
        "1\n",
    ):
        with pytest.raises(ReleaseInvalidError):
            release(text)


def test_a_manifest_is_read_whole() -> None:
    """S1, S2, S16: a release says what it is, what describes it, and what came with it."""
    found = engine("5.0", ships_with=[{"component": "farm", "release": "5.0"}], because="new disks")
    assert found.name == "engine-5.0"
    assert found.component is Component.ENGINE
    assert found.document == "2.1"
    assert found.released_on.isoformat() == "2013-08-19"
    assert found.ships_with == ((Component.FARM, release("5.0")),)
    assert found.facts.because == "new disks"
    assert engine("5.0.1").ships_with == ()


GOOD: Mapping[str, Any] = json.loads(
    text_of("engine", "5.0", runs_image_formats=[1], upgrades={"oldest": "4.5"})
)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"format": 2}, "format"),
        ({"format": True}, "format"),
        ({"component": "console"}, "component"),
        ({"release": 5.0}, "release"),
        ({"release": "five"}, "release"),
        ({"digest": "AB" * 32}, "digest"),
        ({"digest": ""}, "digest"),
        ({"released_on": "soon"}, "released_on"),
        ({"document": None}, "document"),
        ({"runs_image_formats": []}, "runs_image_formats"),
        ({"runs_image_formats": [1, 1]}, "runs_image_formats"),
        ({"runs_image_formats": [0]}, "runs_image_formats"),
        ({"runs_image_formats": "1"}, "runs_image_formats"),
        ({"runs_image_format": [1]}, "runs_image_format"),
        ({"publishes_image_format": 1}, "publishes_image_format"),
        ({"oldest_guest_tools": "5", "newest_guest_tools": "4"}, "newest_guest_tools"),
        ({"upgrades": {"oldest": "5.0"}}, "upgrades.oldest"),
        ({"upgrades": {"back_to": "5.1"}}, "upgrades.back_to"),
        ({"upgrades": {"barrier": True}}, "upgrades.because"),
        ({"upgrades": {"refused": ["4.7"]}}, "upgrades.because"),
        ({"upgrades": {"barrier": "yes", "because": "x"}}, "upgrades.barrier"),
        ({"upgrades": {"olddest": "4.5"}}, "upgrades.olddest"),
        ({"upgrades": []}, "upgrades"),
        (
            {"upgrades": {"first": [{"action": "backup-with-chunks", "because": "x"}]}},
            "upgrades.first",
        ),
        ({"ships_with": [{"component": "engine", "release": "5"}]}, "ships_with[0].component"),
        ({"ships_with": [{"component": "farm"}]}, "ships_with[0].release"),
    ],
)
def test_a_manifest_is_read_strictly(changes: Mapping[str, Any], at: str) -> None:
    assert read_manifest(json.dumps(GOOD)).release == release("5.0")
    with pytest.raises(ManifestInvalidError, match="wrong at") as refusal:
        read_manifest(json.dumps({**GOOD, **changes}))
    assert f"wrong at {at}:" in refusal.value.message


@pytest.mark.parametrize("missing", [name for name in GOOD if name != "upgrades"])
def test_a_manifest_says_everything_that_it_must(missing: str) -> None:
    with pytest.raises(ManifestInvalidError, match=f"wrong at {missing}: it is missing"):
        read_manifest(json.dumps({name: GOOD[name] for name in GOOD if name != missing}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"format": 1, "format": 1}',
        '{"format": NaN}',
        "[" * 100_000,
        '{"a": "' + "x" * 300_000 + '"}',
    ],
)
def test_what_is_no_manifest_at_all_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalidError):
        read_manifest(text)


@given(st.text() | st.binary().map(lambda raw: raw.decode(errors="replace")))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(ManifestInvalidError):
        read_manifest(text)
