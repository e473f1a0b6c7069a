"""Why a contract refused: the errors of all our contracts, from their ABIs, with what the catalogue says of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3RPCError

from ledger.artifacts import ContractName, load_artifact
from ledger.errors import ChainRefused, Reverted
from ledger.records import RoundState
from protocol.contract_errors import CONTRACT_ERRORS

# Solidity's own two, which no ABI lists.
_BUILT_IN: tuple[Mapping[str, Any], ...] = (
    {"name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


class _Error(NamedTuple):
    name: str
    types: tuple[str, ...]
    labels: tuple[str, ...]
    readers: tuple[Callable[[Any], object], ...]


def decode_revert(data: bytes, what: str = "the call", tx_hash: bytes | None = None) -> Reverted:
    """Name the error behind revert data; `what` was tried, in the transaction `tx_hash` if it was mined.

    Addresses come checksummed, the numbers of a round's state as `RoundState`. Data that no error of ours explains is named
    by its selector.
    """
    known = _errors().get(data[:4])
    try:
        values = decode(known.types, data[4:]) if known else ()
    except DecodingError:
        known = None
    if known is None:
        name = f"0x{data[:4].hex()}" if data else "no reason"
        return Reverted(
            name,
            (),
            data,
            f"{what}: the contract refused and gave {name}; check that this version of fairshare is the federation's",
            tx_hash,
        )
    arguments = tuple(read(value) for read, value in zip(known.readers, values, strict=True))
    shown = ", ".join(f"{label}={_shown(value)}" for label, value in zip(known.labels, arguments, strict=True))
    entry = CONTRACT_ERRORS[known.name]
    sentence = f"{what}: the contract refused with {known.name}({shown}). {entry.sentence} {entry.next_step}"
    return Reverted(known.name, arguments, data, sentence, tx_hash)


@contextmanager
def chain_errors(what: str) -> Iterator[None]:
    """Turn web3's errors inside into ours: `Reverted` when a contract refused, `ChainRefused` when the node did."""
    try:
        yield
    except ContractLogicError as error:
        raise decode_revert(_revert_data(error), what) from error
    except Web3RPCError as error:
        raise ChainRefused(what, error.message) from error
    except BadFunctionCallOutput as error:
        raise ChainRefused(what, "the contract is not there any more") from error


def _revert_data(error: ContractLogicError) -> bytes:
    # web3 puts a phrase here when the node sent none.
    data = error.data if isinstance(error.data, str) else ""
    return bytes.fromhex(data[2:]) if data.startswith("0x") else b""


@cache
def _errors() -> dict[bytes, _Error]:
    declared = [e for name in ContractName for e in load_artifact(name).abi if e["type"] == "error"]
    found = {}
    for element in (*_BUILT_IN, *declared):
        inputs = element["inputs"]
        types = tuple(collapse_if_tuple(i) for i in inputs)
        found[keccak(text=f"{element['name']}({','.join(types)})")[:4]] = _Error(
            name=element["name"],
            types=types,
            labels=tuple(i["name"] for i in inputs),
            readers=tuple(_reader(i) for i in inputs),
        )
    return found


def _reader(parameter: Mapping[str, Any]) -> Callable[[Any], object]:
    if parameter["type"] == "address":
        return to_checksum_address
    return RoundState if parameter.get("internalType") == "enum IRoundLedger.State" else lambda value: value


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
