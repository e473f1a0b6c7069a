"""Every sentence by which an error ends a command says what to do next: all of them are read, as they stand in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocol", "learning", "ledger", "aggregator", "node", "fairshare")

_VERBS = """
add answer ask cast check choose close compare compute convert correct create declare delete deploy do drop
edit end enter export fetch fill follow free fund get give group have implement impute init install join keep
leave let list look lower make mend move name open pass pip prove put raise read release remove rename repeat
report restore retry return reveal run save say see send set share shorten show sign sort split start stop
take tell train try trust update upload use wait withdraw write
"""
IMPERATIVES = _VERBS.split()
"""A next step begins with one of these, after a mark that ends what happened."""

NEXT_STEP = re.compile(
    r"(?:^|[;:,.(]|\b(?:or|and|then|first|please|which|to|not)) *(?:it |also |again |either )?"
    rf"(?:{'|'.join(IMPERATIVES)})\b|`fairshare |\bnothing to do\b|\bagain\b|\bmust (?:be|return)\b",
    re.IGNORECASE,
)


NOT_FOR_A_PERSON = (
    # Refusals of a server: the catalogue has their next steps, and a test that it has all of them.
    "aggregator/refusals.py",
    # What is wrong with bytes that somebody else made: whoever reads them says whose they are, and what to do.
    "protocol/abi.py",
    "protocol/evidence.py",
    "protocol/evidence_json.py",
    "protocol/openings.py",
    "protocol/parameters.py",
    "protocol/requests.py",
    "protocol/shares.py",
    "protocol/typed_data.py",
    "learning/data.py",
    # Results of a replay, FAIL and where: `fairshare scorer dispute` is the command's next step, not the sentence's.
    "aggregator/evaluation/",
    "aggregator/scorer/replay.py",
    "aggregator/scorer/errors.py",
)


class Message(NamedTuple):
    place: str
    text: str


def text_of(node: ast.expr) -> str | None:
    """A sentence as it stands in the code, its values as {}; None for what is no literal."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "{}" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (text_of(left) or "{}") + (text_of(right) or "{}")
        case ast.BoolOp(values=values):
            return text_of(values[-1])
        case ast.IfExp(body=body, orelse=orelse):
            return f"{text_of(body)}\n{text_of(orelse)}"
        case _:
            return None


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def families() -> dict[str, int]:
    """Every error of ours, by its name, with the position of its sentence among its arguments: -1 if it makes it itself."""
    found: dict[str, int] = {}
    for path, tree in trees():
        if not path.name.endswith(("errors.py", "refusals.py")):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                makes = any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body)
                found[node.name] = -1 if makes else 0
    return found


def messages() -> Iterator[Message]:
    known = families()
    for path, tree in trees():
        if str(path).startswith(NOT_FOR_A_PERSON):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            own = path.name.endswith("errors.py") and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
            raised = isinstance(node.func, ast.Name) and known.get(node.func.id) == 0
            if (own or raised) and node.args and (text := text_of(node.args[0])) is not None:
                yield Message(f"{path}:{node.lineno}", text)


FOUND = list(messages())


def test_there_are_as_many_as_there_are_errors() -> None:
    assert len(FOUND) > 120


def test_each_says_what_to_do_next() -> None:
    # One that ends with a value hands on another sentence, which is an error's of ours too, or made beside it.
    silent = [found for found in FOUND if not NEXT_STEP.search(found.text) and not found.text.endswith("{}")]
    assert silent == []


def test_each_speaks_like_the_others() -> None:
    """One voice: no capital at the beginning, no mark at the end, nobody is begged or shouted at."""
    names = re.compile(r"^(?:Ray|Fashion-MNIST|[A-Z_]{2,}|Update)\b")
    loud = [
        found
        for found in FOUND
        if (found.text[:1].isupper() and not names.match(found.text))
        or found.text.endswith((".", "!"))
        or re.search(r"\b(?:please|sorry|oops|failed to)\b", found.text, re.IGNORECASE)
    ]
    assert loud == []
