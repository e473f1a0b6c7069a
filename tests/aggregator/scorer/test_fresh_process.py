"""An honest round replays in processes of their own, from blobs alone, on any number of threads."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aggregator.assembly import write_evidence
from aggregator.blobs import BlobStore
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import evaluate_round
from learning.source import read_task_source
from tests.support.rounds import Sent, digits_round, filled, honest, store

SCRIPT = """
import pickle, sys
from pathlib import Path
import torch
from aggregator.assembly import assemble, read_evidence
from aggregator.blobs import BlobStore
from aggregator.evaluation.evidence import build_evidence
from aggregator.scorer.replay import replay

directory, root, threads = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
blobs = BlobStore(directory / "blobs")
inputs = assemble(pickle.loads((directory / "references").read_bytes()), blobs)
outcome = replay(inputs, read_evidence(root, blobs))
print(build_evidence(inputs, outcome).header.root().hex())
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_round_replays_in_a_fresh_process(tmp_path: Path, threads: int) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    sent = [honest(part) for part in range(1, 7)] + [Sent(filled(0)), Sent(filled(np.nan)), Sent(None)]
    inputs = digits_round(sent, shards=2)
    references = store(inputs, read_task_source("digits"), blobs)
    (tmp_path / "references").write_bytes(pickle.dumps(references))
    root = write_evidence(build_evidence(inputs, evaluate_round(inputs)), blobs).hex()
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), root, str(threads)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.stdout, finished.stderr) == (root + "\n", "")
