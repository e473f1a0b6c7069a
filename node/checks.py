"""The checks of `fairshare node doctor`: each looks at one thing, and says what it found or raises what is the matter."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.connection import connect
from ledger.membership import open_terms
from ledger.reverts import chain_errors
from ledger.wallet import Wallet, passphrase_is_given, read_passphrase
from node.enrolment import check_invitation, sample_bound
from node.errors import InvitationNeeded, InvitationRejected, SigningKeyMismatch
from node.home import NodeHome, Terms
from node.membership import find_node, rejoining, told_expelled
from node.settings import NodeSettings
from node.store import RoundStore
from node.terms import accepted_terms, in_force
from protocol.client import FederationClient
from protocol.terminal import when
from protocol.typed_data import Domain

CLOCK_SECONDS = 60
"""How far this machine's clock may be from the chain's: a block may well be some seconds old."""

GAS = 500_000
"""Gas that an owner should be able to pay: enough to join, or to claim some ten rounds."""


class Ill(Exception):
    """A check found something that no error of the house is about. `mend` takes the place of the check's usual one."""

    def __init__(self, found: str, mend: str = "") -> None:
        self.mend = mend
        super().__init__(found)


class Check(NamedTuple):
    """One check. `needs` names those that must be well before it can be made; `{home}` in `mend` is the node's directory."""

    name: str
    needs: tuple[str, ...]
    look: "Callable[[Patient], str]"
    mend: str


@dataclass(frozen=True)
class Patient:
    """The node that is looked at. `clock` gives unix seconds; without `passphrase_file` the environment's passphrase counts."""

    home: NodeHome
    passphrase_file: Path | None = None
    clock: Callable[[], float] = time.time

    @cached_property
    def settings(self) -> NodeSettings:
        """node.toml under the environment."""
        return self.home.settings()

    @cached_property
    def ledger(self) -> LedgerClient:
        """The contracts, their code checked."""
        return LedgerClient.open(self.settings.rpc_url, self.settings.chain_id, self.settings.ledger)

    @cached_property
    def terms(self) -> Terms:
        """The terms in force, accepted."""
        return accepted_terms(self.home, in_force(self.ledger), "the federation")

    @cached_property
    def owner(self) -> str:
        """The owner's address."""
        return str(Wallet.open(self.home.owner_key).address)


def _directory(patient: Patient) -> str:
    settings, invitation = patient.settings, patient.home.invitation()
    if invitation is None:
        return f"node.toml is there, without an invitation, for ledger {settings.ledger} on chain {settings.chain_id}"
    if (invitation.ledger, invitation.chain_id) != (settings.ledger, settings.chain_id):
        raise Ill(
            f"the invitation is for ledger {invitation.ledger} on chain {invitation.chain_id}, "
            f"node.toml names {settings.ledger} on chain {settings.chain_id}"
        )
    return f"node.toml and invitation are there, for ledger {settings.ledger} on chain {settings.chain_id}"


def _record(patient: Patient) -> str:
    domain = Domain(patient.settings.chain_id, patient.settings.ledger)
    store = RoundStore(patient.home.store, domain.separator)
    try:
        open_rounds = len(store.unreported())
    finally:
        store.close()
    return f"the record of rounds can be read; {open_rounds} round(s) in it have no outcome yet"


def _key(patient: Patient) -> str:
    owner, signing = (Wallet.open(path) for path in (patient.home.owner_key, patient.home.signing_key))
    if not passphrase_is_given(patient.passphrase_file):
        return "both keystores are there; no passphrase was given, so whether it opens them was not tried"
    passphrase = read_passphrase("the keys", patient.passphrase_file)
    for wallet in (owner, signing):
        wallet.unlock(passphrase)
    return f"the passphrase opens owner {owner.address} and signing key {signing.address}"


def _chain(patient: Patient) -> str:
    settings = patient.settings
    web3 = connect(settings.rpc_url, settings.chain_id)
    with chain_errors("read the latest block"):
        number = web3.eth.block_number
    return f"chain {settings.chain_id} answers at {settings.rpc_url}, at block {number}"


def _clock(patient: Patient) -> str:
    with chain_errors("read the clock"):
        web3 = connect(patient.settings.rpc_url, patient.settings.chain_id)
        chain = int(web3.eth.get_block("pending")["timestamp"])
    ahead = round(patient.clock()) - chain
    if abs(ahead) > CLOCK_SECONDS:
        raise Ill(f"this machine's clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the chain's ({when(chain)})")
    return f"this machine's clock is within {CLOCK_SECONDS} s of the chain's"


def _contracts(patient: Patient) -> str:
    ledger = patient.ledger
    addresses = (ledger.ledger_address, ledger.registry_address, ledger.token_address)
    return f"the code at {', '.join(addresses)} is this version's"


