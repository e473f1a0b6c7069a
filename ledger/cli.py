"""`fairshare ledger`: the chain, for the operator and for anyone who wants to check it.

Everything heavy (web3, the local chain) is imported where it is used, so that `--help` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.acting import bond, release, rounds
from ledger.errors import LEDGER_EXIT_CODES, NeverJoined, WrongWallet
from ledger.governing import announce, enact, role, terms
from ledger.options import ChainId, Federation, Ledger, RpcUrl, open_client
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, expecting, note, table, working

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.client import LedgerClient

app = typer.Typer(
    no_args_is_help=True,
    help="The chain: local chain, coin, deployment, invitations, rounds, rewards, and the federation's terms.",
)

CHAIN_HOME = Path("~/.fairshare/chain")
"""Where the local chain lives unless another place is named."""

Home = Annotated[Path, typer.Option(help="Directory of the local chain's database.")]


@app.command()
@expecting(LEDGER_EXIT_CODES)
def chain(
    home: Home = CHAIN_HOME,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8545,
    as_json: Json = False,
) -> None:
    """Serve the local chain until Ctrl-C. Nothing is lost when it is stopped or killed.

    Example: fairshare ledger chain --home ./chain --port 8545
    """
    from ledger.chain.engine import LOCAL_CHAIN_ID
    from ledger.chain.server import serve_chain

    database = _database(home)

    def announce(url: str) -> None:
        def show() -> None:
            print(f"chain {LOCAL_CHAIN_ID} at {url} (kept in {database}); Ctrl-C stops it")

        emit({"rpc_url": url, "chain_id": LOCAL_CHAIN_ID, "database": str(database)}, as_json, show)
        sys.stdout.flush()

    serve_chain(database, port, announce=announce)


@app.command()
@expecting(LEDGER_EXIT_CODES)
def fund(
    address: Annotated[str, typer.Argument(help="Account that gets the coin.")],
    amount: Annotated[str, typer.Option(help="How much coin, as a decimal number.")] = "10",
    rpc_url: RpcUrl = None,
    chain_home: Home = CHAIN_HOME,
    as_json: Json = False,
) -> None:
    """Give an account coin of the local chain, for gas and stake.

    Example: fairshare ledger fund 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --amount 2.5
    """
    from ledger.amounts import parse_amount, show_amount
    from ledger.chain.faucet import faucet_path
    from ledger.chain.faucet import fund as give
    from ledger.places import find_chain, read_address

    to, wei = read_address(address), parse_amount(amount)
    with working("waiting for the coin", quiet=as_json):
        tx_hash = give(find_chain(None, rpc_url, None).rpc_url, faucet_path(_database(chain_home)), to, wei)
    result = {"address": to, "amount": str(wei), "transaction": tx_hash}
    emit(result, as_json, lambda: print(f"{to} got {show_amount(wei)} coin"))


@app.command()
@expecting(LEDGER_EXIT_CODES)
def deploy(
    directory: Annotated[
        Path,
        typer.Argument(metavar="FEDERATION_DIR", exists=True, file_okay=False, help="Made by `fairshare aggregator init`."),
    ],
    rpc_url: RpcUrl = None,
    chain_id: ChainId = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Deploy the federation's contracts by the operator's key, and write deployments/CHAIN_ID.json.

    Interrupted, it continues when given again. It never replaces contracts that are alive.

    Example: fairshare ledger deploy ./federation --rpc-url http://127.0.0.1:8545
    """
    from ledger.connection import connect
    from ledger.deployment import deployment_path, found_federation
    from ledger.places import find_chain
    from ledger.sender import Sender
    from protocol.config import parse_config
    from protocol.founding import read_founding

    founding = read_founding(directory / "founding.json")
    config = parse_config((directory / "federation.toml").read_text())
    where = find_chain(directory, rpc_url, chain_id)
    web3 = connect(where.rpc_url, where.chain_id)
    account = _unlock(directory, founding.operator, passphrase_file)
    with working("waiting until each contract is mined", quiet=as_json) as tell:

        def say(step: str) -> None:
            with tell.paused():
                note(step)

        done = found_federation(directory, web3, lambda journal: Sender(web3, account, journal), config, founding, say)
    path = deployment_path(directory, where.chain_id)

    def show() -> None:
        table(("contract", "address"), (("RoundLedger", done.ledger), ("NodeRegistry", done.registry), ("token", done.token)))
        print(f"deployed on chain {done.chain_id} by block {done.block}; written to {path}")

    emit({**done.model_dump(), "file": str(path)}, as_json, show)


