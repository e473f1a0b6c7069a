"""Rounds on chain that the database does not know, because it is new or was restored from an older copy.

Decided and proposed rounds are taken over as the chain has them. One that is still open or closed cannot be completed by us,
who hold none of its commitments: it is abandoned or times out, and pays nobody.
"""

import structlog

from aggregator.service.context import Context
from aggregator.service.phases import Phase
from aggregator.service.store import RoundChanges
from aggregator.service.voids import VoidReason
from ledger.records import ChainRound, RoundState
from protocol.inputs import BoundInputs
from protocol.shares import pack_scores

log = structlog.get_logger()


_PHASES = {
    RoundState.OPEN: Phase.ABANDONING,
    RoundState.CLOSED: Phase.STALLED,
    RoundState.PROPOSED: Phase.PROPOSED,
    RoundState.DISPUTED: Phase.PROPOSED,
    RoundState.FINAL: Phase.FINAL,
    RoundState.VOID: Phase.VOID,
}


def adopt(context: Context, bound: BoundInputs, on_chain: ChainRound) -> None:
    """Write down a round as the chain has it. `bound` is what we would have opened it with: a guess, but for parent and terms."""
    phase = _PHASES[on_chain.state]
    log.warning("round adopted from the chain", round=on_chain.round, phase=phase.value)
    found: RoundChanges = {
        "opened_at": on_chain.opened_at,
        "commit_deadline": on_chain.opened_at + context.federation.timing.commit,
        "settled": on_chain.released,
    }
    if phase in (Phase.PROPOSED, Phase.FINAL):
        found |= {
            "update_root": on_chain.update_root,
            "close_block": on_chain.close_block,
            "seed": on_chain.seed,
            "evidence_root": on_chain.evidence_root,
            "model_hash": on_chain.model_hash,
            "scores": pack_scores(context.ledger.scores(on_chain.round)),
            "final_at": on_chain.deadline,
        }
    else:
        found["reason"] = VoidReason.RECORD_LOST
    roster = context.ledger.roster(on_chain.round)
    context.store.adopt(on_chain.round, phase, bound, on_chain.inputs, roster, **found)
