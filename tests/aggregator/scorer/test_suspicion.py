"""The rule by which a scorer signs a node out, and what a scorer keeps of signatures."""

from pathlib import Path

import pytest

from aggregator.scorer.expulsions import Expulsions
from aggregator.scorer.suspicion import Standing
from protocol.typed_data import Expulsion
from protocol.verdicts import Reason

LIMIT = 4 << 20


@pytest.mark.parametrize(
    ("reason", "before", "after", "justifies"),
    [
        (Reason.EXPELLABLE, 3 << 20, 5 << 20, True),
        (Reason.EXPELLABLE, 5 << 20, 5 << 20, True),
        # It came in with more: back by a new invitation, it sends usual updates, and its suspicion falls.
        (Reason.EXPELLABLE, 6 << 20, 5 << 20, False),
        (Reason.EXPELLABLE, 3 << 20, LIMIT, False),
        # Refused for what was sent in this round, or not there: no evidence of the round speaks for expulsion.
        (Reason.AGAINST_TRAINING, 3 << 20, 5 << 20, False),
        (Reason.NO_BODY, 5 << 20, 5 << 20, False),
        (Reason.OUTSIDE_CALIBRATION, 5 << 20, 5 << 20, False),
        (Reason.OK, 0, 0, False),
    ],
)
def test_only_a_round_whose_evidence_carried_it_past_the_limit_justifies(
    reason: Reason, before: int, after: int, justifies: bool
) -> None:
    standing = Standing(7, 3, reason, before, after, LIMIT)
    assert standing.justifies is justifies
    assert f"from {before / 2**20:.2f} to {after / 2**20:.2f} nats, and the limit for expulsion is 4.00" in standing.sentence


def test_signatures_are_kept_side_by_side_and_a_broken_file_is_none(tmp_path: Path) -> None:
    kept, expulsion = Expulsions(tmp_path), Expulsion(2, 1)
    assert (kept.all(), kept.looked_at, kept.signatures(expulsion)) == ((), 0, {})
    for number, node, signer in ((10, 0, "a"), (2, 1, "a"), (2, 1, "b"), (2, 1, "b")):
        kept.keep(Expulsion(number, node), signer, signer.encode())
    kept.look_after(10)
    again = Expulsions(tmp_path)
    assert again.all() == (expulsion, Expulsion(10, 0))
    assert again.signatures(expulsion) == {"a": b"a", "b": b"b"}
    assert again.looked_at == 10
    (tmp_path / "2-1.json").write_text("{}")
    (tmp_path / "looked_at").write_text("?")
    assert (again.signatures(expulsion), again.looked_at) == ({}, 0)
