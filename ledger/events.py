"""Events of our contracts: a log as the chain keeps it, and what it says by the artifacts' ABIs. Needs no connection."""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from eth_utils.abi import event_abi_to_log_topic
from web3 import Web3
from web3.contract.contract import ContractEvent

from ledger.artifacts import ContractName, load_artifact
from ledger.records import Announcement, BlockRef, Terms
from protocol.typed_data import Update

EMITTERS = (ContractName.REGISTRY, ContractName.COURT, ContractName.LEDGER)
"""The contracts whose events are a federation's history; what people do with their tokens is their own."""


_JSON_BITS = 64
"""Wider integers are amounts, which programs that read JSON would round; narrower ones count rounds, nodes and seconds."""


class Log(NamedTuple):
    """A log: `position` is its number in the block, `address` checksummed, `topics` of 32 bytes, the first names the event."""

    block: BlockRef
    position: int
    tx_hash: bytes
    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Event:
    """A log that is decoded: `arguments` as (name, value) in the order of the ABI, structs as mappings."""

    log: Log
    name: str
    arguments: tuple[tuple[str, Any], ...]

    def get(self, name: str) -> Any:
        """An argument, None if the event has none of this name."""
        return dict(self.arguments).get(name)

    def committed(self) -> tuple[Update, bytes]:
        """What an UpdateCommitted says: the Update, and the node's signature of it."""
        return Update(*self.get("update").values()), bytes(self.get("signature"))

    def announced(self) -> Announcement:
        """What a TermsAnnounced says."""
        config_hash, task_hash, aggregator, scorers = self.get("terms").values()
        return Announcement(Terms(bytes(config_hash), bytes(task_hash), aggregator, tuple(scorers)), self.get("enactableAt"))


def decode_event(log: Log) -> Event:
    """Read a log of one of the EMITTERS. Raises `KeyError` for one that none of their ABIs has."""
    known = _events()[log.topics[0]]
    raw: Any = {
        "address": log.address,
        "topics": log.topics,
        "data": log.data,
        "blockNumber": log.block.number,
        "blockHash": log.block.hash,
        "transactionHash": log.tx_hash,
        "transactionIndex": 0,
        "logIndex": log.position,
    }
    found = known.process_log(raw)["args"]
    return Event(log, known.event_name, tuple((i["name"], found[i["name"]]) for i in known.abi["inputs"]))


def arguments_as_json(event: Event) -> dict[str, Any]:
    """The arguments by name: bytes 0x-hex, integers of more than 64 bits decimal strings, structs objects."""
    inputs = _events()[event.log.topics[0]].abi["inputs"]
    return {name: _as_json(declared, value) for declared, (name, value) in zip(inputs, event.arguments, strict=True)}


def _as_json(declared: Any, value: Any) -> Any:
    kind: str = declared["type"]
    if kind.endswith("]"):
        element = {**declared, "type": kind[: kind.rindex("[")]}
        return [_as_json(element, item) for item in value]
    if kind == "tuple":
        return {part["name"]: _as_json(part, value[part["name"]]) for part in declared["components"]}
    if kind.startswith("bytes"):
        return "0x" + bytes(value).hex()
    if kind.startswith(("int", "uint")) and int(kind.lstrip("uint")) > _JSON_BITS:
        return str(value)
    return value


@cache
def topic_of(name: str) -> bytes:
    """The first topic of an event, by its name."""
    (found,) = {topic for topic, event in _events().items() if event.event_name == name}
    return found


@cache
def _events() -> dict[bytes, ContractEvent]:
    unplaced = [Web3().eth.contract(abi=load_artifact(name).abi) for name in EMITTERS]
    events = (event for contract in unplaced for event in contract.events)  # type: ignore[attr-defined] # it is an iterator
    return {event_abi_to_log_topic(event.abi): event for event in events}
