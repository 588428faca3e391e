import pytest

from corral.farm.application.progress import Amounts
from corral.farm.entrypoints.cli.output import human_size
from corral.farm.entrypoints.cli.work import describe


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (1536 * 1024, "1.5 MiB"),
        (5 << 40, "5.0 TiB"),
        (3000 << 50, "3000 PiB"),
    ],
)
def test_sizes_for_people(amount: int, text: str) -> None:
    assert human_size(amount) == text


def test_progress_says_bytes_rate_time_left_and_chunks() -> None:
    amounts = Amounts(total_bytes=4 << 20, done_bytes=1 << 20, new_chunks=7, new_bytes=1 << 19)
    assert describe(amounts, 2.0) == (
        "25% of 4.0 MiB at 512 KiB/s, 6 s left, 7 new chunks, 512 KiB stored"
    )


def test_progress_without_a_total_says_what_is_known() -> None:
    assert describe(Amounts(done_bytes=1 << 20), 0.0) == "1.0 MiB at 0 B/s"


def test_progress_never_promises_a_time_below_zero() -> None:
    assert "0 s left" in describe(Amounts(total_bytes=10, done_bytes=20), 1.0)
