"""The commands by which a participant asks: nothing is sent to the chain, and no key is needed."""

import sys
from typing import TYPE_CHECKING

from node.cli.options import Home, Round, ends_well, open_home
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, plain, table, working

if TYPE_CHECKING:
    from protocol.api import ContributionsView, RoundContribution

_SIGNS = {"well": "ok ", "ill": "NO ", "not checked": "-- "}

DOCTOR_FOUND, NOT_VERIFIED = 60, 61
"""Exit codes: something to mend, a step that does not hold."""


@ends_well
def doctor(directory: Home, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Look at all that could keep the node from taking part and being paid, and say how to mend it. Changes nothing.

    Runs the accepted task's code on the node's data. Asks for no passphrase: one that is given is tried.

    Example: fairshare node doctor press-7
    """
    from node.checks import Patient
    from node.doctor import State, examine
    from node.home import NodeHome

    findings = []
    with working("looking", quiet=as_json) as tell:
        for finding in examine(Patient(NodeHome(directory), passphrase_file), lambda check: tell(f"looking at: {check}")):
            findings.append(finding)
            if not as_json:
                mend = f"\n  to mend it: {finding.mend}" if finding.mend else ""
                print(plain(f"{_SIGNS[finding.state]} {finding.check}: {finding.found}{mend}"))
    ill = [finding.check for finding in findings if finding.state is State.ILL]
    ending = f"to mend: {', '.join(ill)}" if ill else "all is well"
    emit({"well": not ill, "findings": [finding.to_json() for finding in findings]}, as_json, lambda: print(ending))
    if ill:
        sys.exit(DOCTOR_FOUND)


@ends_well
def status(directory: Home, as_json: Json = False) -> None:
    """Show the node's membership, the current round, what this node did in it, and terms that are announced.

    Example: fairshare node status press-7
    """
    from node.status import node_status, status_rows

    with working("asking the chain", quiet=as_json):
        home, settings, ledger = open_home(directory)
        found = node_status(home, settings, ledger)
    emit(found.to_json(), as_json, lambda: table(("", ""), status_rows(home, found)))


@ends_well
def why(directory: Home, number: Round, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Say in ten lines why the node got what it got in a round.

    Asks for no passphrase: with one that is given, the aggregator also tells the numbers behind its reason, as to members only.
    Example: fairshare node why press-7 3
    """
    from ledger.wallet import Wallet, passphrase_is_given, read_passphrase
    from node.why import explain_round
    from protocol.requests import RequestSigner

    with working("asking the chain and the aggregator", quiet=as_json):
        home, settings, ledger = open_home(directory)
        signer = None
        if passphrase_is_given(passphrase_file):
            account = Wallet.open(home.signing_key).unlock(read_passphrase(f"the keys of {directory}", passphrase_file))
            signer = RequestSigner(ledger.domain, account)
        found, symbol = explain_round(home, settings, ledger, number, signer), ledger.token_symbol()
    emit(found.to_json(), as_json, lambda: table(("", ""), found.rows(symbol)))


@ends_well
def rewards(directory: Home, as_json: Json = False) -> None:
    """Show what the node earned, read from the chain, and whether the aggregator says the same.

    Example: fairshare node rewards press-7
    """
    from ledger.amounts import show_amount
    from node.earnings import compare, earnings
    from node.membership import own_node

    with working("reading every round from the chain", quiet=as_json):
        home, settings, ledger = open_home(directory)
        found, symbol = earnings(ledger, own_node(home, ledger).node), ledger.token_symbol()
        aggregator = compare(found, settings.federation_url)
    rows = [
        *((name, f"{show_amount(amount)} {symbol}") for name, amount in found.amounts.items()),
        ("claimable rounds", ", ".join(map(str, found.claimable_rounds)) or "none"),
        ("read at block", str(found.block)),
        ("aggregator", aggregator),
    ]
    emit({**found.to_json(), "symbol": symbol, "aggregator": aggregator}, as_json, lambda: table(("", ""), rows))


@ends_well
def contributions(directory: Home, as_json: Json = False) -> None:
    """Show what the node contributed to every round and in total, each with its standard error, as the aggregator tells it.

    In percent of a perfect model. `fairshare node verify` checks a round.

    Example: fairshare node contributions press-7
    """
    from node.membership import own_node
    from protocol.client import FederationClient

    with working("asking the aggregator", quiet=as_json):
        home, settings, ledger = open_home(directory)
        with FederationClient(settings.federation_url) as client:
            found = client.contributions(own_node(home, ledger).node)

    def show() -> None:
        rows = [
            (str(one.round), one.state if one.took_part else f"{one.state}, without this node", *_percents(one))
            for one in found.rounds
        ]
        rows.append(("all", "final", *_percents(found)))
        table(("round", "state", "contribution", "± samples", "± estimation"), rows)

    emit(found.model_dump(mode="json"), as_json, show)


def _percents(found: "RoundContribution | ContributionsView") -> tuple[str, str, str]:
    sampling, estimation = (f"{100 * error:.4f}" for error in (found.sampling_error, found.estimation_error))
    return f"{100 * found.contribution:+.4f}", sampling, estimation


@ends_well
def verify(directory: Home, number: Round, as_json: Json = False) -> None:
    """Check a round's pay from the open evidence against the chain: your commitment is in it, and the tokens follow.

    It says what it did not check. Needs the aggregator for the evidence, but believes nothing of it.

    Example: fairshare node verify press-7 3
    """
    from node.verify import NOT_CHECKED, check, gather

    with working("checking", quiet=as_json):
        checked = check(gather(*open_home(directory), number))
    holds = all(step.holds for step in checked)

    def show() -> None:
        for step in checked:
            print(plain(f"{'ok ' if step.holds else 'NO '} {step.step}: {step.found}"))
        for what in NOT_CHECKED:
            print(f"--  not checked: {what}")
        print("every step holds" if holds else "NOT every step holds: keep this, show it to the operator and to a scorer")

    emit({"holds": holds, "steps": [step.to_json() for step in checked], "not_checked": NOT_CHECKED}, as_json, show)
    if not holds:
        sys.exit(NOT_VERIFIED)
