"""Is every guard of the contracts tested? Takes them away one by one, and some test has to fail: `make guards`.

A guard is an `if`, each side of an `||` in it, the use of a modifier or of `_inState`, and the bare call of a function. All are
made removable in one copy of the sources (mutant schemata: Untch, Offutt and Harrold, ISSTA 1993), so that the compiler runs
once: guard k does nothing while the account `Mutant.SWITCH` has k bytes of code, which the tests' base class gives it. Guards
that no test can miss are listed in `EQUIVALENT`, with the reason. Killed ones are noted, so that a run that was stopped goes on;
any change of the sources starts anew. Ends with 1 if a guard survives, or if one listed as equivalent does not.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CONTRACTS = Path(__file__).parents[1]
COPY = CONTRACTS / "out" / "guards" / "contracts"
FEW = {"FOUNDRY_FUZZ_RUNS": "32", "FOUNDRY_INVARIANT_RUNS": "4", "FOUNDRY_INVARIANT_DEPTH": "64", "FOUNDRY_DENY": "never"}
"""Every guard is one run of all tests, so each looks at few cases."""

MUTANT = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;
library Mutant {
    address internal constant SWITCH = address(0x6d7574616e74);
    function off(uint256 guard) internal view returns (bool) { return SWITCH.code.length == guard; }
}
"""
SWITCH = """interface Switch { function etch(address at_, bytes calldata code) external;
    function envOr(string calldata name, uint256 otherwise) external view returns (uint256); }
abstract contract Test {
    constructor() {
        Switch(address(vm)).etch(Mutant.SWITCH, new bytes(Switch(address(vm)).envOr("MUTANT", uint256(0))));
    }
"""

EQUIVALENT: dict[str, str] = {}
"""Guards that nothing can tell apart from nothing, by their name, and why."""


class Guard(NamedTuple):
    """A guard by its place and its words, which are its name as long as no other in the file has them."""

    file: str
    line: int
    words: str

    @property
    def name(self) -> str:
        """How `EQUIVALENT` calls it."""
        return f"{self.file}: {self.words}"


class Instrumented:
    """The text of one source file, in which every guard can be switched off."""

    def __init__(self, file: str, text: str, guards: list[Guard]) -> None:
        self.file = file
        self.guards = guards
        # A modifier becomes a function, which every function that it modified calls first.
        modifier = r"(?s)\n    modifier (\w+\(.*?\)) (\{.*?)_;\s*\}"
        text = re.sub(modifier, r"\n    function _\1 internal view \2}", text)
        text = re.sub(r"\)\s+((?:external|public)[^;{]*?)\b(onlyRole\(\w+\)|only\w+(?:\(\w+\))?)([^;{]*)\{", self._modified, text)
        text = re.sub(r"(?<== )_inState\(round, [\w.]+\)", self._in_state, text)
        text = re.sub(r"(?m)^( +)(_[\w.]+\([^;{}]*\);)$", self._call, text)
        self.text = self._conditions(text)

    def _add(self, text: str, position: int, words: str) -> int:
        """The number of a new guard; the first is 1."""
        self.guards.append(Guard(self.file, text.count("\n", 0, position) + 1, " ".join(words.split())))
        return len(self.guards)

    def _modified(self, found: re.Match[str]) -> str:
        before, modifier, after = found.groups()
        k = self._add(found.string, found.start(2), modifier)
        call = f"{modifier}()" if "(" not in modifier else modifier.replace("onlyRole", "checkRole")
        # Marked, so that this condition is no guard of its own.
        return f") {before}{after}{{ if/**/(!Mutant.off({k})) {{ _{call}; }}"

    def _in_state(self, found: re.Match[str]) -> str:
        k = self._add(found.string, found.start(), found[0])
        return f"(Mutant.off({k}) ? _records[round] : {found[0]})"

    def _call(self, found: re.Match[str]) -> str:
        k = self._add(found.string, found.start(2), found[2])
        return f"{found[1]}if/**/(!Mutant.off({k})) {{ {found[2]} }}"

    def _conditions(self, text: str) -> str:
        position = 0
        while (start := text.find("if (", position)) >= 0:
            position = start + 4
            end = _closing(text, position)
            condition = text[position:end]
            k = self._add(text, start, f"if ({condition})")
            sides = _alternatives(condition)
            if len(sides) > 1:
                numbered = [(self._add(text, start, f"if ({condition}): {side}"), side) for side in sides]
                condition = " || ".join(f"(!Mutant.off({number}) && ({side}))" for number, side in numbered)
            text = f"{text[:position]}!Mutant.off({k}) && ({condition}){text[end:]}"
        return text


