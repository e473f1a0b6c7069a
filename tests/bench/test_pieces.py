from pathlib import Path

import pytest

from bench import pieces


def test_a_piece_is_measured_once_for_each_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "OUT", tmp_path)
    measured = iter(range(10))
    found = [pieces.piece("n=10 loss", version, lambda: [next(measured)]) for version in ("a", "a", "b", "a")]
    assert found == [[0], [0], [1], [0]]


def test_a_version_follows_the_sources() -> None:
    assert pieces.source_hash("bench/pieces.py") == pieces.source_hash("bench/pieces.py")
    assert pieces.source_hash("bench/pieces.py") != pieces.source_hash("bench/report.py")
    assert pieces.source_hash("bench") != pieces.source_hash("bench/pieces.py")
