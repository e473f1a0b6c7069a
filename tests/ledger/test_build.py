import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger import build


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[build.Artifact]:
    """Compiled from a directory that has nothing to do with it."""
    with contextlib.chdir(tmp_path_factory.mktemp("elsewhere")):
        return build.compile_contracts()


@pytest.fixture
def folder(tmp_path: Path, artifacts: list[build.Artifact], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Artifacts go to an empty folder, and compiling again, which takes seconds, is skipped."""
    monkeypatch.setattr(build, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(build, "compile_contracts", lambda: artifacts)
    return tmp_path


def parsed(artifacts: list[build.Artifact]) -> list[dict[str, Any]]:
    return [json.loads(artifact.text) for artifact in artifacts]


def test_the_committed_artifacts_are_built_from_the_sources_wherever_one_stands(artifacts: list[build.Artifact]) -> None:
    for artifact in artifacts:
        assert artifact.path.read_text() == artifact.text, "run `make contracts`"


def test_forge_tests_the_bytecode_that_is_deployed(artifacts: list[build.Artifact], tmp_path: Path) -> None:
    sources = [f"{name}.sol" for name in build.NAMES]
    forge = str(build.CONTRACTS / "tools" / "forge")
    places = ["--out", str(tmp_path), "--cache-path", str(tmp_path / "cache")]
    subprocess.run([forge, "build", *sources, *places], check=True, capture_output=True)
    for artifact in parsed(artifacts):
        name = artifact["contractName"]
        compiled = json.loads((tmp_path / f"{name}.sol" / f"{name}.json").read_text())
        assert compiled["bytecode"]["object"] == artifact["bytecode"]
        assert compiled["deployedBytecode"]["object"] == artifact["deployedBytecode"]


def test_files_are_stable_text(artifacts: list[build.Artifact]) -> None:
    for artifact in artifacts:
        text = artifact.text
        assert text.endswith("}\n")
        assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
        assert str(build.CONTRACTS) not in text
        assert "astId" not in text


def test_immutables_are_named_and_blank_in_the_code(artifacts: list[build.Artifact]) -> None:
    ledger = next(a for a in parsed(artifacts) if a["contractName"] == "RoundLedger")
    names = ["token", "registry", "court", "cap", "pool", "scorerPool", "maxPending"]
    times = ["commitTime", "closeTime", "revealTime", "graceTime", "proposeTime", "window", "voteTime"]
    assert set(ledger["immutableReferences"]) == {f"Federation._{name}" for name in names + times}
    code = bytes.fromhex(ledger["deployedBytecode"][2:])
    for places in ledger["immutableReferences"].values():
        for place in places:
            assert code[place["start"] : place["start"] + place["length"]] == bytes(32)


def test_storage_types_are_named_without_compiler_ids(artifacts: list[build.Artifact]) -> None:
    ledger = next(a for a in parsed(artifacts) if a["contractName"] == "RoundLedger")
    types = {slot["label"]: slot["type"] for slot in ledger["storageLayout"]["storage"]}
    assert types["_records"] == "t_mapping(t_uint64,t_struct(Record)_storage)"
    assert set(types.values()) <= set(ledger["storageLayout"]["types"])


def test_the_source_hash_follows_content_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CONTRACTS", tmp_path)
    first, second = tmp_path / "A.sol", tmp_path / "B.sol"
    first.write_text("contract A {}")
    second.write_text("contract B {}")
    both = build.source_hash(["B.sol", "A.sol"])
    assert both == build.source_hash(["A.sol", "B.sol"])
    assert both != build.source_hash(["A.sol"])
    second.write_text("contract B {} // a comment, which leaves the bytecode as it is")
    assert build.source_hash(["A.sol", "B.sol"]) != both
    first.write_text("contract B {}")
    second.write_text("contract A {}")
    assert build.source_hash(["A.sol", "B.sol"]) != both


def test_check_accepts_what_was_written(folder: Path) -> None:
    assert build.main([]) == 0
    assert {path.name for path in folder.iterdir()} == {f"{name}.json" for name in build.NAMES}
    assert build.main(["--check"]) == 0


def test_check_names_what_differs_and_the_remedy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.main([])
    (folder / "NodeRegistry.json").write_text((folder / "NodeRegistry.json").read_text() + "\n")
    (folder / "RoundLedger.json").unlink()
    assert build.main(["--check"]) == 1
    message = capsys.readouterr().err
    assert "NodeRegistry.json" in message
    assert "RoundLedger.json" in message
    assert "ContributionToken" not in message
    assert "make contracts" in message
    assert not (folder / "RoundLedger.json").exists()


def test_without_the_npm_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CONTRACTS", tmp_path)
    with pytest.raises(SystemExit, match="npm ci"):
        build.compile_contracts()
