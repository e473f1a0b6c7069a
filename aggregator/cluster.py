"""An executor on a Ray cluster: the same work as in one process, and the same integers, spread over other machines' cores.

Sources: Ray, "Task fault tolerance" and "Objects", https://docs.ray.io.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from aggregator.errors import ClusterError

_Block = TypeVar("_Block")
_Result = TypeVar("_Result")

_RETRIES = 3
"""How often a block is run again whose worker was lost, before the cluster is given up."""

_WAITING = 2
"""Blocks in work or done and not fetched, for each of the cluster's cores: enough to keep it busy, bounded in memory."""


class RayExecutor:
    """Runs blocks as tasks of the Ray cluster at `address` ("auto": the one that runs on this machine), on one thread each.

    The cluster's machines need the same version of fairshare installed, with its extra `ray`. A worker that is lost costs the
    retry of its block and nothing else.

    Raises `ClusterError` if Ray is not installed, or there is no cluster at `address`.
    """

    def __init__(self, address: str) -> None:
        for name, value in (("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_IGNORE_UNHANDLED_ERRORS", "1")):
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            raise ClusterError("Ray is not installed: pip install 'fairshare[ray]'") from error
        self._ray: Any = ray
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, ignore_reinit_error=True, configure_logging=False)
        except Exception as error:  # Ray raises what it likes here, a ConnectionError among others
            raise ClusterError(
                f"no Ray cluster answers at {address!r} ({error}): start one with `ray start --head`, or leave `ray` empty "
                "in aggregator.toml to evaluate in the service's own process"
            ) from error
        self._task = ray.remote(num_cpus=1, max_retries=_RETRIES, retry_exceptions=False)(_run)

    def map(self, function: Callable[[_Block], _Result], blocks: Iterable[_Block]) -> Iterator[_Result]:
        """`function` of each block, in the order of the blocks; see `Executor`.

        Raises what `function` raises, and `ClusterError` if the cluster or a block's every worker is lost.
        """
        waiting: deque[Any] = deque()
        try:
            held = self._ray.put(function)  # once, however many blocks there are
            most = max(1, _WAITING * int(self._ray.cluster_resources().get("CPU", 1)))
            for block in blocks:
                waiting.append(self._task.remote(held.hex(), [held], block))
                if len(waiting) >= most:
                    yield self._ray.get(waiting.popleft())
            while waiting:
                yield self._ray.get(waiting.popleft())
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from error
        except self._ray.exceptions.RayError as error:
            raise ClusterError(f"the Ray cluster was lost during an evaluation ({error}); start it again") from error
        finally:
            for left in waiting:  # after an error, or when the caller wants no more
                self._ray.cancel(left)


def _knock(address: str) -> None:
    """Raise `OSError` at once where nothing listens; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


_HELD: dict[str, Any] = {}
"""On a worker: the function that it ran last, with whatever that has prepared."""


def _run(name: str, held: list[Any], block: Any) -> Any:
    if name not in _HELD:
        import ray
        import torch

        torch.set_num_threads(1)  # sums of floats depend on the number of threads
        _HELD.clear()
        _HELD[name] = ray.get(held[0])
    return _HELD[name](block)
