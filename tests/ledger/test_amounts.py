import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.amounts import parse_amount, show_amount
from protocol.errors import FormatError


@given(st.integers(1, 2**256 - 1))
def test_what_is_shown_reads_as_the_same_amount(units: int) -> None:
    assert parse_amount(show_amount(units)) == units


@pytest.mark.parametrize(
    ("text", "units"), [("10", 10 * 10**18), ("0.5", 5 * 10**17), ("1e3", 10**21), ("0.000000000000000001", 1)]
)
def test_amounts_as_people_write_them(text: str, units: int) -> None:
    assert parse_amount(text) == units


@pytest.mark.parametrize(
    "text",
    ["", "ten", "0", "-1", "NaN", "Infinity", "0.0000000000000000001", "1e99", "1e9999999", "1e-9999999", "1." + 90 * "0" + "1"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_amount(text)


@pytest.mark.parametrize(("units", "text"), [(0, "0"), (1, "0.000000000000000001"), (25 * 10**17, "2.5"), (100 * 10**18, "100")])
def test_amounts_as_people_read_them(units: int, text: str) -> None:
    assert show_amount(units) == text
