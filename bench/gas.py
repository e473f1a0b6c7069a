"""What a round costs on chain, step by step, beside a loop of mints and a root of cumulative earnings: `make bench-gas`.

Every step is a transaction of its own in forge's EVM (`contracts/test/gas`), so that 21,000 gas and calldata (EIP-2028) are
in the figures. The round measured follows another, so that counters and balances are not zero. One scorer attests, and every
score has three bytes. `QUICK=1` leaves out 5,000 nodes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from eth_abi.abi import decode
from eth_utils.crypto import keccak

from bench.report import Goal, Row, publish, row

CONTRACTS = Path(__file__).parents[1] / "contracts"
_MEASURED = "0x" + keccak(text="Measured(string,uint256,uint256)").hex()
_ROUND = ("open", "close", "propose")
_SIZES = (10, 100, 1000, 5000)

Costs = dict[str, dict[int, int]]
"""Gas by step and number of nodes."""


def measure(sizes: tuple[int, ...]) -> Costs:
    """Run forge and read the gas of every step. Raises `SystemExit` with forge's words if it fails."""
    tests = rf"test_measure({'|'.join(map(str, sizes))})\("
    command = ["tools/forge", "test", "-vv", "--isolate", "--json", "--match-path", "test/gas/*", "--match-test", tests]
    done = subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    costs: Costs = {}
    for step, nodes, gas in _events(json.loads(done.stdout[done.stdout.index("{") :])):
        costs.setdefault(step, {})[nodes] = gas
    return costs


def rows_of(costs: Costs, sizes: tuple[int, ...]) -> list[Row]:
    """The figures with their goals."""
    whole = {size: sum(costs[step][size] for step in _ROUND) for size in sizes}
    marginal = (whole[1000] - whole[100]) / 900
    found = [
        row("round", "fixed cost", whole[10] - 10 * marginal, "gas", Goal(at_most=320_000)),
        row("round", "marginal cost, 100 to 1,000 nodes", marginal, "gas/node", Goal(at_most=700)),
    ]
    for size in sizes:
        case = f"{size} nodes"
        loop, root, proof = (costs[step][size] for step in ("mint loop", "cumulative root", "cumulative claim"))
        goal = Goal(at_most=60_000)
        found += [
            row(case, "open + close + propose", whole[size], "gas", peer="mint loop", peer_value=loop),
            row(case, "open + close + propose", whole[size], "gas", peer="cumulative Merkle root", peer_value=root),
            row(case, "claim of one round", costs["claim"][size], "gas", goal, "cumulative Merkle claim", proof),
        ]
        shown = sorted(set(costs) - {"mint loop", "cumulative root", "cumulative claim", "claim"})
        found += [row(case, step, costs[step][size], "gas") for step in shown]
    return found


def _events(results: dict[str, dict[str, object]]) -> Iterator[tuple[str, int, int]]:
    for suite in results.values():
        for test in suite["test_results"].values():  # type: ignore[attr-defined]
            for log in test["logs"]:
                if log["topics"][0] == _MEASURED:
                    yield decode(["string", "uint256", "uint256"], bytes.fromhex(log["data"][2:]))


if __name__ == "__main__":
    measured_sizes = _SIZES[:-1] if os.environ.get("QUICK") else _SIZES
    publish("gas", rows_of(measure(measured_sizes), measured_sizes))
