import json
import math
from pathlib import Path

import pytest

from bench import report
from bench.report import Goal, publish, row


def test_met_and_ratio_follow_from_the_figures() -> None:
    assert row("a", "m", 0.3, "%", Goal(at_most=1)).met is True
    assert row("a", "m", 1.3, "%", Goal(at_most=1)).met is False
    assert row("a", "m", 0.5, "", Goal(0.7, 1.3)).met is False
    faster = row("a", "m", 2.0, "ms", Goal(at_least=12, of_ratio=True), "naive", 30.0)
    assert (faster.ratio, faster.met, faster.goal) == (15.0, True, "ratio >= 12")
    assert row("a", "m", 2.0, "ms", Goal(at_least=16, of_ratio=True), "naive", 30.0).met is False
    assert row("a", "m", 2.0, "ms").met is None


def test_a_figure_that_could_not_be_measured_meets_no_goal() -> None:
    assert row("a", "m", math.nan, "%", Goal(at_most=1)).met is False
    assert row("a", "m", 0.0, "ms", Goal(at_least=12, of_ratio=True), "naive", 30.0).met is False


def test_the_file_has_the_schema_and_is_json_whatever_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "OUT", tmp_path / "out")
    path = publish("gate", [row("iid", "recall", math.nan, "%", Goal(at_least=90)), row("iid", "time", 1.5, "s")])
    document = json.loads(path.read_text())
    assert document["schema_version"] == 1
    assert list(document["rows"][0]) == ["case", "metric", "value", "unit", "peer", "peer_value", "ratio", "goal", "met"]
    assert [found["value"] for found in document["rows"]] == [None, 1.5]
    assert document["rows"][0]["met"] is False
    assert "recall" in capsys.readouterr().out
