"""Bringing a federation onto a chain, and the file that says where it is: `deployments/<chain id>.json`.

The four contracts name each other for ever, so their addresses are computed before the first exists: they follow from
the deployer's address and nonces. The RoundLedger, created last, checks that the others name it.
"""

import hashlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from eth_utils.address import is_checksum_address
from pydantic import BaseModel, ConfigDict, ValidationError
from web3 import Web3
from web3.utils import get_create_address

from ledger.artifacts import ContractName, load_artifact
from ledger.contracts import creation_code, verify_code
from ledger.errors import DeploymentExists, DeploymentMismatch, DeploymentMissing
from ledger.journal import FileJournal
from ledger.records import Call
from ledger.sender import Journal, Sender
from protocol.config import FederationConfig
from protocol.errors import FormatError
from protocol.files import write_durably
from protocol.founding import FoundingFile

ADMIN_DELAY = 2 * 24 * 3600
"""Seconds that everybody can see a change of the admin coming."""

_ORDER = tuple(ContractName)


class Deployment(BaseModel):
    """Where a federation is: chain, addresses (checksummed), and the block in which it was complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    chain_id: int
    ledger: str
    registry: str
    token: str
    block: int


def deployment_path(directory: Path, chain_id: int) -> Path:
    """Where a federation directory keeps its deployment on a chain."""
    return directory / "deployments" / f"{chain_id}.json"


def read_deployment(path: Path) -> Deployment:
    """Read a deployment file.

    Raises `DeploymentMissing` if it is not there, `FormatError` if it is not one.
    """
    try:
        return Deployment.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DeploymentMissing(path, "there is no such file") from error
    except ValidationError as error:
        raise FormatError(f"{path} is not a deployment file: restore it, or deploy again") from error


def found_federation(
    directory: Path,
    web3: Web3,
    make_sender: Callable[[Journal], Sender],
    config: FederationConfig,
    founding: FoundingFile,
    say: Callable[[str], None],
) -> Deployment:
    """Deploy and write `deployments/<chain id>.json`. Interrupted at any point, it continues when called again.

    `make_sender` gets the journal that survives the interruption; `say` hears of each step. Raises what `deploy` raises,
    and `DeploymentExists` if the file is there and its contracts are alive; a file about contracts that are gone is replaced.
    """
    path = deployment_path(directory, web3.eth.chain_id)
    if path.exists() and _is_alive(web3, standing := read_deployment(path)):
        raise DeploymentExists(path, standing.ledger)
    journal = FileJournal(path.with_suffix(".journal"))
    deployment = deploy(web3, make_sender(journal), config, founding, say)
    write_durably(path, (deployment.model_dump_json(indent=2) + "\n").encode())
    journal.path.unlink(missing_ok=True)
    return deployment


def deploy(
    web3: Web3,
    sender: Sender,
    config: FederationConfig,
    founding: FoundingFile,
    say: Callable[[str], None] = lambda step: None,
) -> Deployment:
    """Deploy the four contracts, with the first bonds; with the same sender's journal, a second call gives the same deployment.

    Admin, operator and guardian are `founding.operator`, who pays the bonds of the aggregator and the scorers.

    Raises `FormatError` if the founding file is not about this config or names what is no address, `Reverted` if a
    constructor refuses, `DeploymentMismatch` if something else came to lie at an address, and what `Sender.submit` raises.
    """
    _check(config, founding)
    plan = _plan(sender, founding)
    block = 0
    for name, code, value in _creations(plan, config, founding):
        say(f"creating {name} at {plan.address(name)}")
        block = sender.submit(plan.key(name), Call(None, code, value, f"create {name}")).block
        verify_code(web3, plan.address(name), load_artifact(name))
    return Deployment(
        chain_id=web3.eth.chain_id,
        ledger=plan.address(ContractName.LEDGER),
        registry=plan.address(ContractName.REGISTRY),
        token=plan.address(ContractName.TOKEN),
        block=block,
    )


class _Plan(NamedTuple):
    """One attempt to deploy: its transactions' keys in the journal, and their nonces, which give the addresses."""

    deployer: str
    attempt: str
    nonce: int

    def key(self, name: ContractName) -> str:
        return f"{self.attempt}/{name}"

    def address(self, name: ContractName) -> str:
        return str(get_create_address(self.deployer, self.nonce + _ORDER.index(name)))  # type: ignore[arg-type] # checksummed


