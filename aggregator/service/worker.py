"""The evaluation, in a process of its own: the web server never waits for it, and it dies without taking receipts along.

One process serves round after round; one that died is replaced at once. The service itself never loads torch. The process reads
and writes blobs only; the database and the chain stay with the service. It ends when that does, however that ends: then its
pipe is closed.
"""

import signal
import traceback
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.errors import EvaluationFailed
from aggregator.forked import start
from aggregator.service.records import RoundRecord, UpdateRecord
from protocol.roster import RosterEntry
from protocol.typed_data import Domain

if TYPE_CHECKING:
    from aggregator.assembly import SubmissionReference
    from aggregator.evaluation.contributions.game import Resources

# The evaluation's sums are reproducible with one thread, and a round's coalitions are many small models anyway.
_THREADS = 1


@dataclass(frozen=True)
class Order:
    """A round to be evaluated, as the database has it. Sent to the process, which finds the rest among the blobs."""

    domain: Domain
    found: RoundRecord
    roster: tuple[RosterEntry, ...]
    updates: tuple[UpdateRecord, ...]


@dataclass(frozen=True)
class Evaluated:
    """What came of a round: the names of the blobs that hold it, its packed scores, and figures for reports."""

    evidence_root: bytes
    model_hash: bytes
    scores: bytes
    accuracy: float
    base_accuracy: float
    samples: int


class Worker:
    """Runs evaluations one after the other. `stop` may be called from another thread while one runs.

    `memory` in bytes is what an evaluation may hold at a time (`Resources`); `ray` is the address of a Ray cluster that
    coalitions are evaluated on, empty for the process itself.
    """

    def __init__(self, blobs: Path, memory: int, ray: str = "") -> None:
        self._blobs, self._memory, self._ray = blobs, memory, ray
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._stopped = False

    def evaluate(self, order: Order) -> Evaluated:
        """Evaluate a round and store its evidence and merged model.

        Raises `EvaluationFailed` if that raises or the process dies; the next call starts a new one.
        """
        pipe = self._started()
        try:
            pipe.send(order)
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise EvaluationFailed(order.found.number, "the evaluating process died; the system's log may say why") from error
        if not isinstance(answer, Evaluated):
            raise EvaluationFailed(order.found.number, str(answer))
        return answer

    def stop(self) -> None:
        """End the process; an evaluation that is running raises `EvaluationFailed`."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()
            process.join()

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self._end()
            self._pipe, theirs = Pipe()
            self._process = start(_serve, theirs, self._blobs, self._memory, self._ray)
            theirs.close()
            if self._stopped:
                self._process.kill()
        return self._pipe

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._pipe = self._process = None


def _serve(pipe: Connection, blobs: Path, memory: int, ray: str) -> None:
    # A Ctrl-C at the terminal reaches us too; our parent decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resources: Resources | None = None
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        try:
            resources = resources or _resources(memory, ray)
            pipe.send(evaluate(order, blobs, resources))
        except BrokenPipeError:
            return
        except Exception as error:
            traceback.print_exc()
            pipe.send(f"{type(error).__name__}: {error}")


def _resources(memory: int, ray: str) -> "Resources":
    from aggregator.cluster import RayExecutor
    from aggregator.evaluation.contributions.game import InProcess, Resources

    return Resources(RayExecutor(ray) if ray else InProcess(), memory)


def evaluate(order: Order, blobs_directory: Path, resources: "Resources") -> Evaluated:
    """The pure core between two reads and two writes of blobs."""
    import torch

    from aggregator.assembly import RoundReferences, assemble, write_model
    from aggregator.blobs import BlobStore
    from aggregator.bundles import write_evidence
    from aggregator.evaluation.evidence import build_evidence
    from aggregator.evaluation.round import evaluate_round
    from learning.evaluator import Evaluator
    from protocol.shares import pack_scores

    torch.set_num_threads(_THREADS)
    blobs = BlobStore(blobs_directory)
    assert order.found.seed is not None
    references = RoundReferences(
        domain=order.domain,
        round=order.found.number,
        bound=order.found.bound,
        roster=order.roster,
        submissions=tuple(_reference(kept) for kept in order.updates),
        seed=order.found.seed,
    )
    inputs = assemble(references, blobs)
    outcome = evaluate_round(inputs, resources=resources)
    samples, right, base_right = 0, 0.0, 0.0
    for shard in inputs.shards:
        evaluator = Evaluator(inputs.task, shard)
        samples += len(shard)
        right += evaluator.evaluate(outcome.merged).accuracy * len(shard)
        base_right += evaluator.evaluate(inputs.base).accuracy * len(shard)
    return Evaluated(
        evidence_root=write_evidence(build_evidence(inputs, outcome), blobs),
        model_hash=write_model(outcome.merged, blobs),
        scores=pack_scores(outcome.scores),
        accuracy=right / samples,
        base_accuracy=base_right / samples,
        samples=samples,
    )


def _reference(kept: UpdateRecord) -> "SubmissionReference":
    from aggregator.assembly import SubmissionReference

    return SubmissionReference(kept.update, kept.signature, kept.salt, kept.body_hash, kept.receipt or None)
