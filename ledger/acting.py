"""The commands of `fairshare ledger` that send for whoever has the key: bonds, reservations, and the opening of rounds."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.errors import LEDGER_EXIT_CODES
from ledger.options import ChainId, Federation, Key, Ledger, RpcUrl, open_client
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, expecting, working

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.records import Call

_expecting = expecting(LEDGER_EXIT_CODES)


class BondAction(StrEnum):
    """What can be done about a bond: `deposit` puts down what it lacks, `collect` sends what proofs and disputes left owed."""

    DEPOSIT = "deposit"
    UNBOND = "unbond"
    WITHDRAW = "withdraw"
    COLLECT = "collect"


class Opening(StrEnum):
    """Whether rounds may open."""

    PAUSE = "pause"
    UNPAUSE = "unpause"


@_expecting
def bond(
    action: Annotated[BondAction, typer.Argument(help="What to do; only unbond must be sent by the account itself.")],
    address: Annotated[str, typer.Argument(help="The aggregator or scorer whose bond it is.")],
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put down, unbond, withdraw or collect for the aggregator or a scorer. A bond counts from the next round on.

    Given again, it sends only what is still due, as all commands do that send.

    Example: fairshare ledger bond deposit 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --key ./keys/me.json --ledger 0x…
    """
    from ledger.amounts import show_amount
    from ledger.bonds import Bonds
    from ledger.places import read_address

    account = read_address(address)
    client = open_client(federation, ledger, rpc_url, chain_id)
    bonds = Bonds(client)

    def due(_: str) -> "Call | None":
        amount, free_at = bonds.of(account)
        match action:
            case BondAction.DEPOSIT:
                missing = bonds.missing(account)
                return client.deposit_bond(account, missing) if missing or free_at else None
            case BondAction.UNBOND:
                return None if free_at else client.unbond()
            case BondAction.WITHDRAW:
                return client.withdraw_bond(account) if amount else None
            case BondAction.COLLECT:
                return client.collect(account) if bonds.owed(account) else None

    send(client, key, passphrase_file, due, as_json)
    amount, free_at = bonds.of(account)
    result = {"address": account, "bond": str(amount), "free_at": free_at or None, "owed": str(bonds.owed(account))}
    emit(result, as_json, lambda: print(f"{account} has a bond of {show_amount(amount)} coin" + ", unbonding" * bool(free_at)))


@_expecting
def rounds(
    action: Annotated[Opening, typer.Argument(help="pause: by the guardian; unpause: by the admin.")],
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Stop rounds from opening, or let them open again. Rounds under way, claims and stakes go on in any case.

    Example: fairshare ledger rounds pause --key ./keys/guardian.json --ledger 0x…
    """
    client = open_client(federation, ledger, rpc_url, chain_id)
    wanted = action is Opening.PAUSE

    def due(_: str) -> "Call | None":
        if client.paused() is wanted:
            return None
        return client.pause() if wanted else client.unpause()

    send(client, key, passphrase_file, due, as_json)
    paused = client.paused()
    emit({"paused": paused}, as_json, lambda: print("no round opens" if paused else "rounds open again"))


@_expecting
def release(
    number: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="A round that is Void or pays nobody.")],
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Give back what a round that pays nobody had reserved under the token's cap. The aggregator does it by itself; anyone may.

    Example: fairshare ledger release 3 --key ./keys/me.json --ledger 0x…
    """
    from ledger.amounts import show_amount

    client = open_client(federation, ledger, rpc_url, chain_id)
    send(client, key, passphrase_file, lambda _: None if client.round(number).released else client.release(number), as_json)
    reserved = client.reserved()
    told = f"round {number} is released; minted or promised {show_amount(reserved)}"
    emit({"round": number, "reserved": str(reserved)}, as_json, lambda: print(told))


def outbox_of(keystore: Path) -> Path:
    """Where commands that send with this wallet remember what they sent: `transactions` beside the folder of a home's keys."""
    folder = keystore.absolute().parent
    return (folder.parent if folder.name == "keys" else folder) / "transactions"


def send(
    client: "LedgerClient", key: Path, passphrase_file: Path | None, due: "Callable[[str], Call | None]", as_json: bool
) -> bool:
    """Send what is `due` for the account of the wallet `key`, out of its outbox; False if nothing is.

    `due` gets the account's address, and looks at the chain when nothing that was sent before can be mined any more unseen: so a
    command that was killed and is given again sends nothing twice.
    """
    from ledger.outbox import outbox
    from ledger.sender import Sender
    from ledger.wallet import Wallet, read_passphrase

    wallet = Wallet.open(key)
    with outbox(outbox_of(key), client.web3, wallet.address) as journal:
        call = due(wallet.address)
        if call is None:
            return False
        passphrase = read_passphrase(f"the wallet {wallet.path}", passphrase_file)
        with working("waiting until it is mined", quiet=as_json):
            Sender(client.web3, wallet.unlock(passphrase), journal).submit(call.what, call)
    return True
