"""The commands by which a participant acts: its directory, the federation, the rounds, its tokens and its stake."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.options import Home, Json, PassphraseFile, Round, asking, ends_well, open_home
from protocol.terminal import emit, note, plain, when, working

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from node.home import NodeHome, Terms
    from node.reporter import Reporter
    from node.settings import NodeSettings
    from node.terms import Agree
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


@ends_well
def run(
    directory: Home,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop after this many rounds; default: at Ctrl-C.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Train, commit and reveal in round after round. A restart goes on where the last run was, whatever ended it.

    Terms that were not accepted are asked about at a terminal; without one they end the run, and `fairshare node init` accepts.

    Example: fairshare node run press-7
    """
    from ledger.wallet import read_passphrase
    from node.stopping import Stopped, stopping_on_signals

    told: list[dict[str, Any]] = []
    try:
        with stopping_on_signals():
            with working("starting", quiet=as_json):
                from node.reporter import reporting
                from node.runner import run as follow

            passphrase = read_passphrase(f"the keys of {directory}", passphrase_file)
            with reporting(sys.stderr if as_json else sys.stdout) as reporter:
                follow(
                    directory,
                    passphrase,
                    reporter,
                    rounds=rounds,
                    on_report=lambda report: told.append(report.to_json()),
                    agree=_asking(reporter) if sys.stdin.isatty() else None,
                )
    except Stopped:
        note(f"stopped; `fairshare node run {directory}` goes on where it was")
    emit({"rounds": told}, as_json, lambda: None)


@ends_well
def claim(
    directory: Home,
    payer: Annotated[
        Path | None, typer.Option(metavar="KEYSTORE", help="Wallet that pays the gas; default: the owner's.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Claim all Final rounds that are not claimed yet. The tokens go to the payout address, whoever pays the gas.

    Example: fairshare node claim press-7
    """
    from ledger.amounts import show_amount
    from ledger.outbox import outbox
    from ledger.sender import Sender
    from ledger.wallet import Wallet
    from node.earnings import Claimed, earnings
    from node.earnings import claim as send_claims
    from node.membership import own_node

    with working("reading every round from the chain", quiet=as_json) as tell:
        home, _, ledger = open_home(directory)
        node, wallet = own_node(home, ledger), Wallet.open(payer or home.owner_key)
        symbol, done = ledger.token_symbol(), Claimed((), 0, ())
        with outbox(home.transactions, ledger.web3, wallet.address) as journal:
            found = earnings(ledger, node.node)
            if found.claimable_rounds:
                account = wallet.unlock(asking(tell, wallet.path, passphrase_file)())
                done = send_claims(ledger, found, Sender(ledger.web3, account, journal))
        if done.rounds:
            sentence = f"claimed {show_amount(done.amount)} {symbol} of {len(done.rounds)} round(s) for {node.payout}"
        else:
            sentence = f"nothing to claim; {show_amount(found.amounts['pending'])} {symbol} are pending"
    result = {
        "node": node.node,
        "payout": node.payout,
        "claimed": str(done.amount),
        "rounds": list(done.rounds),
        "transactions": ["0x" + mined.tx_hash.hex() for mined in done.mined],
    }
    emit(result, as_json, lambda: print(sentence))


@ends_well
def leave(directory: Home, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Leave the federation: the first call leaves, and once the stake is free, the next one gets it back.

    In between it says from when on. What was earned stays claimable, before and after.

    Example: fairshare node leave press-7
    """
    from ledger.amounts import show_amount
    from node.leaving import Step
    from node.leaving import leave as do_what_is_due

    with working("asking the registry", quiet=as_json) as tell:
        home, _, ledger = open_home(directory)
        found = do_what_is_due(home, ledger, asking(tell, directory, passphrase_file))
    stake = f"{show_amount(found.amount)} coin"
    sentence = {
        Step.LEFT: f"node {found.node} has left: it takes part in no round that opens from now on. Its stake of {stake} is free "
        f"at {when(found.free_at)}; get it by: fairshare node leave {directory}",
        Step.WAITING: f"node {found.node} has left; its stake of {stake} is free at {when(found.free_at)}, "
        f"{found.seconds_left} s from now. Then: fairshare node leave {directory}",
        Step.WITHDRAWN: f"{found.owner} got its stake of {stake} back; what node {found.node} earned stays claimable",
        Step.GONE: f"node {found.node} has left, and its stake was withdrawn before: there is nothing to do",
    }[found.step]
    result = {
        "step": found.step,
        "node": found.node,
        "owner": found.owner,
        "stake": str(found.amount),
        "free_at": found.free_at or None,
        "transaction": None if found.tx_hash is None else "0x" + found.tx_hash.hex(),
    }
    emit(result, as_json, lambda: print(sentence))


@ends_well
def prove(directory: Home, number: Round, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Prove on chain that a round left out what the aggregator gave this node a receipt for. Costs gas, no bond, no waiting.

    The aggregator loses its bond, half of it to the node's owner; the round becomes Void unless it is Final.

    Example: fairshare node prove press-7 3
    """
    from ledger.wallet import Wallet
    from node.prove import broken_promise
    from node.prove import prove as have_judged
    from node.verify import gather

    with working("checking", quiet=as_json) as tell:
        home, settings, ledger = open_home(directory)
        case = gather(home, settings, ledger, number)
        broken = broken_promise(case)
        wallet = Wallet.open(home.owner_key)
        mined = have_judged(case, broken, lambda: wallet.unlock(asking(tell, directory, passphrase_file)()))
    result = {"round": number, "fault": broken.name, "sentence": broken.sentence, "block": mined.block}
    emit(result, as_json, lambda: print(plain(f"proved: {broken.name} (block {mined.block}); {broken.sentence}")))


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


def _asking(reporter: "Reporter") -> "Agree":
    def agree(offered: "Terms", before: "Terms | None") -> None:
        from node.consent import consent

        with reporter.paused():
            consent(offered, None, before)

    return agree


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
