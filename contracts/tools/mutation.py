"""Runs the tests of the contracts against mutants of them, one at a time: what `guards.py` and `mutants.py` stand on.

All are in one copy of the sources, so that the compiler runs once (mutant schemata: Untch, Offutt and Harrold, ISSTA 1993):
mutant k is on while the account `Mutant.SWITCH` has k bytes of code. A mutant is first shown to all unit tests in a single test
of forge, which has an instance of every suite and calls one test after the other until one fails; that takes a second. One that
passes them all goes through the whole suite, with fuzzing and invariants, a few cases each.

What was noticed is noted, so that a run that was stopped goes on where it was; any change of the sources starts anew.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

CONTRACTS = Path(__file__).parents[1]
FEW = {"FOUNDRY_FUZZ_RUNS": "32", "FOUNDRY_INVARIANT_RUNS": "4", "FOUNDRY_INVARIANT_DEPTH": "64", "FOUNDRY_DENY": "never"}
AT_ONCE = 50
"""So many mutants are shown to the unit tests before it is noted which were noticed."""

LONG = {"test_allIndicesTaken"}
"""Tests that take longer than all others together: only what passes those is shown to them."""

ENOUGH = 400_000_000
"""Gas for one of the other unit tests; where a mutant made a loop endless, it ends here."""

ALL_ENOUGH, SECONDS = 4_000_000_000, 900
"""Gas for any test, and time for all of them."""

MUTANT = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;
library Mutant {
    address internal constant SWITCH = address(0x6d7574616e74);
    function on(uint256 mutant) internal view returns (bool) { return SWITCH.code.length == mutant; }
}
"""
SWITCH = """interface Switch { function etch(address at_, bytes calldata code) external;
    function envOr(string calldata name, uint256 otherwise) external view returns (uint256); }
abstract contract Test {
    constructor() {
        Switch(address(vm)).etch(Mutant.SWITCH, new bytes(Switch(address(vm)).envOr("MUTANT", uint256(0))));
    }
"""
DRIVER = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {Mutant} from "../../Mutant.sol";
interface DriverVm {
    function etch(address at_, bytes calldata code) external;
    function deployCode(string calldata artifact) external returns (address);
    function split(string calldata text, string calldata at_) external pure returns (string[] memory);
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function stopPrank() external;
}
contract DriverTest {
    DriverVm private constant vm = DriverVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public constant IS_TEST = true;
    address[] private _suites;
    string[] private _tests;
    function _suite(string memory artifact, string memory tests) private {
        _suites.push(vm.deployCode(artifact));
        _tests.push(tests);
    }
    /// @dev Ends a prank that a test began and left, in a call as deep as the test.
    function calm() external {
        vm.stopPrank();
    }
    function _show(uint256 mutant) private {
        vm.etch(Mutant.SWITCH, new bytes(mutant));
        for (uint256 i; i < _suites.length; ++i) {
            uint256 before = vm.snapshotState();
            string[] memory tests = vm.split(_tests[i], " ");
            uint256 ready;
            for (uint256 j; j < tests.length; ++j) {
                (bool ok,) = _suites[i].call{gas: %ENOUGH%}(abi.encodeWithSignature(string.concat(tests[j], "()")));
                require(ok, tests[j]);
                this.calm();
                if (j == 0) ready = vm.snapshotState();
                else vm.revertToState(ready);
            }
            vm.revertToState(before);
        }
    }
"""


class Mutation(NamedTuple):
    """What is changed, by its place and its words."""

    file: str
    line: int
    words: str


def write(copy: Path, texts: dict[str, str]) -> None:
    """Write a copy of the contracts and their tests, with these texts for sources, and with the switch."""
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("node_modules", "out", "cache", "artifacts", "gas")
    shutil.copytree(CONTRACTS, copy, ignore=ignored, symlinks=True)
    (copy / "node_modules").symlink_to(CONTRACTS / "node_modules")
    shutil.copytree(CONTRACTS.parent / "protocol", copy.parent / "protocol", dirs_exist_ok=True)
    (copy / "Mutant.sol").write_text(MUTANT)
    for file, text in texts.items():
        up = "../" if "/" in file else "./"
        (copy / file).write_text(re.sub(r"\n(pragma .*;)\n", rf'\n\1\nimport {{Mutant}} from "{up}Mutant.sol";\n', text, count=1))
    for source in copy.glob("**/*.sol"):
        if "node_modules" not in source.parts and source.name != "Mutant.sol":
            # A switch is read, so nothing is pure.
            source.write_text(re.sub(r"\bpure\b", "view", source.read_text()))
    base = copy / "test/utils/Test.sol"
    text = base.read_text().replace("abstract contract Test {\n", SWITCH)
    base.write_text(text.replace("\ninterface Vm", '\nimport {Mutant} from "../../Mutant.sol";\n\ninterface Vm', 1))


def noticed_by_unit_tests(copy: Path, mutants: Sequence[int]) -> dict[int, str]:
    """Of these mutants, those that a unit test notices, and the first that does."""
    suites = "".join(f'        _suite("{artifact}", "{" ".join(tests)}");\n' for artifact, tests in _unit_tests(copy))
    shows = "".join(f"    function test_{mutant}() external {{ _show({mutant}); }}\n" for mutant in mutants)
    (copy / "test/driver").mkdir(exist_ok=True)
    (copy / "test/driver/Driver.t.sol").write_text(
        f"{DRIVER.replace('%ENOUGH%', str(ENOUGH))}    function setUp() external {{\n{suites}    }}\n{shows}}}\n"
    )
    done = _forge(copy, 0, "--match-path", "test/driver/*", "--json")
    try:
        results = json.loads(done.stdout)["test/driver/Driver.t.sol:DriverTest"]["test_results"]
        told = {mutant: results[f"test_{mutant}()"] for mutant in mutants}
    except (ValueError, KeyError):
        sys.exit(f"forge did not run:\n{done.stdout}{done.stderr}")
    return {mutant: result["reason"] or "setUp" for mutant, result in told.items() if result["status"] != "Success"}


def _unit_tests(copy: Path) -> Iterator[tuple[str, list[str]]]:
    """The artifact of every suite and the names of its tests, `setUp` first; those that only fuzz are left out."""
    for path in sorted(copy.glob("test/**/*.t.sol")):
        place = path.relative_to(copy)
        if place.parts[1] in ("differential", "invariant", "fuzz", "driver"):
            continue
        parts = re.split(r"(?m)^contract (\w+) is (\w+)", path.read_text())
        for name, base, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            tests = [name for name in re.findall(r"function (test_\w+)\(\)", body) if name not in LONG]
            prepared = base != "Test" or "function setUp()" in body
            yield f"{place}:{name}", [*(["setUp"] if prepared else []), *tests]


def _forge(copy: Path, mutant: int, *arguments: str, seconds: int | None = None) -> subprocess.CompletedProcess[str]:
    command, environment = ["tools/forge", "test", *arguments], {**os.environ, **FEW, "MUTANT": str(mutant)}
    running = subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it is a group of processes, that ends together
    )
    try:
        out, err = running.communicate(timeout=seconds)
    except BaseException:  # Ctrl-C too
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        raise
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def noticed(copy: Path, mutant: int) -> str | None:
    """The first of all tests that fails with a mutant on, or with none for 0."""
    everywhere = ("--no-match-path", "test/{gas,differential,driver}/*", "--fail-fast", "--gas-limit", str(ALL_ENOUGH))
    try:
        done = _forge(copy, mutant, *everywhere, seconds=SECONDS)
    except subprocess.TimeoutExpired:
        return "no test ends"
    if done.returncode == 0:
        return None
    failed = re.search(r"\[FAIL[^\n]*\] (\w+)\(", done.stdout)
    if not failed and "setUp()" not in done.stdout:
        sys.exit(f"forge did not run:\n{done.stdout}{done.stderr}")
    return failed[1] if failed else "setUp"


def names(mutations: Sequence[Mutation]) -> list[str]:
    """How a list of equivalent ones calls them: by file and words, and the second with the same words in a file by `#2`."""
    met: Counter[str] = Counter()
    found = []
    for mutation in mutations:
        name = f"{mutation.file}: {mutation.words}"
        met[name] += 1
        found.append(name if met[name] == 1 else f"{name} #{met[name]}")
    return found


def report(copy: Path, mutations: list[Mutation], chosen: Sequence[int], equivalent: dict[str, str]) -> None:
    """Show every one of the chosen mutants to the tests, print what became of it, and exit with 1 if one survives, or if one that
    is listed as equivalent does not.
    """
    sources = sorted(path for path in copy.glob("**/*.sol") if "node_modules" not in path.parts and path.name != "Driver.t.sol")
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    notes = copy.parent / "noticed.json"
    known = json.loads(notes.read_text()) if notes.exists() else {}
    fates: dict[str, str] = known.get("fates", {}) if known.get("sources") == state else {}
    if not fates and (failed := noticed_by_unit_tests(copy, [0]).get(0) or noticed(copy, 0)):
        sys.exit(f"{failed} fails without any mutant")
    called = names(mutations)
    listed = {number for number in chosen if called[number - 1] in equivalent}
    open_ = [number for number in chosen if str(number) not in fates]
    for first in range(0, len(open_), AT_ONCE):
        some = open_[first : first + AT_ONCE]
        found: dict[int, str | None] = dict(noticed_by_unit_tests(copy, some))
        for number in some:
            fate = found.get(number) or noticed(copy, number)
            mutation = mutations[number - 1]
            print(f"{number:4} {mutation.file}:{mutation.line} {mutation.words}\n       {fate or 'SURVIVES'}", flush=True)
            if fate:
                fates[str(number)] = fate
                notes.write_text(json.dumps({"sources": state, "fates": fates}))
    survivors = [called[number - 1] for number in chosen if str(number) not in fates and number not in listed]
    wrong = [f"listed, but noticed: {called[number - 1]}" for number in sorted(listed) if str(number) in fates]
    wrong += [f"nothing is called: {name}" for name in sorted(set(equivalent) - set(called))]
    seen = len(chosen) - len(listed) - len(survivors)
    print(f"{len(chosen)} of {len(mutations)}: {seen} noticed, {len(listed)} equivalent, {len(survivors)} survive")
    for what in [*survivors, *wrong]:
        print(f"  {what}")
    sys.exit(1 if survivors or wrong else 0)
