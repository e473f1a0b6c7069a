"""A whole round with every kind of update, over real HTTP, store, chain, evaluation process and scorer process."""

import numpy as np

from aggregator.service.journal import SqlJournal
from aggregator.service.phases import Phase
from learning.calls import load_data
from learning.loading import load_task
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import train
from ledger.records import RoundState
from protocol.client import FederationClient
from protocol.evidence import LEAF_KINDS, Access, Kind
from protocol.parameters import encode_parameters, layout_of, model_hash, read_parameters
from protocol.requests import RequestSigner
from protocol.shares import SCORE_TOTAL
from tests.aggregator.service.support import LAYOUT, Sent, Service, make_update, problem, small_update
from tests.support.chain import account


def trained(service: Service, base_model: bytes, share: str) -> bytes:
    """A body that was really trained on a share of the digits."""
    task = load_task(read_task_source("digits"))
    base = read_parameters(service.client.model(base_model), layout_of(task_parameters()))
    recipe = Recipe.from_config(service.stage.federation.config.recipe)
    return encode_parameters(train(task, base, load_data(task, share), recipe, seed=1))


def task_parameters() -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in LAYOUT.items()}


def spoilt(value: float) -> bytes:
    return encode_parameters(small_update(0) | {"2.bias": np.full(10, value, dtype=np.float32)})


def test_a_round_from_opening_to_settlement(served: Service) -> None:
    ledger = served.stage.ledger
    view = served.open_round(8)
    assert (view.state, view.parent, view.block) == ("open", 0, ledger.block().number)
    good = trained(served, view.base_model, "1/2 iid")
    sent: list[Sent] = [
        make_update(served.domain, view, 0, body=good, samples=600),
        make_update(served.domain, view, 1, body=trained(served, view.base_model, "2/2 iid"), samples=600),
        make_update(served.domain, view, 2, body=spoilt(float("nan"))),
        make_update(served.domain, view, 3, samples=1001),
        make_update(served.domain, view, 4, body=encode_parameters({"0.weight": np.zeros((1, 1), dtype=np.float32)})),
        make_update(served.domain, view, 5),  # will not be revealed
        make_update(served.domain, view, 6, body=good, samples=600),
        make_update(served.domain, view, 7, body=spoilt(1e30)),
    ]
    served.commit(*sent)
    served.turn(2)
    assert ledger.round(1).update_root == served.client.round(1).update_root
    served.reveal(*(one for one in sent if one.update.node != 5))
    assert problem(lambda: served.client.scores(1)) == (404, "not-yet-there")
    served.turn()
    assert served.phase(1) is Phase.REVEALING
    served.stage.chain.advance(60 + 30)  # reveal, and the grace for bodies from scorers
    served.turn(2)

    # Evaluated, but nothing is public before the scorer has agreed and the chain has it.
    assert served.phase(1) is Phase.ATTESTING
    evaluated = served.client.round(1)
    assert (evaluated.state, evaluated.model, evaluated.accuracy) == ("closed", None, None)
    merged = served.context.store.round(1).model_hash  # type: ignore[union-attr] # it is there
    assert merged is not None
    assert problem(lambda: served.client.model(merged)) == (404, "unknown-model")
    served.turn(2)

    proposed = ledger.round(1)
    assert proposed.state is RoundState.PROPOSED
    view = served.client.round(1)
    assert (view.state, view.final_at, view.commits, view.bodies) == ("proposed", proposed.deadline, 8, 7)
    assert (view.seed, view.evidence_root, view.model) == (proposed.seed, proposed.evidence_root, proposed.model_hash)
    pending = served.client.rewards(0)
    assert (pending.earned, pending.pending, pending.pending_until) == (0, ledger.reward(1, 0), proposed.deadline)
    assert pending.pending > 0

    served.stage.chain.advance(served.context.federation.timing.window)
    served.turn(2)
    check_final_round(served)


def check_final_round(served: Service) -> None:
    ledger = served.stage.ledger
    view, scores = served.client.round(1), served.client.scores(1)
    assert (view.state, view.minted, view.reason) == ("final", ledger.pool(), None)
    assert view.accuracy is not None
    assert view.base_accuracy is not None
    assert view.accuracy > view.base_accuracy
    assert list(SqlJournal(served.context.store.engine).gas().values()) == [view.gas]
    assert view.gas > 300_000
    assert [(node.verdict, node.reason) for node in scores.nodes] == [
        ("accept", "clipped"),
        ("accept", "ok"),
        ("reject", "not-finite"),
        ("reject", "too-many-samples"),
        ("reject", "wrong-tensors"),
        ("absent", "no-body"),
        ("duplicate", "same-as-lower-index"),
        ("reject", "norm-too-large"),
    ]
    assert all(node.sentence for node in scores.nodes)
    with FederationClient(served.client.url, signer=RequestSigner(served.domain, account("signer 1"))) as member:
        told = [node.sentence for node in member.scores(1).nodes]
    # Numbers behind a verdict are statistics, so members are told and nobody else.
    assert all(full.startswith(node.sentence) for full, node in zip(told, scores.nodes, strict=True))
    assert "Its length is" in told[0]
    assert "Its length is" not in scores.nodes[0].sentence
    assert all(node.next_step for node in scores.nodes if node.weight == 0)
    assert [node.address for node in scores.nodes] == [account(f"owner {number}").address for number in range(8)]
    # What REST says of pay is what the chain says.
    assert tuple(node.score for node in scores.nodes)[: len(ledger.scores(1))] == ledger.scores(1)
    assert sum(node.score for node in scores.nodes) == SCORE_TOTAL
    assert [node.reward for node in scores.nodes] == [ledger.reward(1, node) for node in range(8)]
    assert sum(node.contribution for node in scores.nodes) == scores.denominator * (scores.utility_all - scores.utility_empty)

    evidence = served.client.evidence(1)
    assert evidence.header.root() == view.evidence_root == ledger.round(1).evidence_root
    assert all(LEAF_KINDS[leaf.kind].access is Access.ANYONE for leaf in evidence.leaves)
    assert not evidence.by_kind[Kind.BODY]
    model = read_parameters(served.client.model(view.model or b""), layout_of(task_parameters()))
    assert model_hash(model) == view.model

    earned = served.client.rewards(account("owner 1").address)
    assert (earned.node, earned.earned, earned.claimable_rounds) == (1, ledger.reward(1, 1), [1])
    served.stage.federation.send("stranger", ledger.claim(1, [1]))
    claimed = served.client.rewards(1)
    assert (claimed.claimed, claimed.claimable, claimed.earned) == (earned.earned, 0, earned.earned)
    assert claimed.claimed == ledger.balance(account("owner 1").address)
    assert served.client.rewards(2).earned == 0

    served.turn(2)
    second = served.client.round(2)
    assert (second.parent, second.base_model, second.parent_evidence) == (1, view.model, view.evidence_root)
