"""Is every guard of the contracts tested? Takes them away one by one, and some test has to fail: `make guards`.

A guard is an `if`, each side of an `||` in it, the use of a modifier or of `_inState`, and the bare call of a function. Those
that no test can miss are listed in `EQUIVALENT`, with the reason. Ends with 1 if a guard survives, or if one listed as
equivalent does not. How they are run is told in `mutation.py`.
"""

import re

from mutation import CONTRACTS, Mutation, report, write

COPY = CONTRACTS / "out" / "guards" / "contracts"
EQUIVALENT = {
    "Officers.sol: if (bonds == officers.bonds)": "spares a snapshot that says what the one before says: only gas tells",
}
"""Guards that nothing can tell apart from nothing, by their name, and why."""


class Instrumented:
    """The text of one source file, in which every guard can be switched off."""

    def __init__(self, file: str, text: str, guards: list[Mutation]) -> None:
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
        self.guards.append(Mutation(self.file, text.count("\n", 0, position) + 1, " ".join(words.split())))
        return len(self.guards)

    def _modified(self, found: re.Match[str]) -> str:
        before, modifier, after = found.groups()
        k = self._add(found.string, found.start(2), modifier)
        call = f"{modifier}()" if "(" not in modifier else modifier.replace("onlyRole", "checkRole")
        # Marked, so that this condition is no guard of its own.
        return f") {before}{after}{{ if/**/(!Mutant.on({k})) {{ _{call}; }}"

    def _in_state(self, found: re.Match[str]) -> str:
        k = self._add(found.string, found.start(), found[0])
        return f"(Mutant.on({k}) ? _records[round] : {found[0]})"

    def _call(self, found: re.Match[str]) -> str:
        k = self._add(found.string, found.start(2), found[2])
        return f"{found[1]}if/**/(!Mutant.on({k})) {{ {found[2]} }}"

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
                condition = " || ".join(f"(!Mutant.on({number}) && ({side}))" for number, side in numbered)
            text = f"{text[:position]}!Mutant.on({k}) && ({condition}){text[end:]}"
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


def guards() -> tuple[list[Mutation], dict[str, str]]:
    """All guards, and the sources in which guard k, the (k - 1)-th in the list, can be switched off."""
    found: list[Mutation] = []
    texts = {}
    for path in [*sorted(CONTRACTS.glob("*.sol")), *sorted(CONTRACTS.glob("libraries/*.sol"))]:
        file = str(path.relative_to(CONTRACTS))
        texts[file] = Instrumented(file, path.read_text(), found).text
    return found, texts


def main() -> None:
    """Run every guard that is not yet known to be tested, and print the survivors."""
    found, texts = guards()
    write(COPY, texts)
    report(COPY, found, range(1, len(found) + 1), EQUIVALENT)


if __name__ == "__main__":
    main()
