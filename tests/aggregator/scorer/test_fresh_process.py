"""An honest round replays in processes of their own, from blobs alone, whatever float arithmetic the machine offers.

The round has a cohort of virtual honest nodes, whose training in floats everything that the gate measures is compared with.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aggregator.blobs import BlobStore
from aggregator.bundles import write_evidence
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import evaluate_round
from learning.source import read_task_source
from protocol.config import parse_config
from protocol.evidence import Kind
from tests.support.chain import CONFIG
from tests.support.rounds import Sent, digits_round, filled, honest, store

SCRIPT = """
import pickle, sys
from pathlib import Path
import torch
from aggregator.assembly import assemble
from aggregator.bundles import read_evidence
from aggregator.blobs import BlobStore
from aggregator.evaluation.evidence import build_evidence
from aggregator.scorer.replay import replay

from learning import evaluator

directory, root, threads = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
evaluator._BATCH = int(sys.argv[4])
blobs = BlobStore(directory / "blobs")
inputs = assemble(pickle.loads((directory / "references").read_bytes()), blobs)
outcome, _ = replay(inputs, read_evidence(root, blobs))
print(build_evidence(inputs, outcome).header.root().hex())
"""


GATED = CONFIG.replace("virtual_nodes = 0", "virtual_nodes = 20").replace("statistics = 16", "statistics = 1024")
"""The tolerance is the one that federations are founded with; what is used of it here is 4."""

SETTINGS = {
    "one-thread": (1, 1024, {}),
    "two-threads": (2, 1024, {}),
    "small-chunks": (1, 37, {}),
    "mkl-compatible": (1, 1024, {"MKL_CBWR": "COMPATIBLE"}),
    "no-vector-units": (1, 1024, {"ATEN_CPU_CAPABILITY": "default"}),
    "all-at-once": (2, 64, {"MKL_CBWR": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
}
"""Threads, chunk size, environment."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory with an evaluated round's blobs and references, and the root of its evidence."""
    directory = tmp_path_factory.mktemp("published")
    blobs = BlobStore(directory / "blobs")
    sent = [honest(part) for part in range(1, 7)] + [Sent(filled(0)), Sent(filled(np.nan)), Sent(None)]
    inputs = digits_round(sent, shards=2, config=parse_config(GATED))
    references = store(inputs, read_task_source("digits"), blobs, GATED)
    (directory / "references").write_bytes(pickle.dumps(references))
    evidence = build_evidence(inputs, evaluate_round(inputs))
    assert evidence.by_kind[Kind.STATISTICS]
    return directory, write_evidence(evidence, blobs).hex()


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_round_replays_in_a_fresh_process(published: tuple[Path, str], setting: str) -> None:
    directory, root = published
    threads, chunk, environment = SETTINGS[setting]
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(directory), root, str(threads), str(chunk)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.stdout, finished.stderr) == (root + "\n", "")
