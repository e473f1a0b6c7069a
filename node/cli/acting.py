"""The commands by which a participant who has joined acts: the rounds, its tokens and its stake."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.options import Home, Round, asking, ends_well, open_home
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, note, plain, when, working

if TYPE_CHECKING:
    from node.home import Terms
    from node.reporter import Reporter
    from node.terms import Agree


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


def _asking(reporter: "Reporter") -> "Agree":
    def agree(offered: "Terms", before: "Terms | None") -> None:
        from node.consent import consent

        with reporter.paused():
            consent(offered, None, before)

    return agree
