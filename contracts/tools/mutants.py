"""Would a slip of the pen in the contracts be noticed? Makes them one at a time, and some test has to fail: `make mutants`.

`guards.py` takes checks away. This does what else somebody would who wants to see whether our tests see it:

    < <= > >= == != + - * / % & | ^ << >> && || += -= ++ --      become their neighbours, and a division rounds up
    an assignment, a call or an emit                             is left out
    a number or a constant                                       is one more
    true, a negation, the condition of a choice                  is the opposite
    two arguments of one type                                    change places
    an address                                                   is the sender's, and the sender's the transaction's

The compiler's syntax tree says where. How they are run is told in `mutation.py`.
"""

import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from mutation import CONTRACTS, Mutation, report, write

COPY = CONTRACTS / "out" / "mutants" / "contracts"
SAMPLE = 200

_SMALLER = "the smaller of two is that in either order"
EQUIVALENT = {
    "BondRegistry.sol: Math.min(amounts.minimumStake, Math.min(amounts.aggregatorBond, amounts.scorerBond)): "
    "amounts.minimumStake ⇄ Math.min(amounts.aggregatorBond, amounts.scorerBond)": _SMALLER,
    "BondRegistry.sol: Math.min(_proofFee, amount / 2): _proofFee ⇄ amount / 2": _SMALLER,
    "NodeRegistry.sol: Math.min(_proofFee, amount / 2): _proofFee ⇄ amount / 2": _SMALLER,
    "BondRegistry.sol: amount / 2 → (amount / 2 + 1) #2": "no bond is less than twice the fee",
    "NodeRegistry.sol: amount / 2 → (amount / 2 + 1)": "no stake is less than twice the fee",
}
"""Mutants that nothing can tell apart from the original, by their name, and why."""

NEIGHBOURS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<",
    "+=": "-=", "-=": "+=", "|=": "&=", "^=": "|=", "++": "--", "--": "++",
}  # fmt: skip

# Errors' arguments are for people, and assembly has no syntax tree of this kind.
UNTOUCHED = {"RevertStatement", "InlineAssembly", "ModifierInvocation", "InheritanceSpecifier"}

Node = dict[str, Any]


