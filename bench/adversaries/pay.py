"""The pay rule against its cheats: pay of the cheating owners as a multiple of their honest pay, under each rule."""

from collections.abc import Callable

from bench.adversaries.cheats import CHEATS, Cheat
from bench.adversaries.game import Identity, World, honest, shares, world
from bench.adversaries.rules import rule
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, row

GAME = tuple(f"bench/adversaries/{name}.py" for name in ("game", "rules", "cheats"))
"""What the figures of a game depend on in this folder."""

_TOO_LITTLE = 0.005
"""Below this share of all pay a node is paid by chance, and a multiple of it says nothing."""


def rows(seeds: int, rounds: int, names: tuple[str, ...]) -> list[Row]:
    """For each cheat and rule Σ pay of its owners / Σ their honest pay over the seeds, and the largest of one seed."""
    found = []
    for cheat in CHEATS:
        for name in (*names, *cheat.rules):
            gain, worst = _gain(cheat, name, seeds, rounds)
            case = f"{cheat.name} ({name})"
            found.append(row(case, "pay / honest pay", gain, "x", Goal(at_most=cheat.bound)))
            found.append(row(case, "worst seed", worst, "x"))
    return found


def _gain(cheat: Cheat, rule_name: str, seeds: int, rounds: int) -> tuple[float, float]:
    with_cheat, without = [], []
    for seed in range(seeds):
        cheated = _paid(f"{cheat.name} {rule_name}", rule_name, world(seed, cheat.shards), rounds, cheat.make)
        honestly = _paid(f"honest of {cheat.shards} {rule_name}", rule_name, world(seed, cheat.shards), rounds, honest)
        with_cheat.append(sum(cheated[owner] for owner in cheat.owners))
        without.append(sum(honestly[owner] for owner in cheat.owners))
    ratios = [one / two for one, two in zip(with_cheat, without, strict=True) if two > _TOO_LITTLE]
    return sum(with_cheat) / sum(without), max(ratios, default=0.0)


def _paid(name: str, rule_name: str, found: World, rounds: int, make: Callable[[World], list[Identity]]) -> list[float]:
    version = source_hash("aggregator/evaluation", "learning", "aggregator/template.py", *GAME)

    def measure() -> list[float]:
        return list(shares(found, make(found), rounds, rule(rule_name)).values())

    measured: list[float] = piece(f"adversaries {name} {found.seed} {rounds}", version, measure)
    return measured
