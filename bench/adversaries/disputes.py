"""A griefing challenger, alone and with colluding scorers: what it loses, and how long it delays an honest round.

It disputes three right leaves at the last moment. Honest scorers recompute and vote by their tools; colluding ones vote against
whatever it is, and those of them who attested before are convicted of contradicting themselves.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from aggregator.scorer.court import dispute
from aggregator.scorer.voting import Voting
from bench.adversaries.stage import RIVAL, SCORERS, Prepared, Wealth, gains, propose, scorer, wealth
from bench.report import Goal, Row, row
from ledger.disputes import Disputes, DisputeVerdict, Vote
from ledger.errors import Reverted
from ledger.records import RoundState
from protocol.evidence import Kind
from tests.aggregator.service.support import Stage
from tests.support.chain import COIN, account

CHALLENGER = f"owner {RIVAL}"
DISPUTED = ((Kind.UTILITY, 1), (Kind.CONTRIBUTION, 0), (Kind.VERDICT, 0))
SALT = b"\x11" * 32


def rows(round_one: Prepared, directory: Path) -> Iterator[Row]:
    """Tokens and stake of challenger and colluding scorers together, and the delay beside its bound of 3V."""
    honest = Wealth(round_one.scores[RIVAL] * (_pool(round_one, directory / "pool") // 10_000_000), 0)
    for colluding, words in ((0, ""), (1, ", f colluding scorers vote with it"), (2, ", f + 1 colluding scorers vote with it")):
        case = f"griefing challenger: {len(DISPUTED)} disputes of an honest round{words}"
        with round_one.copied(directory / str(colluding)) as stage:
            people = (CHALLENGER, *SCORERS[:colluding])
            before = wealth(stage.ledger, *people)
            delay, state = _grief(round_one, stage, directory / f"scorers {colluding}", colluding)
            with suppress(Reverted):
                stage.federation.send("stranger", stage.ledger.claim(RIVAL, [1]))
            gained = wealth(stage.ledger, *people) - before
            # One bond is the least: a dispute that no honest quorum dismisses burns half of it.
            lost = len(DISPUTED) * Disputes(stage.ledger).bond() / COIN
            vote = stage.ledger.timing().vote
        yield from gains(case, honest, gained, coin=-lost if state is RoundState.FINAL else -lost / 2)
        yield row(case, "delay beyond the window", delay, "s", Goal(at_most=3 * vote))
        yield row(case, "round is paid", float(state is RoundState.FINAL), "yes = 1", Goal(at_least=1) if colluding < 2 else None)


def _pool(round_one: Prepared, directory: Path) -> int:
    with round_one.copied(directory) as stage:
        return stage.ledger.pool()


def _grief(round_one: Prepared, stage: Stage, directory: Path, colluding: int) -> tuple[float, RoundState]:
    """Seconds from the end of the window until the round was decided, and how."""
    root = round_one.evidence.header.root()
    if not propose(stage, root, round_one.model, round_one.scores, SCORERS[1:]):
        raise RuntimeError("an honest quorum was refused: nothing here means anything")
    ledger, disputes = stage.ledger, Disputes(stage.ledger)
    window_end = ledger.round(1).window_end
    with ExitStack() as stack:
        challenger = stack.enter_context(scorer(stage, directory, CHALLENGER))
        honest = [stack.enter_context(scorer(stage, directory, name)) for name in SCORERS[colluding:]]
        stage.chain.advance_to(window_end - len(DISPUTED) - 1)
        for kind, position in DISPUTED:
            dispute(challenger, 1, kind, position, disputes.bond())
        filed = range(len(DISPUTED))
        for gathering in honest:
            Voting(gathering).turn()
        for name in SCORERS[:colluding]:
            for number in filed:
                stage.federation.send(name, ledger.court.seal_vote(number, account(name).address, b"", SALT))
        stage.chain.advance_to(max(one.filed_at for one in disputes.all()) + ledger.timing().vote)
        for gathering in honest:
            Voting(gathering).turn()
        for name in SCORERS[:colluding]:
            for number, (kind, position) in zip(filed, DISPUTED, strict=True):
                payload = round_one.evidence.by_kind[kind][position].payload()
                stage.federation.send(name, ledger.court.reveal_vote(number, payload, b"", SALT))
        stage.chain.advance_to(max(one.filed_at for one in disputes.all()) + 2 * ledger.timing().vote)
        for number in filed:
            if disputes.one(number).verdict is DisputeVerdict.NONE:
                stage.federation.send("stranger", ledger.court.decide(number))
    _convict(stage, SCORERS[1:colluding])
    while not ledger.round(1).state.decided:
        stage.chain.advance(1)
    return float(ledger.now() - window_end), ledger.round(1).state


def _convict(stage: Stage, attested: tuple[str, ...]) -> None:
    """Whoever attested the round and revealed against it is proved to contradict itself."""
    disputes = Disputes(stage.ledger)
    for name in attested:
        address = account(name).address
        number = next(one.number for one in disputes.all() if disputes.vote(one.number, address) is Vote.AGAINST)
        stage.federation.send("stranger", stage.ledger.court.prove_contradiction(number, address))
