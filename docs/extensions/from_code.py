"""Pages that are written from the code, so that they cannot differ from it: reason codes, exit codes, commands, formats."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from typer.main import get_command

from aggregator.template import federation_text
from protocol import catalogue, contract_errors, terminal
from protocol.evidence import LEAF_KINDS

_VECTORS = Path(__file__).parents[2] / "protocol" / "vectors.json"


class ReasonCodes(SphinxDirective):
    """`{reason-codes} verdicts`: one part of `protocol.catalogue` as a table, or the contracts' errors."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table."""
        name = self.arguments[0].upper()
        entries = getattr(contract_errors if name == "CONTRACT_ERRORS" else catalogue, name).values()
        rows = ((f"`{entry.code}`", entry.sentence, entry.next_step) for entry in entries)
        return self.parse_text_to_nodes(_table(("code", "what happened", "what to do"), rows))


class ExitCodes(SphinxDirective):
    """`{exit-codes}`: the table in `protocol.terminal`."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        rows = re.findall(r"^(\d+(?: - \d+)?) +(\S.*)$", terminal.EXIT_CODES, re.MULTILINE)
        return self.parse_text_to_nodes(_table(("exit code", "meaning"), rows))


class Commands(SphinxDirective):
    """`{commands}`: the help of every command, as `--help` prints it."""

    def run(self) -> list[nodes.Node]:
        """A section for each."""
        from fairshare.app import app

        text = "\n\n".join(_command(name, command) for name, command in _leaves("fairshare", get_command(app)))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Settings(SphinxDirective):
    """`{federation-toml}`: the file that `fairshare aggregator init` writes."""

    def run(self) -> list[nodes.Node]:
        """The file, with its remarks."""
        return self.parse_text_to_nodes(f"```toml\n{federation_text('…', '…')}\n```")


class Formats(SphinxDirective):
    """`{formats}`: what each part of protocol/vectors.json is a vector of."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        return self.parse_text_to_nodes(_table(("vectors", "format"), _formats(json.loads(_VECTORS.read_text()))))


class LeafKinds(SphinxDirective):
    """`{leaf-kinds}`: the versioned table of protocol/evidence.py."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        rows = (
            (
                f"{kind.value}",
                f"`{kind.name}`",
                spec.leaf_class.value,
                spec.access.name.lower(),
                f"{spec.depth}",
                ", ".join(f"`{abi_type} {name}`" for abi_type, name in spec.fields),
            )
            for kind, spec in LEAF_KINDS.items()
        )
        return self.parse_text_to_nodes(_table(("number", "kind", "class", "seen by", "depth", "payload"), rows))


def _formats(vectors: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every `format` in the document with where it stands; of entries that share one, the first."""
    told: set[str] = set()
    if isinstance(vectors, dict):
        if "format" in vectors:
            yield f"`{path}`", vectors["format"]
        below = ((f"{path}.{key}".lstrip("."), value) for key, value in vectors.items())
    else:
        below = ((path, value) for value in vectors) if isinstance(vectors, list) else iter(())
    for where, value in below:
        for name, text in _formats(value, where):
            if text not in told:
                told.add(text)
                yield name, text


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word in sorted(below):
        yield from _leaves(f"{name} {word}", below[word])


def _command(name: str, command: Any) -> str:
    told = re.sub(r"^Example: (.*)$", r"```console\n$ \1\n```", inspect.cleandoc(command.help), flags=re.MULTILINE)
    rows = [(f"`{_invocation(given)}`", given.help or "") for given in command.params]
    return f"## `{name}`\n\n{told}\n\n{_table(('argument or option', 'meaning'), rows) if rows else ''}"


def _invocation(given: Any) -> str:
    if given.param_type_name == "argument":
        return str(given.metavar or given.name.upper())
    return ", ".join(given.opts) + ("" if given.is_flag else f" {given.metavar or given.name.upper()}")


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in (head, ("---",) * len(head), *rows))
    return "\n".join(f"| {line} |" for line in lines)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directives known."""
    app.add_directive("reason-codes", ReasonCodes)
    app.add_directive("exit-codes", ExitCodes)
    app.add_directive("commands", Commands)
    app.add_directive("federation-toml", Settings)
    app.add_directive("formats", Formats)
    app.add_directive("leaf-kinds", LeafKinds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