@app.command()
@expecting(LEDGER_EXIT_CODES)
def invite(
    address: Annotated[str, typer.Argument(help="Owner of the node-to-be, as `fairshare node init` prints it.")],
    federation: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Federation directory.")],
    max_samples: Annotated[
        int, typer.Option(min=1, max=2**32 - 1, help="Most samples a round the node may count for: its weight is bounded by it.")
    ] = 10_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the invitation is good for.")] = 30,
    out: Annotated[Path | None, typer.Option(help="File to write; default: invitation-ADDRESS.json here.")] = None,
    chain_id: ChainId = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Sign an invitation to join, for one owner and one use. No chain is needed for it.

    Example: fairshare ledger invite 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --federation ./federation --max-samples 5000
    """
    import secrets
    import time

    from ledger.places import find_chain, find_deployment, read_address
    from protocol.founding import read_founding
    from protocol.invitation import invitation_file
    from protocol.typed_data import Domain, Invitation

    owner = read_address(address)
    file = out or Path(f"invitation-{owner}.json")
    if file.exists():
        raise FileExistsError(f"{file} exists and is not overwritten; name another file by --out")
    deployment = find_deployment(federation, find_chain(federation, None, chain_id).chain_id)
    domain = Domain(deployment.chain_id, deployment.ledger)
    account = _unlock(federation, read_founding(federation / "founding.json").operator, passphrase_file)
    invitation = Invitation(owner, max_samples, secrets.token_bytes(32), int(time.time()) + days * 24 * 3600)
    signed = invitation_file(domain, invitation, invitation.sign(domain, account))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x") as opened:
        opened.write(signed.model_dump_json(indent=2) + "\n")
    result = {"file": str(file), "invitation": signed.model_dump()}
    emit(result, as_json, lambda: print(f"{file}: {owner} may join with up to {max_samples} samples within {days} days"))


@app.command()
@expecting(LEDGER_EXIT_CODES)
def status(
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show a federation as the chain has it: its rounds, and what of the token is minted and promised.

    Example: fairshare ledger status --ledger 0x5FbDB2315678afecb367f032d93F642f64180aa3 --chain-id 31337
    """
    from ledger.views import show_status, status_as_json, status_of

    with working("reading every round from the chain", quiet=as_json):
        found = status_of(open_client(federation, ledger, rpc_url, chain_id))
    emit(status_as_json(found), as_json, lambda: show_status(found))


@app.command()
@expecting(LEDGER_EXIT_CODES)
def rewards(
    node: Annotated[str, typer.Argument(metavar="ADDRESS|INDEX", help="A node's index, or its owner's address.")],
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show what a node earned, round by round, straight from the chain.

    Example: fairshare ledger rewards 3 --federation ./federation
    """
    from ledger.rewards import rewards_of
    from ledger.views import rewards_as_json, show_rewards

    with working("reading every round from the chain", quiet=as_json):
        client = open_client(federation, ledger, rpc_url, chain_id)
        record = client.node(_index(client, node))
        found = rewards_of(client, record.node)
    emit(rewards_as_json(record, found, client.block()), as_json, lambda: show_rewards(record, found, client.token_symbol()))


def _database(home: Path) -> Path:
    return home.expanduser() / "chain.sqlite"


def _index(client: "LedgerClient", node: str) -> int:
    from ledger.places import read_address

    # Indices are 32 bits wide on chain; a longer number is a mistyped address.
    if node.isascii() and node.isdecimal() and int(node) < 1 << 32:
        return int(node)
    owner = read_address(node)
    index = client.index_of(owner)
    if index is None:
        raise NeverJoined(owner, client.ledger_address)
    return index


def _unlock(directory: Path, operator: str, passphrase_file: Path | None) -> "LocalAccount":
    """The operator's key, after a check that it is the operator's, which needs no passphrase."""
    from ledger.wallet import Wallet, read_passphrase

    wallet = Wallet.open(directory / "keys" / "operator.json")
    if wallet.address != operator:
        raise WrongWallet(wallet.path, wallet.address, operator)
    passphrase = read_passphrase(f"the wallet {wallet.path}", passphrase_file)
    with working("unlocking the operator's key"):
        return wallet.unlock(passphrase)


for _command in (bond, rounds, release, terms, announce, enact, role):
    app.command()(_command)