def _closing(text: str, start: int) -> int:
    """Where the parenthesis closes whose inside begins at `start`."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise ValueError(f"no parenthesis closes after {text[start : start + 40]!r}")


def _alternatives(condition: str) -> list[str]:
    """The sides of the `||`s that are in no parentheses."""
    sides, depth, start = [], 0, 0
    for position, sign in enumerate(condition):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0 and condition.startswith("||", position):
            sides.append(condition[start:position].strip())
            start = position + 2
    return [*sides, condition[start:].strip()]


def instrument() -> list[Guard]:
    """Write the copy with its switches. Guard k is the (k - 1)-th that is returned."""
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("node_modules", "out", "cache", "artifacts", "gas")
    shutil.copytree(CONTRACTS, COPY, ignore=ignored, symlinks=True)
    (COPY / "node_modules").symlink_to(CONTRACTS / "node_modules")
    shutil.copytree(CONTRACTS.parent / "protocol", COPY.parent / "protocol", dirs_exist_ok=True)
    (COPY / "Mutant.sol").write_text(MUTANT)
    guards: list[Guard] = []
    for path in [*sorted(CONTRACTS.glob("*.sol")), *sorted(CONTRACTS.glob("libraries/*.sol"))]:
        copy = COPY / path.relative_to(CONTRACTS)
        up = "../" if path.parent.name == "libraries" else "./"
        text = Instrumented(str(path.relative_to(CONTRACTS)), path.read_text(), guards).text
        copy.write_text(re.sub(r"\n(pragma .*;)\n", rf'\n\1\nimport {{Mutant}} from "{up}Mutant.sol";\n', text, count=1))
    for copy in COPY.glob("**/*.sol"):
        if "node_modules" not in copy.parts and copy.name != "Mutant.sol":
            # A switch is read, so nothing is pure.
            copy.write_text(re.sub(r"\bpure\b", "view", copy.read_text()))
    base = COPY / "test/utils/Test.sol"
    text = base.read_text().replace("abstract contract Test {\n", SWITCH)
    base.write_text(text.replace("\ninterface Vm", '\nimport {Mutant} from "../../Mutant.sol";\n\ninterface Vm', 1))
    return guards


def passes(mutant: int) -> str | None:
    """Run the tests with one guard off, none for 0: None if they pass, or else the first that failed."""
    command = ["tools/forge", "test", "--no-match-path", "test/{gas,differential}/*", "--fail-fast"]
    environment = {**os.environ, **FEW, "MUTANT": str(mutant)}
    done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    failed = re.search(r"\[FAIL[^\n]*\] (\w+)\(", done.stdout)
    if not failed and "setUp()" not in done.stdout:
        sys.exit(f"forge did not run:\n{done.stdout}{done.stderr}")
    return failed[1] if failed else "setUp"


def main() -> None:
    """Run every guard that is not yet known to be tested, and print the survivors."""
    guards = instrument()
    sources = sorted(path for path in COPY.glob("**/*.sol") if "node_modules" not in path.parts)
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    notes = COPY.parent / "killed.json"
    known = json.loads(notes.read_text()) if notes.exists() else {}
    killed: dict[str, str] = known.get("killed", {}) if known.get("sources") == state else {}
    if not killed and (failed := passes(0)):
        sys.exit(f"{failed} fails with every guard in its place")
    survivors: list[Guard] = []
    listed: list[Guard] = []
    for number, guard in enumerate(guards, start=1):
        if str(number) not in killed and guard.name not in EQUIVALENT and (test := passes(number)):
            killed[str(number)] = test
            notes.write_text(json.dumps({"sources": state, "killed": killed}))
        fate = killed.get(str(number), EQUIVALENT.get(guard.name))
        print(f"{number:4} {guard.file}:{guard.line} {guard.words}\n       {fate or 'SURVIVES'}", flush=True)
        if str(number) not in killed:
            (listed if fate else survivors).append(guard)
    unknown = set(EQUIVALENT) - {guard.name for guard in guards}
    print(f"{len(guards)} guards: {len(killed)} tested, {len(listed)} equivalent, {len(survivors)} survive")
    for what in [*(guard.name for guard in survivors), *(f"no such guard: {name}" for name in sorted(unknown))]:
        print(f"  {what}")
    sys.exit(1 if survivors or unknown else 0)


if __name__ == "__main__":
    main()
