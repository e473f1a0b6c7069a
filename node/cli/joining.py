"""The commands by which a participant joins: its keys and directory, the terms that it accepts, and its entry in the registry."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.options import Home, asking, ends_well, open_home
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, note, plain, when, working

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from node.home import NodeHome, Terms
    from node.settings import NodeSettings
    from protocol.client import FederationClient
    from protocol.terminal import Working


@ends_well
def init(
    directory: Home,
    federation: Annotated[str | None, typer.Option(metavar="URL", help="The aggregator's URL.")] = None,
    invitation: Annotated[Path | None, typer.Option(metavar="FILE", help="The operator's invitation.")] = None,
    data: Annotated[str | None, typer.Option(metavar="SOURCE", help="Your data, as the task's load() understands it.")] = None,
    rpc_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="FAIRSHARE_RPC_URL", help="Nodes of the chain, separated by commas."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="RoundLedger of a federation that is open to all, instead of an invitation."),
    ] = None,
    chain_id: Annotated[int | None, typer.Option(min=1, help="Id of that ledger's chain; default: the local chain's.")] = None,
    payout: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where rewards go; default: the owner.")] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A scorer, for an update that the aggregator refuses. May be repeated; default: those that it names.",
        ),
    ] = None,
    accept_terms: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Accept the config and task with this hash, without being asked.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make the node's keys; with an invitation, check the federation against the chain and accept its terms, config and task.

    The first call needs the directory alone, and prints the owner's address for the operator, who makes the invitation.
    The second one finishes; where the federation is open, --ledger stands for the invitation. Both may be repeated; what is not
    given again stays as it was. When the terms change, the same command shows what is different, and accepts that; also of terms
    that are only announced.

    Example: fairshare node init press-7 --federation http://host:8700 --invitation invitation.json --data press-7.csv
    """
    from ledger.client import LedgerClient
    from ledger.places import LOCAL_CHAIN_ID, LOCAL_RPC_URL, read_address
    from ledger.wallet import read_passphrase
    from node.enrolment import enrol, home_at, make_keys
    from node.errors import HomeIncomplete
    from protocol.client import FederationClient
    from protocol.invitation import read_invitation

    accepted = None if accept_terms is None else _hash(accept_terms)
    paid_to = None if payout is None else read_address(payout)
    home = home_at(directory)
    complete = home.owner_key.exists() and home.signing_key.exists()
    passphrase = "" if complete else read_passphrase(f"the keys of {directory}", passphrase_file, confirm=True)
    with working("making the keys", quiet=as_json or complete):
        owner, signing = make_keys(home, passphrase)
    keys = {"owner": str(owner.address), "signing_key": str(signing.address)}
    before = home.written_settings()
    if before is None and federation is None and invitation is None and ledger is None:
        following = f"fairshare ledger invite {owner.address} --federation FEDERATION_DIR"
        emit({**keys, "ready": False, "next": following}, as_json, lambda: _show_keys(directory, keys, following))
        return
    if before is None and federation is None:
        raise HomeIncomplete(directory, "URL of the aggregator")
    invited = home.invitation() if invitation is None else read_invitation(invitation)
    if invited is not None:
        address, chain = invited.ledger, invited.chain_id
    elif ledger is not None:
        address, chain = read_address(ledger), chain_id or LOCAL_CHAIN_ID
    elif before is not None:
        address, chain = before.ledger, before.chain_id
    else:
        raise HomeIncomplete(directory, "invitation")
    chain_url = rpc_url or (before.rpc_url if before else LOCAL_RPC_URL)
    url = federation or (before.federation_url if before else "")
    with working("asking the chain and the aggregator", quiet=as_json) as tell, FederationClient(url) as client:
        agreeing = _Agreeing(home, tell, accepted)
        contracts = LedgerClient.open(chain_url, chain, address)
        settings = enrol(
            home,
            invited,
            contracts,
            client,
            rpc_url=chain_url,
            data=data,
            payout=paid_to,
            scorers=tuple(scorer or ()),
            consent=agreeing.now,
        )
        agreeing.ahead(settings, client, contracts)
    following = f"fairshare node join {shlex.quote(str(directory))}"
    result = {**keys, "ready": True, "next": following, **settings.model_dump(mode="json")}
    emit(
        result, as_json, lambda: print(plain(f"{directory} is ready: config and task are those of the ledger. Next: {following}"))
    )


