"""The peers' side of the benchmark: pyDVL's samplers, asking for utilities by lines of JSON. Runs in bench/.venv."""

import json
import sys
from collections.abc import Callable

import numpy as np
from pydvl.utils.status import Status
from pydvl.valuation import samplers
from pydvl.valuation.games import DummyGameDataset
from pydvl.valuation.methods import ShapleyValuation
from pydvl.valuation.result import ValuationResult
from pydvl.valuation.stopping import StoppingCriterion
from pydvl.valuation.types import Sample
from pydvl.valuation.utility.base import UtilityBase

SAMPLERS: dict[str, Callable[[int], samplers.IndexSampler]] = {
    "Permutation": lambda seed: samplers.PermutationSampler(seed=seed),
    "AntitheticPermutation": lambda seed: samplers.AntitheticPermutationSampler(seed=seed),
    "Antithetic": lambda seed: samplers.AntitheticSampler(seed=seed),
}


class Asked(UtilityBase):  # type: ignore[misc]  # pyDVL's base is not there for the type checker
    """A utility that the other side knows; each coalition is asked for once."""

    def __init__(self, known: dict[int, float]) -> None:
        self.known = known

    def __call__(self, sample: Sample | None) -> float:
        """U of the sample's subset of players."""
        coalition = 0 if sample is None else sum(1 << int(player) for player in sample.subset)
        if coalition not in self.known:
            print(json.dumps({"coalition": hex(coalition)}), flush=True)
            self.known[coalition] = json.loads(sys.stdin.readline())
        return self.known[coalition]


class Budget(StoppingCriterion):  # type: ignore[misc]  # as above
    """Stops once so many coalitions were evaluated; `marks` are the values on the way, each budget's last ones within it."""

    def __init__(self, known: dict[int, float], budgets: list[int]) -> None:
        super().__init__()
        self.known, self.budgets = known, budgets
        self.marks: dict[int, tuple[list[float], int]] = {}
        self.updates = 0

    def _check(self, result: ValuationResult) -> Status:
        self.updates += 1
        for budget in self.budgets:
            if len(self.known) <= budget:
                self.marks[budget] = (np.array(result.values).tolist(), len(self.known))
        spent = len(self.known) >= self.budgets[-1] or self.updates > 20 * self.budgets[-1]
        return Status.Converged if spent else Status.Pending


def main() -> None:
    """Answer requests {players, sampler, seed, budgets} until there are no more."""
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        known: dict[int, float] = {}
        budget = Budget(known, request["budgets"])
        valuation = ShapleyValuation(Asked(known), SAMPLERS[request["sampler"]](request["seed"]), budget, progress=False)
        valuation.fit(DummyGameDataset(request["players"]))
        print(json.dumps({"marks": [[b, *budget.marks[b]] for b in request["budgets"] if b in budget.marks]}), flush=True)


main()
