import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from protocol.abi import check_value, encode_fields, from_json, to_json
from protocol.errors import FormatError

LEDGER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"

integers = st.one_of(
    st.tuples(st.just("uint8"), st.integers(0, 255)),
    st.tuples(st.just("uint256"), st.integers(0, (1 << 256) - 1)),
    st.tuples(st.just("int128"), st.integers(-(1 << 127), (1 << 127) - 1)),
)
typed_values = st.one_of(
    integers,
    st.tuples(st.just("bytes32"), st.binary(min_size=32, max_size=32)),
    st.tuples(st.just("bytes"), st.binary(max_size=100)),
    st.tuples(st.just("int256[]"), st.lists(st.integers(-(1 << 255), (1 << 255) - 1), max_size=4).map(tuple)),
    st.tuples(st.just("bytes32[2]"), st.tuples(*[st.binary(min_size=32, max_size=32)] * 2)),
    st.tuples(st.just("address"), st.just(LEDGER)),
    st.tuples(st.just("string"), st.text()),
)


@given(typed_values)
def test_what_has_its_type_survives_json_and_is_encoded_as_eth_abi_does(typed):
    abi_type, value = typed
    check_value("it", abi_type, value)
    assert from_json("it", abi_type, to_json(value)) == value
    assert encode_fields([(abi_type, "it")], [value]) == encode([abi_type], [value])


@pytest.mark.parametrize(
    ("abi_type", "value"),
    [
        ("uint32", -1),
        ("uint32", 1 << 32),
        ("uint32", True),
        ("uint32", 1.0),
        ("uint32", "1"),
        ("int64", 1 << 63),
        ("int64", -(1 << 63) - 1),
        ("bytes32", bytes(31)),
        ("bytes32", bytes(33)),
        ("bytes32", "0x" + "00" * 32),
        ("bytes", bytearray(1)),
        ("address", LEDGER.lower()),
        ("address", LEDGER[:-1] + "4"),
        ("address", "0x00"),
        ("address", None),
        ("string", b"text"),
        ("string", "\ud800"),
        ("uint8[]", 3),
        ("uint8[]", (1, 256)),
        ("uint8[2]", (1,)),
    ],
)
def test_what_does_not_have_its_type_is_named(abi_type: str, value):
    with pytest.raises(FormatError, match="colour of it = .* is not a " + abi_type.split("[")[0]):
        check_value("colour of it", abi_type, value)
    with pytest.raises(FormatError, match="colour of it"):
        encode_fields([(abi_type, "colour of it")], [value])


@pytest.mark.parametrize(
    ("abi_type", "text"),
    [
        ("uint32", "1.5"),
        ("uint32", " 1"),
        ("uint32", "1_0"),
        ("uint32", "٣"),  # int() would read this digit
        ("uint256", "9" * 5000),
        ("uint32", None),
        ("uint32", True),
        ("bytes32", "00" * 32),
        ("bytes32", "0x" + "0 " * 32),
        ("bytes", "0xabc"),
        ("bytes", 5),
        ("int256[]", "12"),
        ("int256[]", ["1", None]),
        ("int256[]", {"0": "1"}),
    ],
)
def test_json_of_another_form_is_refused(abi_type: str, text):
    with pytest.raises(FormatError, match="it = "):
        from_json("it", abi_type, text)


def test_a_huge_value_is_not_printed_whole():
    with pytest.raises(FormatError) as caught:
        check_value("it", "bytes32", bytes(10**6))
    assert len(str(caught.value)) < 200