def syntax_trees() -> dict[str, Node]:
    """The compiler's syntax tree of every source of ours with code in it, by its path."""
    task = {
        "language": "Solidity",
        "sources": {path.name: {"content": path.read_text()} for path in sorted(CONTRACTS.glob("*.sol"))},
        "settings": {
            "remappings": (CONTRACTS / "remappings.txt").read_text().split(),
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    command = ["tools/solc", "--standard-json", "-", "--base-path", "."]
    done = subprocess.run(command, cwd=CONTRACTS, input=json.dumps(task), capture_output=True, text=True, check=True)
    sources = json.loads(done.stdout)["sources"]
    return {name: sources[name]["ast"] for name in sorted(sources) if not name.startswith(("node_modules/", "interfaces/"))}


class Mutated:
    """The text of one source file, in which every mutant can be switched on."""

    def __init__(self, file: str, tree: Node, constants: set[int], mutations: list[Mutation]) -> None:
        self.file = file
        self.source = (CONTRACTS / file).read_bytes()
        self.constants = constants
        self.mutations = mutations
        # The tree begins after the licence.
        self.text = self.source[: int(tree["src"].split(":")[0])].decode() + self._render(tree) + "\n"

    def _original(self, node: Node) -> str:
        start, length, _ = map(int, node["src"].split(":"))
        return self.source[start : start + length].decode()

    def _add(self, node: Node, words: str) -> str:
        """What asks whether a new mutant is on."""
        start = int(node["src"].split(":")[0])
        self.mutations.append(Mutation(self.file, self.source.count(b"\n", 0, start) + 1, " ".join(words.split())))
        return f"Mutant.on({len(self.mutations)})"

    def _render(self, node: Node) -> str:
        """The text of a node with the mutants in it. One at a time is on, so that what is put in place of a part has none."""
        start, length, _ = map(int, node["src"].split(":"))
        if node["nodeType"] in UNTOUCHED or (node["nodeType"] == "VariableDeclaration" and node.get("stateVariable")):
            return self._original(node)
        kind = node["nodeType"]
        swaps = dict(self._arguments(node)) if kind == "FunctionCall" else {}
        text, position = b"", start
        for child in sorted(_children(node), key=lambda child: int(child["src"].split(":")[0])):
            first, size, _ = map(int, child["src"].split(":"))
            rendered = self._render(child)
            for switch, instead in swaps.get(id(child), []):
                rendered = f"({switch} ? {instead} : {rendered})"
            if node.get("falseBody") and child is node["trueBody"] and child["nodeType"] == "ExpressionStatement":
                # An `else` belongs to the nearest `if`.
                rendered, size = f"{{ {rendered}; }}", size + 1
            text += self.source[position:first] + rendered.encode()
            position = first + size
        inner = (text + self.source[position : start + length]).decode()
        for instead in self._alternatives(node):
            inner = f"({self._add(node, f'{self._original(node)}  →  {instead}')} ? {instead} : {inner})"
        if kind == "EmitStatement" or (kind == "ExpressionStatement" and not node.get("loop")):
            inner = f"if (!{self._add(node, f'without {self._original(node)}')}) {inner}"
        return inner

    def _alternatives(self, node: Node) -> Iterator[str]:
        """What an expression may be mistaken for."""
        kind, operator = node["nodeType"], node.get("operator", "")
        constant = node.get("isPure") and kind != "Identifier" and kind != "MemberAccess"
        if node.get("condition_of_choice"):
            yield f"!({self._original(node)})"
        if kind == "BinaryOperation" and not constant:
            left, right = self._original(node["leftExpression"]), self._original(node["rightExpression"])
            if operator in NEIGHBOURS:
                yield f"({left} {NEIGHBOURS[operator]} {right})"
            if operator == "/":
                yield f"({left} / {right} + 1)"
            for side, other in (("leftExpression", right), ("rightExpression", left)):
                if _is_number(node[side]) and "bytes" not in node["commonType"]["typeString"]:
                    more = _one_more(node[side])
                    yield f"({more} {operator} {other})" if side == "leftExpression" else f"({other} {operator} {more})"
        elif kind == "Assignment" and operator in NEIGHBOURS:
            left, right = self._original(node["leftHandSide"]), self._original(node["rightHandSide"])
            yield f"({left} {NEIGHBOURS[operator]} {right})"
        elif kind == "UnaryOperation" and operator in ("++", "--") and not node.get("loop"):
            operand = self._original(node["subExpression"])
            yield f"{NEIGHBOURS[operator]}{operand}" if node["prefix"] else f"{operand}{NEIGHBOURS[operator]}"
        elif kind == "UnaryOperation" and operator == "!":
            yield self._original(node["subExpression"])
        elif kind == "Literal" and node["kind"] == "bool":
            yield {"true": "false", "false": "true"}[node["value"]]
        elif node.get("referencedDeclaration") in self.constants and kind in ("Identifier", "MemberAccess"):
            yield f"({self._original(node)} + 1)"

    def _arguments(self, call: Node) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """What the arguments of a call may be mistaken for: one another, another account, another number."""
        given = [
            (argument, self._original(argument), argument["typeDescriptions"]["typeString"]) for argument in call["arguments"]
        ]
        wrong: dict[int, list[tuple[str, str]]] = {id(argument): [] for argument, _, _ in given}
        is_call = call["kind"] == "functionCall" and not call.get("names")
        for (one, text, kind), (two, other, kind2) in pairwise(given):
            if is_call and kind == kind2 and _is_value(kind) and text != other:
                switch = self._add(call, f"{self._original(call)}: {text} ⇄ {other}")
                wrong[id(one)].append((switch, other))
                wrong[id(two)].append((switch, text))
        for (argument, text, kind), parameter in zip(given, _parameters(call), strict=False):
            if kind == "address" and (is_call or self._original(call["expression"]) == "payable") and not argument.get("isPure"):
                instead = "tx.origin" if text == "msg.sender" else "msg.sender"
            elif is_call and _is_number(argument) and parameter.startswith("uint"):
                instead = f"uint8({_one_more(argument)})"
            else:
                continue
            wrong[id(argument)].append((self._add(call, f"{self._original(call)}: {text}  →  {instead}"), instead))
        yield from wrong.items()


def _children(node: Node) -> Iterator[Node]:
    """The nodes below a node that stand in its text; those that only loops have are marked."""
    for name, value in node.items():
        for child in value if isinstance(value, list) else [value]:
            # The results of a function that has none stand nowhere.
            if isinstance(child, dict) and "nodeType" in child and ":0:" not in child["src"] and name != "documentation":
                if name in ("initializationExpression", "loopExpression") and "expression" in child:
                    child = child | {"loop": True, "expression": child["expression"] | {"loop": True}}
                if node["nodeType"] == "Conditional" and name == "condition":
                    child = child | {"condition_of_choice": True}
                yield child


def _is_number(node: Node) -> bool:
    return node["nodeType"] == "Literal" and node["kind"] == "number" and not node.get("subdenomination")


def _one_more(number: Node) -> int:
    return int(number["value"].replace("_", ""), 0) + 1


def _parameters(call: Node) -> list[str]:
    """The types that a function takes, as far as its own type tells."""
    types = re.match(r"function \(([^()]*)\)", call["expression"]["typeDescriptions"]["typeString"])
    return types[1].split(",") if types else [""] * len(call["arguments"])


def _is_value(kind: str) -> bool:
    return not any(word in kind for word in ("memory", "calldata", "storage", "const", "literal", "type("))


def constants_in(tree: Node) -> Iterator[int]:
    """The ids of the numbers that have a name."""
    for contract in tree["nodes"]:
        for member in contract.get("nodes", []):
            if member.get("constant") and member["typeDescriptions"]["typeString"].startswith("uint"):
                yield member["id"]


def main() -> None:
    """Run the mutants that are not yet known to be noticed, and print the survivors."""
    trees = syntax_trees()
    constants = {constant for tree in trees.values() for constant in constants_in(tree)}
    mutations: list[Mutation] = []
    write(COPY, {file: Mutated(file, tree, constants, mutations).text for file, tree in trees.items()})
    numbers = list(range(1, len(mutations) + 1))
    if not os.environ.get("ALL"):
        draw = random.Random("fairshare mutants")  # noqa: S311 (no secret: the same sample every time)
        numbers = sorted(draw.sample(numbers, min(SAMPLE, len(numbers))))
    report(COPY, mutations, numbers, EQUIVALENT)


if __name__ == "__main__":
    main()
