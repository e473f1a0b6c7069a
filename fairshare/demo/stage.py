"""Setting the stage: a chain, a federation founded and deployed on it, its service, and eight participants that join.

Every step does what the command of the same name does; only the long-running ones are processes of their own.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from aggregator.founding import Wishes, found
from aggregator.home import KEYS, AggregatorHome
from aggregator.template import federation_text, with_values
from fairshare.demo.cast import CAST, HONEST, Player
from fairshare.demo.processes import Processes
from ledger.chain.faucet import faucet_path, fund
from ledger.client import LedgerClient
from ledger.connection import connect
from ledger.deployment import found_federation
from ledger.sender import Sender
from ledger.wallet import Wallet
from node.consent import consent
from node.enrolment import enrol, home_at
from node.membership import join
from protocol.client import FederationClient
from protocol.errors import ServiceError
from protocol.invitation import InvitationFile, invitation_file
from protocol.terms import terms_hash
from protocol.typed_data import Domain, Invitation

_CHAIN_ID = 31337
_COIN = 10**18
_DAY = 24 * 3600
_PATIENCE = 300
"""Seconds for a process to start, on a slow machine that is busy."""
# Keys that live for minutes need no second of key stretching each; a real wallet takes the strong default.
_SCRYPT = 2**12

_TERMS: Mapping[str, str | int | list[str]] = {
    "momentum": "0.9",
    "epochs": 4,
    "commit_seconds": 120,
    "reveal_seconds": 60,
    "window_seconds": 2,
}
"""Where the demo's federation.toml differs from what `fairshare aggregator init` writes: short times, and all must be there."""


@dataclass(frozen=True)
class Stage:
    """A federation at work. `players` by owner address, in the order of their node indices."""

    home: AggregatorHome
    rpc_url: str
    ledger: LedgerClient
    client: FederationClient
    players: Mapping[str, Player]
    owners: Mapping[str, Wallet]


def set_up(
    directory: Path, passphrase: str, processes: Processes, say: Callable[[str], None], cast: Sequence[Player] = CAST
) -> Stage:
    """Build everything in `directory` and start it. Raises `DemoError` if a process ends."""
    say("starting a chain")
    chain_home = directory / "chain"
    rpc_url = _start_chain(chain_home, processes)

    say("founding the federation: task digits (scikit-learn's real handwritten digits)")
    home = AggregatorHome(directory / "federation")
    keys = {name: Wallet.create(home.key(name), passphrase, scrypt_n=_SCRYPT) for name in KEYS}
    home.federation_file.write_text(
        with_values(federation_text("digits demo", "Digits"), {**_TERMS, "minimum_commits": len(cast)})
    )
    founding = found(home, Wishes(task="digits", rpc_url=rpc_url, chain_id=_CHAIN_ID), passphrase)

    say("deploying four contracts")
    faucet = faucet_path(chain_home / "chain.sqlite")
    for name in ("operator", "aggregator"):
        fund(rpc_url, faucet, keys[name].address, 100 * _COIN)
    web3, operator = connect(rpc_url, _CHAIN_ID), keys["operator"].unlock(passphrase)
    deployed = found_federation(
        home.path, web3, lambda journal: Sender(web3, operator, journal), founding.config, founding.file, lambda _: None
    )
    ledger = LedgerClient.open(rpc_url, _CHAIN_ID, deployed.ledger)

    say("starting the aggregator")
    client = FederationClient(_start_service(home, processes))

    players: dict[str, Player] = {}
    owners: dict[str, Wallet] = {}
    for player in cast:
        say(f"{player.name} joins and starts to train ({player.role})")
        path = directory / player.name
        node_home = home_at(path)
        owner = Wallet.create(node_home.owner_key, passphrase, scrypt_n=_SCRYPT)
        Wallet.create(node_home.signing_key, passphrase, scrypt_n=_SCRYPT)
        fund(rpc_url, faucet, owner.address, _COIN)
        settings = enrol(
            node_home,
            _invite(ledger.domain, owner.address, operator),
            ledger,
            client,
            rpc_url=rpc_url,
            data=player.data,
            payout=None,
            consent=lambda offered: consent(offered, terms_hash(founding.file.config_hash, founding.file.task_hash)),
        )
        join(node_home, settings, ledger, lambda: passphrase, stake=None)
        players[owner.address], owners[owner.address] = player, owner
        if player.role == HONEST:
            processes.start(player.name, "fairshare", "node", "run", str(path))
        else:
            processes.start(player.name, "fairshare.demo.participant", str(path), player.role)
    return Stage(home, rpc_url, ledger, client, players, owners)


def _start_chain(chain_home: Path, processes: Processes) -> str:
    processes.start("chain", "fairshare", "ledger", "chain", "--home", str(chain_home), "--port", "0", "--json")

    def announced() -> str | None:
        lines = (processes.logs / "chain.log").read_text().splitlines()
        return next((str(json.loads(line)["rpc_url"]) for line in lines if line.startswith("{")), None)

    return processes.wait_for("the start of the chain", announced, _PATIENCE)


def _start_service(home: AggregatorHome, processes: Processes) -> str:
    processes.start("aggregator", "fairshare", "aggregator", "serve", str(home.path), "--port", "0")

    def answering() -> str | None:
        if not home.service_file.exists():
            return None
        url = str(json.loads(home.service_file.read_text())["url"])
        try:
            with FederationClient(url) as client:
                client.health()
        except ServiceError:
            return None
        return url

    return processes.wait_for("the start of the aggregator", answering, _PATIENCE)


def _invite(domain: Domain, owner: str, account: LocalAccount) -> InvitationFile:
    invitation = Invitation(owner, 1000, secrets.token_bytes(32), int(time.time()) + _DAY)
    return invitation_file(domain, invitation, invitation.sign(domain, account))
