"""Why a contract refused: the errors of all our contracts, from their ABIs, and what to do about those that people meet."""

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

# Solidity's own two, which no ABI lists.
_BUILT_IN: tuple[Mapping[str, Any], ...] = (
    {"name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)

_NEXT_STEPS = {
    "AccessControlUnauthorizedAccount": "send it from the account that has this role",
    "AlreadyClaimed": "leave this round out",
    "AlreadyJoined": "this owner has a node already; leave and withdraw before joining anew",
    "BondLocked": "wait until the bond is free",
    "CapReached": "release Void rounds, or end the federation: its token cannot pay another round",
    "CommitsMissed": "read the commitments on chain, and put them into the update tree",
    "InvitationExpired": "ask the operator for a new invitation",
    "InvitationUsed": "ask the operator for a new invitation",
    "KeyTaken": "use a fresh signing key",
    "NotANode": "join first, or check the address",
    "NotTheAggregator": "send it from the federation's aggregator",
    "NotAnOperator": "ask for an invitation signed by the federation's operator",
    "NotFinal": "wait until the round is Final",
    "NotTheInvited": "send it from the invited owner's account",
    "NothingToClaim": "wait for a Final round that pays this node",
    "ScorerCannotBeNode": "use an account that is no scorer of this federation",
    "SeedExpired": "the round cannot be proposed any more and becomes Void; seal rounds within 256 blocks",
    "StakeLocked": "wait until the stake is free",
    "StakeTooLow": "send at least the minimum stake",
    "UnknownNode": "check the node's index",
}


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
        return Reverted(name, (), data, f"{what}: the contract refused and gave {name}", tx_hash)
    arguments = tuple(read(value) for read, value in zip(known.readers, values, strict=True))
    shown = ", ".join(f"{label}={_shown(value)}" for label, value in zip(known.labels, arguments, strict=True))
    sentence = f"{what}: the contract refused with {known.name}({shown})"
    if known.name in _NEXT_STEPS:
        sentence += f"; {_NEXT_STEPS[known.name]}"
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
