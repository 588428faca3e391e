"""The figures that are kept of a benchmark run, from samples whose answer is known."""

from pathlib import Path
from typing import Any

import pytest
from bench.page import tables, write_page
from bench.run import turned
from bench.summary import spread, summarise
from bench.work import Sample, Work

BEGIN = "<!-- written by `make bench`: begin -->"
END = "<!-- written by `make bench`: end -->"


def never_measured(_: object) -> Sample:
    raise AssertionError


SPEED = Work("speed", "how fast", "MiB/s", "CPU s/GiB", True, never_measured)  # noqa: FBT003
MEMORY = Work("memory", "how much", "KiB", None, False, never_measured)  # noqa: FBT003


def samples(*values: float) -> list[Sample]:
    return [Sample(value, cpu_seconds=1 / value) for value in values]


def test_the_ratio_is_to_the_best_peer_and_never_to_the_ceiling() -> None:
    told = summarise(
        SPEED,
        {
            "unix": {
                "corral": samples(30, 30, 30),
                "nbdkit": samples(20, 20, 20),
                "qemu-nbd": samples(10, 10, 10),
                "nbdkit-null": samples(900, 900, 900),
            }
        },
    )
    assert told["ratio_to_best_peer"] == pytest.approx(1.5)
    assert told["transports"]["unix"]["best_peer"] == "nbdkit"
    assert told["transports"]["unix"]["cpu_ratio_to_best_peer"] == pytest.approx(1.5)


def test_the_headline_is_the_worse_transport() -> None:
    told = summarise(
        SPEED,
        {
            "unix": {"corral": samples(30), "nbdkit": samples(20)},
            "tcp": {"corral": samples(9), "nbdkit": samples(10)},
        },
    )
    assert told["ratio_to_best_peer"] == pytest.approx(0.9)


def test_a_peer_is_judged_by_the_better_of_its_settings() -> None:
    told = summarise(
        SPEED,
        {
            "unix": {
                "corral": samples(30, 30),
                "qemu-nbd (threads)": samples(10, 10),
                "qemu-nbd (io_uring)": samples(15, 15),
            }
        },
    )
    unix = told["transports"]["unix"]
    assert told["ratio_to_best_peer"] == pytest.approx(2)
    assert unix["servers"]["qemu-nbd"]["setting"] == "qemu-nbd (io_uring)"
    assert list(unix["other_settings"]) == ["qemu-nbd (threads)"]


def test_less_memory_is_a_ratio_above_one() -> None:
    told = summarise(
        MEMORY, {"tcp": {"corral": samples(4), "nbdkit": samples(160), "qemu-nbd": samples(6)}}
    )
    assert told["ratio_to_best_peer"] == pytest.approx(1.5)
    assert told["transports"]["tcp"]["best_peer"] == "qemu-nbd"


def test_each_round_is_compared_with_its_neighbour() -> None:
    told = summarise(
        SPEED, {"tcp": {"corral": samples(10, 100, 1000), "nbdkit": samples(5, 50, 500)}}
    )
    assert told["transports"]["tcp"]["ratio_of_each_round"] == pytest.approx(
        {"median": 2, "min": 2, "q1": 2, "q3": 2, "max": 2}
    )


def test_the_spread_of_five_runs() -> None:
    five = spread([5, 1, 4, 2, 3])
    assert (five.min, five.q1, five.median, five.q3, five.max) == (1, 2, 3, 4, 5)


def test_every_server_begins_a_round_and_every_one_ends_one() -> None:
    rounds = [turned(["a", "b", "c"], number) for number in range(6)]
    assert {order[0] for order in rounds} == {order[-1] for order in rounds} == {"a", "b", "c"}
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)


def test_the_page_keeps_what_people_wrote_around_the_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write_page(page, result())
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "**1.50**" in text
    write_page(page, result())
    assert page.read_text() == text


def test_a_page_without_its_marks_is_not_touched(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        write_page(page, result())
    assert page.read_text() == "no marks"


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    width = 0
    for line in tables(result()):
        if not line.startswith("|"):
            width = 0
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line


def result() -> dict[str, Any]:
    servers = {
        "corral": samples(30),
        "nbdkit": samples(20),
        "qemu-nbd": samples(10),
        "nbdkit-null": samples(90),
    }
    tool = {"seconds": 1.0, "mib_per_second": 1.0, "bytes_written": 1}
    return {
        "facts": {
            "measured_at": "2026-01-01T00:00:00Z",
            "cores": 2,
            "processor": "a processor",
            "system": "a system",
            "kernel": "a kernel",
            "versions": {"commit": "abc", "nbdkit": "nbdkit 1", "qemu-nbd": "qemu-nbd 7"},
        },
        "settings": {"rounds": 1, "image_bytes": 2**30},
        "took_seconds": 60.0,
        "work": {"speed": summarise(SPEED, {"unix": servers, "tcp": servers})},
        "also": {"slow": summarise(SPEED, {"unix": servers, "tcp": servers})},
        "first_read": {
            name: {"mib_per_second": 1.0, "cpu_seconds_per_gib": 1.0}
            for name in ("first_read_from_packs", "first_read_after_start", "second_read")
        },
        "store": {"store_import": {"corral": tool}},
    }
