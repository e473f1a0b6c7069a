"""What holds for every command: help with an example within 80 columns, --json, completion, exit codes that are told."""

import re

import pytest
from typer.testing import CliRunner

from aggregator.errors import AGGREGATOR_EXIT_CODES
from aggregator.scorer.errors import SCORER_EXIT_CODES
from fairshare.app import app
from learning.errors import LEARNING_EXIT_CODES
from ledger.errors import LEDGER_EXIT_CODES
from node.cli.asking import DOCTOR_FOUND, NOT_VERIFIED
from node.errors import NODE_EXIT_CODES
from protocol.terminal import EXIT_CODES, PROTOCOL_EXIT_CODES
from tests.fairshare.commands import COMMANDS

RUN = CliRunner()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_takes(name: str) -> None:
    told = RUN.invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"})
    assert told.exit_code == 0
    assert max(map(len, told.stdout.splitlines())) <= 80
    (example,) = re.findall(r"^Example: fairshare (.*)$", COMMANDS[name].help, re.MULTILINE)
    assert example.startswith(name)
    # The parser takes it: every option is one of the command's, and nothing that must be there is missing.
    arguments = example.removeprefix(name).split()
    context = COMMANDS[name].make_context(name, [], resilient_parsing=True)
    parsed, left_over, _ = COMMANDS[name].make_parser(context).parse_args(list(arguments))
    options = [word for word in arguments if word.startswith("--")]
    assert set(options) <= {spelling for given in COMMANDS[name].params for spelling in given.opts}
    assert left_over == []
    assert [given.name for given in COMMANDS[name].params if given.required and not isinstance(parsed[given.name], str)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json(name: str) -> None:
    assert "--json" in {spelling for given in COMMANDS[name].params for spelling in given.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for given in COMMANDS[name].params:
        assert given.name == "help" or (given.help or "").endswith("."), (name, given.name)


def test_wherever_a_node_of_the_chain_is_named_several_may_be() -> None:
    told = {name: given.help for name in COMMANDS for given in COMMANDS[name].params if "--rpc-url" in given.opts}
    assert len(told) >= 8
    assert [name for name, text in told.items() if "Nodes of the chain, separated by commas" not in text] == []


def test_every_exit_code_is_in_a_range_that_help_tells() -> None:
    told = RUN.invoke(app, ["--help"]).stdout
    ranges = []
    for line in EXIT_CODES.splitlines():
        assert line in told
        first, last = re.match(r"(\d+)(?: - (\d+))?", line).groups()  # type: ignore[union-attr] # every line begins so
        ranges.append(range(int(first), int(last or first) + 1))
    families = (
        PROTOCOL_EXIT_CODES,
        LEDGER_EXIT_CODES,
        LEARNING_EXIT_CODES,
        NODE_EXIT_CODES,
        AGGREGATOR_EXIT_CODES,
        SCORER_EXIT_CODES,
    )
    codes = {code for family in families for code in family.values()} | {DOCTOR_FOUND, NOT_VERIFIED}
    assert [code for code in codes if not any(code in found for found in ranges)] == []
