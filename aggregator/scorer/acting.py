"""The commands by which a scorer acts on chain: proposing, proving, disputing, expelling, claiming."""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.scorer.options import From, Home, Round, ends_well, gathering_from
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, table, working


@ends_well
def propose(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Propose a closed round that a quorum of scorers attested, should the aggregator not do it. The scorer's key pays the gas.

    Example: fairshare scorer propose 3 --home ./scorer
    """
    from aggregator.scorer.proposing import propose as proposed

    with (
        gathering_from(home, sources, None, None, None, passphrase_file) as gathering,
        working(f"gathering signatures, and proposing round {number}", as_json),
    ):
        mined = proposed(gathering, number)
    result = {"round": number, "block": mined.block, "gas": mined.gas_used}
    emit(result, as_json, lambda: print(f"round {number} is proposed (block {mined.block}, gas {mined.gas_used})"))


@ends_well
def prove(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Find the faults of a round that the chain judges alone, and have it judge the first. Costs gas, no bond, no waiting.

    For a fault of the aggregator it loses its bond, and the round becomes Void unless it is Final; a node that signed two updates
    loses its stake, and the round stands. Exit code 0 also if there is no such fault.

    Example: fairshare scorer prove 3 --home ./scorer
    """
    from aggregator.scorer.court import faults_of, prove_first

    with (
        gathering_from(home, sources, None, None, None, passphrase_file) as gathering,
        working(f"looking for faults in round {number}", as_json),
    ):
        faults = faults_of(gathering, number)
        judged = prove_first(gathering, number, faults)
    listed = [{"fault": fault.name, "sentence": fault.sentence} for fault in faults]
    proof = {"proved": judged.fault.name, "block": judged.mined.block} if judged else {"proved": None}

    def show() -> None:
        table(("fault", "what is wrong"), [(fault.name, fault.sentence) for fault in faults])
        nothing = "all of it was proved before" if faults else "nothing is provable; see verify, dispute"
        print(f"proved: {judged.fault.name} (block {judged.mined.block})" if judged else nothing)

    emit({"round": number, "faults": listed, **proof}, as_json, show)


@ends_well
def dispute(
    number: Round,
    leaf: Annotated[
        str | None, typer.Option(metavar="KIND/POSITION", help="The leaf, as in utility/5; default: the one that verify names.")
    ] = None,
    sources: From = None,
    home: Home = Path(),
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put the dispute bond on a leaf of a proposed round being wrong; the scorers recompute it, and vote.

    Without --leaf the round is replayed first. The bond comes back if the dispute is upheld, and is lost if it is dismissed.

    Example: fairshare scorer dispute 3 --leaf utility/5 --home ./scorer
    """
    from aggregator.scorer.court import dispute as disputed
    from aggregator.scorer.court import disputed_leaf
    from ledger.amounts import show_amount
    from ledger.disputes import Disputes

    with gathering_from(home, sources, None, None, None, passphrase_file) as gathering:
        with working(f"replaying round {number}", as_json):
            kind, position = disputed_leaf(gathering, number, leaf)
        with working("filing the dispute, and waiting until it is mined", as_json):
            bond = Disputes(gathering.ledger).bond()
            mined = disputed(gathering, number, kind, position, bond)
    named = f"{kind.name.lower()}/{position}"
    result = {"round": number, "leaf": named, "bond": str(bond), "block": mined.block}
    emit(result, as_json, lambda: print(f"disputed {named} of round {number} with a bond of {show_amount(bond)} coin"))


@ends_well
def expel(
    node: Annotated[int, typer.Argument(metavar="NODE", min=0, help="Index of the node.")],
    number: Annotated[
        int | None,
        typer.Option("--round", min=1, metavar="ROUND", help="The Final round that speaks against it; default: the last."),
    ] = None,
    sources: From = None,
    home: Home = Path(),
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Sign a node out for what a Final round's evidence says, and send the expulsion once 2f + 1 scorers have signed it.

    Refused with the numbers, exit code 61, if the evidence does not justify it. Whoever is no scorer only gathers and sends. The
    node keeps what it earned, gets its stake back after unbonding, and comes again with a new invitation only. `serve` does all
    this by itself.

    Example: fairshare scorer expel 4 --home ./scorer
    """
    from aggregator.scorer.attesting import Attesting
    from aggregator.scorer.expelling import Expelling
    from protocol.typed_data import Expulsion

    with gathering_from(home, sources, None, None, None, passphrase_file) as gathering:
        assert gathering.account is not None, "expelling needs the scorer's key"
        ledger = gathering.ledger
        expulsion = Expulsion(number or ledger.latest_final(), node)
        expelling = Expelling(gathering, Attesting(gathering).records)
        with working(f"reading the evidence of round {expulsion.round}", as_json):
            if gathering.account.address in ledger.bonded(expulsion.round):
                expelling.sign(expulsion)
            done = expelling.forward(expulsion)
    result = {
        "node": node,
        "round": expulsion.round,
        "signatures": done.signatures,
        "needed": done.needed,
        "block": done.mined.block if done.mined else None,
    }
    waits = (
        f"signed by {done.signatures} of {done.needed} scorers: given again once the others have signed, it sends the expulsion"
    )
    ends = f"node {node} is expelled for round {expulsion.round} (block {done.mined.block})" if done.mined else waits
    emit(result, as_json, lambda: print(ends))


@ends_well
def claim(home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Claim the scorer's part of all Final rounds that it attested to. The tokens go to the scorer's own address.

    Example: fairshare scorer claim --home ./scorer
    """
    from ledger.rewards import scorer_rounds

    with gathering_from(home, None, None, None, None, passphrase_file) as gathering:
        assert gathering.account is not None, "claiming needs the scorer's key"
        ledger, scorer = gathering.ledger, str(gathering.account.address)
        with working("reading every round from the chain", as_json):
            numbers, before = scorer_rounds(ledger, scorer), ledger.balance(scorer)
        if numbers:
            gathering.send("claim", ledger.claim_scorer(scorer, numbers))
        claimed = ledger.balance(scorer) - before
    told = f"claimed the rewards of {len(numbers)} round(s)" if claimed else "nothing to claim"
    emit({"scorer": scorer, "rounds": list(numbers), "claimed": str(claimed)}, as_json, lambda: print(told))
