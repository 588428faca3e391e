"""``corral store scrub`` and its policy."""

from tests.farm_in_memory import disk
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.estate.scrub import ScrubPass, SeenScrub


def code_of(err: str) -> str:
    return err.rpartition("code: ")[2].strip()


def test_policy_of_the_scrub_is_set_and_shown(corral: CommandLine) -> None:
    assert "every 14 days, at 8.0 MiB/s" in corral("store", "show", "default").out
    words = ("store", "scrub-policy", "default")
    changed = corral(*words, "--rate", "20M", "--json").json
    assert (changed["rate"], changed["every_seconds"]) == (20 << 20, 14 * 86_400)
    said = corral(*words, "--every", "12h")
    assert (
        said.out.strip() == "scrub of store default: a pass every 12 hours, at 20 MiB/s at the most"
    )
    assert corral(*words, "--rate", "off", "--json").json["rate"] == 0
    shown = corral("store", "show", "default", "--json").json
    assert shown["scrub"] == {"rate": 0, "every_seconds": 43_200}
    for option, text, code in (
        ("--rate", "fast", "rate-invalid"),
        ("--every", "2w", "scrub-interval-invalid"),
    ):
        refused = corral(*words, option, text)
        assert code_of(refused.err) == code
    late = corral(*words, "--rate", "1M", "--revision", "1")
    assert (late.code, code_of(late.err)) == (4, "store-changed")


def test_store_is_scrubbed_by_its_name_or_by_its_server(corral: CommandLine) -> None:
    first = corral.farm.add_server("s1")
    corral.farm.add_server("s2")
    corral.farm.import_disk("debian", disk(1, 2))
    assert corral("store", "scrub", "s1").out.startswith("sound: ")
    both = corral("store", "scrub", "default", "--rate", "10M", "--json")
    assert [one["server"] for one in both.json] == ["s1", "s2"]
    assert corral("task", "list", "--all", "--json").json
    assert code_of(corral("store", "scrub", "nowhere").err) == "server-unknown"
    store = corral.farm.store_of("s1")
    store.chunks[next(iter(store.chunks))] = b"rot"
    damaged = corral("store", "scrub", "s1")
    assert damaged.code == 5
    assert "NOT HEALED: 1; affected: debian/1" in damaged.out
    assert corral("store", "scrub", "s1", "--json").json[0]["sound"] is False
    (copy,) = corral("replication", "status", "--json").json
    assert (copy["server"], copy["state"]) == (first.name, "unreachable")


def test_what_a_server_says_of_its_scrub_is_shown(corral: CommandLine) -> None:
    server = corral.farm.add_server("s1")
    assert "nothing known" in corral("server", "show", "s1").out
    now = corral.farm.ports.clock.now()
    last = ScrubPass(now, now, 100, 100, 3, 2)
    under_way = ScrubPass(now, None, 100, 40, 0, 0)
    seen = SeenScrub(under_way, last, 1, 140, 3, 2, 1, "the disk is full")
    corral.farm.application.take_server_report(
        server.id, ServerReport(corral.farm.generation, scrub=seen)
    )
    shown = corral("server", "show", "s1").out
    assert "40 % of the next; damaged chunks: 3, healed: 2; NOT HEALED: 1" in shown
    assert "the disk is full" in corral("store", "show", "default").out
    told = corral("server", "show", "s1", "--json").json["scrub"]
    assert (told["unhealed_chunks"], told["last"]["damaged_chunks"]) == (1, 3)
    assert told["under_way"]["finished_at"] is None