def _membership(patient: Patient) -> str:
    ledger, owner = patient.ledger, patient.owner
    record = find_node(ledger, owner)
    if record is None or (record.stake == 0 and record.unbonding_until == 0):
        invitation = patient.home.invitation()
        try:
            if invitation is not None:
                check_invitation(invitation, owner, ledger)
            elif record is not None and record.expelled:
                raise InvitationNeeded("it was expelled")
            else:
                sample_bound(None, ledger)
        except (InvitationRejected, InvitationNeeded) as error:
            if record is None:
                raise
            gone = f"node {record.node} has no stake any more: it left and got it back, or a proof of its fault took it"
            raise Ill(told_expelled(ledger, record) or gone, f"to take part again, {rejoining('{home}')}") from error
        welcome = "the federation is open" if invitation is None else "its invitation is good"
        raise Ill(f"{owner} has not joined, but {welcome}", "run `fairshare node join {home}`")
    if record.unbonding_until:
        leaving = (
            f"node {record.node} is leaving, its stake of {show_amount(record.stake)} coin is free at "
            f"{when(record.unbonding_until)}"
        )
        raise Ill(
            told_expelled(ledger, record) or leaving,
            f"run `fairshare node leave {{home}}` from then on to get it; to take part again, then {rejoining('{home}')}",
        )
    signing = Wallet.open(patient.home.signing_key).address
    if record.signer != signing:
        raise SigningKeyMismatch(record.node, record.signer, signing)
    return f"node {record.node}, eligible from the next round on, stake {show_amount(record.stake)} coin"


def _balance(patient: Patient) -> str:
    ledger = patient.ledger
    with chain_errors("read the gas price"):
        needed = GAS * int(ledger.web3.eth.gas_price)
    record = find_node(ledger, patient.owner)
    if record is None or record.stake == 0:
        terms = open_terms(ledger) if patient.home.invitation() is None else None
        needed += ledger.minimum_stake() + (terms.fee if terms else 0)
    has = ledger.coin_balance(patient.owner)
    if has < needed:
        raise Ill(f"{patient.owner} has {show_amount(has)} coin, and should have {show_amount(needed)} for gas and stake")
    return f"{patient.owner} has {show_amount(has)} coin"


def _config(patient: Patient) -> str:
    terms = patient.terms
    _, enactable_at = patient.ledger.announced()
    soon = f"; other terms are announced, which can be enacted from {when(enactable_at)} on" if enactable_at else ""
    return f"the copy here is the one accepted and the one on chain, 0x{terms.config.sha256().hex()}{soon}"


def _task(patient: Patient) -> str:
    from learning.loading import load_task  # brings torch, which the checks before this one do not need

    terms = patient.terms
    load_task(terms.task)
    return f"{terms.task.entry} runs, its source is the one accepted and the one on chain, 0x{terms.task.sha256().hex()}"


def _data(patient: Patient) -> str:
    from node.training import set_up

    workplace = set_up(patient.terms, patient.settings.data)
    invitation = patient.home.invitation()
    record = find_node(patient.ledger, patient.owner) if invitation is None else None
    workplace.fits((record.max_samples if record else 0) or sample_bound(invitation, patient.ledger))
    workplace.try_out()
    return f"{len(workplace.data)} samples, and a step of training works on them"


def _aggregator(patient: Patient) -> str:
    settings = patient.settings
    with FederationClient(settings.federation_url) as client:
        health, federation = client.health(), client.federation()
    if (federation.ledger, federation.chain_id) != (settings.ledger, settings.chain_id):
        raise Ill(
            f"{settings.federation_url} serves ledger {federation.ledger} on chain {federation.chain_id}, "
            f"node.toml names {settings.ledger} on chain {settings.chain_id}"
        )
    if health.status != "ok":
        raise Ill(f"{settings.federation_url} answers, but has trouble: {health.status}", "tell the operator; the node waits")
    return f"{settings.federation_url} serves this federation, version {health.version}"


def _scorers(patient: Patient) -> str:
    urls = patient.settings.scorers
    if not urls:
        return "none is named: an update that the aggregator refuses could be handed to nobody"
    for url in urls:
        with FederationClient(url) as client:
            client.health()
    return f"{', '.join(urls)}: an update that the aggregator refuses is handed to them"


_INIT = "run `fairshare node init {home} --federation URL --invitation FILE --data SOURCE` again"

CHECKS = (
    Check("directory", (), _directory, _INIT),
    Check("record", ("directory",), _record, "restore state.sqlite from a copy, or use the version that wrote it"),
    Check("key", (), _key, "restore {home}/keys from a copy, and check FAIRSHARE_PASSPHRASE_FILE and FAIRSHARE_PASSPHRASE"),
    Check("chain", ("directory",), _chain, "set rpc_url in {home}/node.toml to a node of that chain, or start the chain"),
    Check(
        "clock",
        ("chain",),
        _clock,
        "set this machine's clock by NTP; if it is right, the chain's node is out of step: set rpc_url to another one",
    ),
    Check(
        "contracts",
        ("chain",),
        _contracts,
        "compare the ledger's address with the operator's, and run the version of fairshare that deployed it",
    ),
    Check(
        "membership",
        ("contracts", "key"),
        _membership,
        "ask the operator for a new invitation, and restore keys/signing.json if the registry names another key",
    ),
    Check("balance", ("contracts", "key"), _balance, "send coin to the owner; on a local chain: `fairshare ledger fund OWNER`"),
    Check("config", ("contracts",), _config, _INIT + ", which shows the terms that are on chain and asks whether you accept"),
    Check("task", ("config",), _task, _INIT + "; install the Python packages that the task imports"),
    Check("data", ("task",), _data, "correct `data` in {home}/node.toml, or the data that it names"),
    Check("aggregator", ("directory",), _aggregator, "set federation_url in {home}/node.toml, or ask the operator to serve it"),
    Check("scorers", ("directory",), _scorers, "name others with `fairshare node init {home} --scorer URL`, as they tell you"),
)
"""In this order; what a check needs stands before it."""
