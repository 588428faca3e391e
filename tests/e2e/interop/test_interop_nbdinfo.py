"""What libnbd's ``nbdinfo`` is told about an export."""

import json
from typing import Any

import pytest

from tests.e2e.interop.disk import SIZE_BYTES, Disk, Extent
from tests.e2e.interop.serving import EXPORT, Served
from tests.e2e.interop.tools import run


def told(uri: str, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("nbdinfo", "--json", *options, uri).stdout)
    return answer


def test_handshake_is_fixed_newstyle_with_structured_replies(uri: str) -> None:
    answer = told(uri)
    assert answer["protocol"] == "newstyle-fixed"
    assert answer["structured"] is True


def test_export_has_the_size_of_the_image_to_the_sector(uri: str) -> None:
    assert int(run("nbdinfo", "--size", uri).stdout) == SIZE_BYTES


def test_export_is_read_only_and_may_be_read_over_many_connections(uri: str) -> None:
    (export,) = told(uri)["exports"]
    flags = {name: export[name] for name in export if name.startswith(("is_", "can_"))}
    assert flags["is_read_only"] is True
    assert flags["can_multi_conn"] is True
    assert flags["can_cache"] is True
    assert flags["can_df"] is True
    assert flags["can_flush"] is True
    assert flags["can_trim"] is False
    assert flags["can_zero"] is False
    assert flags["is_rotational"] is False


def test_every_block_size_is_allowed_and_a_chunk_is_preferred(uri: str) -> None:
    (export,) = told(uri)["exports"]
    assert export["block_size_minimum"] == 1
    assert export["block_size_preferred"] == 64 * 1024
    assert export["block_size_maximum"] == 32 * 1024 * 1024


def test_allocation_is_among_the_contexts(uri: str) -> None:
    (export,) = told(uri)["exports"]
    assert "base:allocation" in export["contexts"]


def test_exports_are_listed_on_an_open_listener(uri: str) -> None:
    names = [export["export-name"] for export in told(uri, "--list")["exports"]]
    assert names == [EXPORT]


def test_map_shows_the_real_holes_and_nothing_else(uri: str, disk: Disk) -> None:
    seen = [
        Extent(extent["offset"], extent["length"], extent["type"] == 3)
        for extent in json.loads(run("nbdinfo", "--map", "--json", uri).stdout)
    ]
    expected = disk.extents()
    assert len(expected) > 32, "the image must have a map worth asking for"
    assert seen == expected


def test_totals_of_the_map_add_up(uri: str, disk: Disk) -> None:
    totals = json.loads(run("nbdinfo", "--map", "--totals", "--json", uri).stdout)
    holes = sum(extent.length for extent in disk.extents() if extent.is_hole)
    assert {total["type"]: total["size"] for total in totals} == {3: holes, 0: SIZE_BYTES - holes}


@pytest.mark.parametrize("name", ["debian/9", "debian", "debian/1/", "", "DEBIAN/1"])
def test_unknown_export_is_refused(served: Served, name: str) -> None:
    done = run("nbdinfo", served.uri("unix", name), check=False)
    assert done.returncode != 0
    assert (
        "ENOENT" in done.stderr or "No such file" in done.stderr or "not available" in done.stderr
    )
