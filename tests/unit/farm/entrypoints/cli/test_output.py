import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.application.progress import Amounts
from corral.farm.entrypoints.cli.layout import layout_of
from corral.farm.entrypoints.cli.output import human_size, print_table
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


def test_progress_of_devices_counts_them() -> None:
    amounts = Amounts(total_bytes=12, done_bytes=3)
    assert describe(amounts, 6.0, "devices") == "3 of 12 devices, 18 s left"
    assert describe(Amounts(), 6.0, "devices") == "0 of 0 devices"


def test_progress_without_a_total_says_what_is_known() -> None:
    assert describe(Amounts(done_bytes=1 << 20), 0.0) == "1.0 MiB at 0 B/s"


def test_progress_never_promises_a_time_below_zero() -> None:
    assert "0 s left" in describe(Amounts(total_bytes=10, done_bytes=20), 1.0)


COLUMNS = ("DEVICE", "MAC", ">SENT", "IMAGE", "WARNING")


def test_what_fits_is_printed_as_it_is() -> None:
    row = ("pc1", "52:54:00:00:00:01", "19 MiB", "debian", "")
    assert layout_of(COLUMNS, [row], 80).columns == COLUMNS


def test_on_a_narrow_terminal_columns_with_nothing_in_them_go_first() -> None:
    row = ("pc1", "52:54:00:00:00:01", "19 MiB", "debian", "")
    layout = layout_of(COLUMNS, [row], 46)
    assert layout.columns == COLUMNS[:4]
    assert layout.rows == (row[:4],)
    assert layout.widths == (6, 17, 6, 6)


def test_lines_are_broken_between_words_and_numbers_never() -> None:
    row = ("pc1", "52:54:00:00:00:01", "19 MiB", "debian", "its cache disk is missing")
    layout = layout_of(COLUMNS, [row], 60)
    # What is to spare goes to those that are broken.
    assert layout.widths == (6, 17, 6, 6, 60 - 6 - 17 - 6 - 6 - 4 * 3)
    assert layout_of(COLUMNS, [row], 54).widths == (6, 17, 6, 6, len("missing"))


def test_columns_come_nearer_to_each_other_before_a_table_is_given_up() -> None:
    row = ("pc1", "52:54:00:00:00:01", "19 MiB", "debian", "")
    assert not layout_of(COLUMNS, [row], 44).is_tight
    assert layout_of(COLUMNS, [row], 43).is_tight
    assert layout_of(COLUMNS, [row], 41).widths == (6, 17, 6, 6)
    assert layout_of(COLUMNS, [row], 40).widths is None


def test_what_does_not_fit_as_a_table_is_none() -> None:
    row = ("pc1", "52:54:00:00:00:01", "19 MiB", "debian", "x")
    assert layout_of(COLUMNS, [row], 40).widths is None


@given(
    st.lists(st.tuples(*[st.text("ab ", max_size=40)] * 5), min_size=1, max_size=5),
    st.integers(20, 120),
)
def test_no_table_is_wider_than_its_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    layout = layout_of(COLUMNS, rows, width)
    assert all(len(row) == len(layout.columns) for row in layout.rows)
    if layout.widths:
        between = 2 if layout.is_tight else 3
        assert sum(layout.widths) + between * (len(layout.columns) - 1) <= width
    # Nothing that says anything is left out.
    for row, shown in zip(rows, layout.rows, strict=True):
        assert [cell for cell in row if cell] == [cell for cell in shown if cell]


def test_a_table_is_drawn_no_wider_than_was_found_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ", ".join(f"lab-{number:02}" for number in range(5))
    columns = ("VERSION", "ROOT", ">SIZE", "STANDING", "SERVERS", "RUN BY", "STARTED BY")
    row = ("debian/1", "1e3e4de7c49d", "1.0 MiB", "production", "s1: complete", "-", names)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for width in range(40, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        print_table("", columns, [row, row], empty="")
        out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        if "VERSION" in out:
            assert max(map(len, out.splitlines())) <= width
            assert "lab-04" in out, width
        for word in ("debian/1", "1e3e4de7c49d", "production"):
            assert word in out, width