@ends_well
def join(
    directory: Home,
    stake: Annotated[str | None, typer.Option(help="Coin to deposit, as a decimal number; default: the least.")] = None,
    fee: Annotated[
        str | None, typer.Option(help="Accept so much coin of fee, in an open federation, without being asked.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Join the federation: deposit the stake and enter the registry. Repeated, it changes nothing.

    Without an invitation, where the federation is open to all, it costs a fee as well, which is shown, and asked for, first.

    Example: fairshare node join press-7
    """
    from ledger.amounts import parse_amount, show_amount
    from node import membership
    from node.consent import accept_fee

    wei, most = (None if amount is None else parse_amount(amount) for amount in (stake, fee))
    with working("joining", quiet=as_json) as tell:

        def agree(costs: int) -> None:
            with tell.paused():
                accept_fee(costs, most)

        home, settings, ledger = open_home(directory)
        joined = membership.join(home, settings, ledger, asking(tell, directory, passphrase_file), wei, agree)
    record, tx_hash = joined.node, None if joined.tx_hash is None else "0x" + joined.tx_hash.hex()
    did = "has joined already, as" if tx_hash is None else "joined as"
    sentence = f"{record.owner} {did} node {record.node} with a stake of {show_amount(record.stake)} coin."
    result = {"node": record.node, "owner": record.owner, "stake": str(record.stake), "transaction": tx_hash}
    emit(result, as_json, lambda: print(plain(f"{sentence} Next: fairshare node run {shlex.quote(str(directory))}")))


class _Agreeing:
    """Who accepts the terms in one call of init: those that were accepted before, the option, or whoever is at the terminal."""

    def __init__(self, home: "NodeHome", tell: "Working", accepted: bytes | None) -> None:
        self._home, self._tell, self._accepted = home, tell, accepted
        self._in_force: Terms | None = None

    def now(self, offered: "Terms") -> None:
        """Accept the terms in force."""
        from node.consent import consent

        if self._home.accepted(offered.config.sha256(), offered.task.sha256()) is None:
            with self._tell.paused():
                consent(offered, self._accepted, self._home.last_accepted())
            self._accepted = None
        elif self._accepted == offered.digest:
            self._accepted = None
        self._in_force = offered
        self._tell("trying the task out on your data")

    def ahead(self, settings: "NodeSettings", client: "FederationClient", ledger: "LedgerClient") -> None:
        """Accept the terms that are announced, if there are any. Not to accept them yet is no error."""
        from node.consent import consent
        from node.enrolment import accept_ahead
        from node.errors import TermsNotAccepted
        from node.terms import fetch_announced

        announced = fetch_announced(client, ledger)
        if announced is None:
            if self._accepted is not None:
                raise TermsNotAccepted(self._accepted, f"0x{self._accepted.hex()} are no terms of this federation")
            return
        note(f"The federation's terms are about to change, from {when(announced.enactable_at)} on.")
        try:
            with self._tell.paused():
                accept_ahead(self._home, settings, announced.terms, lambda it: consent(it, self._accepted, self._in_force))
        except TermsNotAccepted as error:
            if self._accepted is not None:
                raise
            note(f"Not accepted yet: {error}")
        else:
            note(f"Accepted: 0x{announced.terms.digest.hex()}")


def _show_keys(directory: Path, keys: Mapping[str, str], following: str) -> None:
    print(f"owner        {keys['owner']}\nsigning key  {keys['signing_key']}")
    print(f"Send the owner's address to the operator, who runs\n  {following}\nand sends you the invitation. Then:")
    print(plain(f"  fairshare node init {shlex.quote(str(directory))} --federation URL --invitation FILE --data SOURCE"))


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != 32:
        raise typer.BadParameter(f"{text!r} is not a SHA-256: 64 hexadecimal digits", param_hint="--accept-terms")
    return found
