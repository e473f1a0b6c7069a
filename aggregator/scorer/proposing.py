"""Proposing a round by whoever holds a quorum of attestations, whatever the aggregator does."""

from aggregator.mirror.claim import Claim
from aggregator.scorer.errors import NoQuorum
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.records import Records
from ledger.sender import Mined
from protocol.errors import ServiceError


def propose(gathering: Gathering, number: int) -> Mined:
    """Gather the signatures that mirrors have for one outcome and send them. Raises `NoQuorum`, and what the ledger raises."""
    best: tuple[Claim, dict[str, bytes]] | None = None
    for claim, signatures in _gathered(gathering, number).items():
        if best is None or len(signatures) > len(best[1]):
            best = (claim, signatures)
    needed = gathering.ledger.quorum(number)
    if best is None or len(best[1]) < needed:
        raise NoQuorum(number, 0 if best is None else len(best[1]), needed)
    claim, signatures = best
    in_order = [signatures[signer] for signer in sorted(signatures, key=lambda address: int(address, 16))]
    call = gathering.ledger.propose(number, claim.evidence_root, claim.model_hash, claim.scores, in_order)
    return gathering.send(f"propose:{number}", call)


def _gathered(gathering: Gathering, number: int) -> dict[Claim, dict[str, bytes]]:
    """By claimed outcome, the scorers' signatures that stand under it, here and at every mirror."""
    found: dict[Claim, dict[str, bytes]] = {}
    own = Records(gathering.home.path / "rounds", gathering.ledger.domain).attested(number)
    offers = [(own.claim, list(own.signatures.values()))] if own else []
    for mirror in gathering.mirrors:
        try:
            view = mirror.attestations(number)
        except ServiceError:
            continue
        offers.append((Claim(number, view.seed, view.evidence_root, view.scores, view.model), view.signatures))
    for claim, signatures in offers:
        found.setdefault(claim, {}).update(gathering.signed(claim, signatures))
    return found
