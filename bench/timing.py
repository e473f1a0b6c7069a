"""CPU time, and ratios of it from one run: other processes on the machine move the wall clock, and both sides alike."""

import statistics
import time
from collections.abc import Callable, Sequence


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process that one call of `work` takes, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(works: Sequence[Callable[[], object]], repeats: int) -> tuple[float, ...]:
    """Median CPU seconds of each of `works`, which take turns, after one round to warm up."""
    for work in works:
        work()
    rounds = [[cpu_seconds(work) for work in works] for _ in range(repeats)]
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))
