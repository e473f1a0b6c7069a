"""The pay rule against its cheats: pay of the cheating owners as a multiple of their honest pay, under each rule."""

from collections.abc import Callable

from bench.adversaries.cheats import CHEATS, Cheat
from bench.adversaries.game import Identity, World, honest, shares, world
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, row

RULES = {"rule alone": (False, False), "rule alone, divided by sum of n": (False, True), "with the gate": (True, False)}
"""By name: is the cohort of virtual nodes there, are updates clipped before the merge (so that it divides by Σ n_j)."""

_TOO_LITTLE = 0.005
"""Below this share of all pay a node is paid by chance, and a multiple of it says nothing."""


def rows(seeds: int, rounds: int) -> list[Row]:
    """For each cheat the mean over seeds of Σ pay of its owners / Σ their honest pay."""
    version = source_hash("aggregator/evaluation", "learning", "bench/adversaries", "aggregator/template.py")
    found = []
    for cheat in CHEATS:
        gains = {name: _gain(cheat, name, seeds, rounds, version) for name in RULES}
        for name, (gain, worst) in gains.items():
            other = gains["rule alone, divided by sum of n"][0] if name == "rule alone" else None
            peer = "divided by sum of n" if name == "rule alone" else None
            case = f"{cheat.name} ({name})"
            found.append(row(case, "pay / honest pay", gain, "x", Goal(at_most=cheat.bound), peer, other))
            found.append(row(case, "worst seed", worst, "x"))
    return found


def _gain(cheat: Cheat, rule: str, seeds: int, rounds: int, version: str) -> tuple[float, float]:
    with_cheat, without = [], []
    for seed in range(seeds):
        cheated = _paid(f"{cheat.name} {rule} {seed} {rounds}", version, rule, seed, rounds, cheat.make)
        honestly = _paid(f"honest {rule} {seed} {rounds}", version, rule, seed, rounds, honest)
        with_cheat.append(sum(cheated[owner] for owner in cheat.owners))
        without.append(sum(honestly[owner] for owner in cheat.owners))
    ratios = [one / two for one, two in zip(with_cheat, without, strict=True) if two > _TOO_LITTLE]
    return sum(with_cheat) / sum(without), max(ratios, default=0.0)


def _paid(name: str, version: str, rule: str, seed: int, rounds: int, make: Callable[[World], list[Identity]]) -> list[float]:
    def measure() -> list[float]:
        gated, clipped = RULES[rule]
        return list(shares(world(seed), make(world(seed)), rounds, gated, clipped).values())

    found: list[float] = piece(f"adversaries {name}", version, measure)
    return found