def _plan(sender: Sender, founding: FoundingFile) -> _Plan:
    """The attempt that the journal has begun and that can still be completed, or a new one."""
    digest = hashlib.sha256(founding.model_dump_json().encode()).hexdigest()[:16]
    for number in count():
        attempt = f"deploy/{digest}/{number}"
        begun = [sender.recorded(f"{attempt}/{name}") for name in _ORDER]
        if begun[0] is None:
            return _Plan(sender.address, attempt, sender.next_nonce())
        nonce, following = begun[0].nonce, sum(entry is not None for entry in begun)
        if all(entry is None or entry.nonce == nonce + i for i, entry in enumerate(begun)) and (
            following == len(_ORDER) or sender.next_nonce() == nonce + following
        ):
            return _Plan(sender.address, attempt, nonce)
        # Another transaction of the deployer came between: the addresses that this attempt has written down are lost.
    raise AssertionError("count() has no end")


def _creations(plan: _Plan, config: FederationConfig, founding: FoundingFile) -> list[tuple[ContractName, bytes, int]]:
    """Every contract's creation code, and what is sent along in wei."""
    addresses = {name: plan.address(name) for name in _ORDER}
    token, registry, court, ledger = (addresses[name] for name in _ORDER)
    pay, stake, rounds = config.pay, config.stake, config.rounds
    timing = (
        rounds.commit_seconds,
        rounds.close_seconds,
        rounds.reveal_seconds,
        rounds.grace_seconds,
        rounds.propose_seconds,
        rounds.window_seconds,
        rounds.vote_seconds,
    )
    federation = (
        token,
        registry,
        court,
        founding.operator,  # the admin
        founding.operator,
        founding.operator,  # the guardian
        ADMIN_DELAY,
        founding.config_hash,
        founding.task_hash,
        founding.genesis_model,
        pay.pool,
        pay.scorer_pool,
        rounds.maximum_pending,
        timing,
    )
    amounts = (stake.minimum, stake.aggregator_bond, stake.scorer_bond, stake.proof_fee, stake.open_fee)
    people = (stake.open_samples, founding.aggregator, founding.scorers)
    bonds = stake.aggregator_bond + len(founding.scorers) * stake.scorer_bond
    constructors: dict[ContractName, tuple[object, ...]] = {
        ContractName.TOKEN: (pay.token_name, pay.token_symbol, pay.cap, ledger),
        ContractName.REGISTRY: (ledger, court, stake.unbonding_seconds, amounts, *people),
        ContractName.COURT: (ledger, registry, stake.dispute_bond),
        ContractName.LEDGER: (federation,),
    }
    values = {ContractName.REGISTRY: bonds}
    return [(name, creation_code(name, *constructors[name]), values.get(name, 0)) for name in _ORDER]


def _check(config: FederationConfig, founding: FoundingFile) -> None:
    if config.sha256() != founding.config_hash:
        raise FormatError(
            f"founding.json is about a config with hash 0x{founding.config_hash.hex()}, but federation.toml has hash "
            f"0x{config.sha256().hex()}: it was changed since; run `fairshare aggregator init` again"
        )
    for what in ("task_hash", "genesis_model"):
        if len(getattr(founding, what)) != 32:
            raise FormatError(
                f"founding.json: {what} has {len(getattr(founding, what))} bytes, and a hash has 32: "
                "run `fairshare aggregator init` again"
            )
    for address in (founding.operator, founding.aggregator, *founding.scorers):
        if not is_checksum_address(address):
            raise FormatError(
                f"founding.json: {address!r} is no EIP-55 checksummed address: run `fairshare aggregator init` again"
            )


def _is_alive(web3: Web3, deployment: Deployment) -> bool:
    try:
        verify_code(web3, deployment.ledger, load_artifact(ContractName.LEDGER))
    except DeploymentMismatch:
        return False
    return True
