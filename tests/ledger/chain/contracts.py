"""Contracts small enough to be written by hand, and the init code that deploys any of them."""

ECHO_REVERT = bytes.fromhex("366000600037366000fd")
"""Reverts with its calldata as data."""

REGISTER = bytes.fromhex("3615601657600035806000558060005260206000a1005b60005460005260206000f3")
"""Without calldata returns slot 0; otherwise stores the first word there and logs it, as data and as only topic."""

SCENE = bytes.fromhex("4360005242602052436001900340604052" + "60606000f3")
"""Returns block number, timestamp and the hash of the block before, a word each."""

NEEDS_PARENT_HASH = bytes.fromhex("600143034060" + "0b575f5ffd5b00")
"""Reverts if the hash of the block before is not known."""

SPENDTHRIFT = bytes.fromhex("5b600056")
"""Loops until the gas is gone."""

CAUTIOUS = bytes.fromhex("620186a05a11600c575f5ffd5b00")
"""Reverts unless more than 100,000 gas is left, of which it uses next to nothing."""


def init_code(runtime: bytes) -> bytes:
    """Return code that, run as a creation, leaves `runtime` behind."""
    return b"\x61" + len(runtime).to_bytes(2, "big") + bytes.fromhex("80600c6000396000f3") + runtime


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")
