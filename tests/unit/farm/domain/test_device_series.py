import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.delivery.device import MacAddress
from corral.farm.domain.delivery.device_series import (
    MOST,
    DeviceSeries,
    DeviceSeriesInvalidError,
    is_series,
)
from corral.farm.domain.naming import NameInvalidError


def test_names_count_with_the_zeros_that_were_written() -> None:
    assert DeviceSeries.parse("lab-[008-011]").names() == (
        "lab-008",
        "lab-009",
        "lab-010",
        "lab-011",
    )
    assert DeviceSeries.parse("pc[9-10]").names() == ("pc9", "pc10")
    assert DeviceSeries.parse("r1-[1-2]-a").names() == ("r1-1-a", "r1-2-a")


@given(st.integers(0, 3000), st.integers(1, 300), st.integers(1, 6))
def test_as_many_names_and_cards_as_numbers_all_different(
    first: int, count: int, digits: int
) -> None:
    last = first + count - 1
    text = f"pc[{first:0{digits}d}-{last:0{max(digits, len(str(first)))}d}]"
    begins, ends = text[3:-1].split("-")
    if begins.startswith("0") and len(begins) != len(ends):
        return
    series = DeviceSeries.parse(text)
    assert len(set(series.names())) == len(series) == count
    assert len(set(series.cards(MacAddress.parse("52:54:00:00:00:00")))) == count


def test_cards_count_over_the_end_of_a_byte_and_not_into_the_makers_half() -> None:
    series = DeviceSeries.parse("pc[1-3]")
    cards = [str(card) for card in series.cards(MacAddress.parse("52:54:00:00:00:fe"))]
    assert cards == ["52:54:00:00:00:fe", "52:54:00:00:00:ff", "52:54:00:00:01:00"]
    assert len(series.cards(MacAddress.parse("52:54:00:ff:ff:fd"))) == 3
    with pytest.raises(DeviceSeriesInvalidError, match="same first half"):
        series.cards(MacAddress.parse("52:54:00:ff:ff:fe"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lab-[]", "not of that form"),
        ("lab-[1-2", "not of that form"),
        ("lab-1-2]", "not of that form"),
        ("lab-[1-2][1-2]", "not of that form"),
        ("lab-[-1-2]", "not of that form"),
        ("lab-[²-3]", "not of that form"),
        ("lab-[5-4]", "ends before it begins"),
        (f"lab-[1-{MOST + 1}]", f"{MOST + 1} devices"),
        ("lab-[01-100]", "digits"),
    ],
)
def test_what_is_no_series_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert is_series(text)
    with pytest.raises(DeviceSeriesInvalidError, match=reason):
        DeviceSeries.parse(text)


def test_names_of_a_series_are_names() -> None:
    with pytest.raises(NameInvalidError):
        DeviceSeries.parse("Lab [1-2]").names()
    assert len(DeviceSeries.parse(f"pc[1-{MOST}]")) == MOST
