"""The demo from curtain to curtain: set up, five rounds, claims, report, clean-up."""

import errno
import json
import os
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from fairshare.demo.processes import Processes, all_ended
from fairshare.demo.report import TOKEN_UNIT, Findings, as_document, gather, show
from fairshare.demo.stage import Stage, set_up
from ledger.records import RoundState
from ledger.sender import MemoryJournal, Sender
from node.earnings import earnings
from protocol.terminal import emit, fail, note

_ROUND_SECONDS = 180.0
_INTERRUPTED = 130
"""The exit code of a shell's command that was ended by Ctrl-C."""


def play(keep: bool, report: Path | None, rounds: int, as_json: bool = False) -> None:
    """Run the demo. Raises `DemoError` if a process ends or a round does not, `NotADirectoryError` for a report into nowhere."""
    if report is not None and not report.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(report.parent))
    try:
        with tempfile.TemporaryDirectory(prefix="fairshare-demo-") as name:
            _perform(Path(name), keep, report, rounds, as_json)
    except KeyboardInterrupt:
        fail("stopped; every process was ended and every file removed", _INTERRUPTED)


def _perform(directory: Path, keep: bool, report: Path | None, rounds: int, as_json: bool) -> None:
    passphrase = secrets.token_hex(16)
    (directory / "logs").mkdir()
    processes = Processes(directory / "logs", {"FAIRSHARE_PASSPHRASE": passphrase})
    with all_ended(processes), ExitStack() as resources:
        note(f"a federation of real processes in {directory} (logs in {directory / 'logs'})")
        stage = set_up(directory, passphrase, processes, _say)
        resources.enter_context(stage.client)
        final = _watch(stage, processes, rounds)
        _claim(stage, final, passphrase)
        findings = gather(stage.client, stage.ledger, stage.players, final)
        if report is not None:
            report.write_text(json.dumps(as_document(findings), indent=2) + "\n")
        emit(as_document(findings), as_json, lambda: show(findings))
        sys.stdout.flush()
        _epilogue(stage, findings, keep, report)
        while keep:
            processes.check()
            time.sleep(0.5)


def _watch(stage: Stage, processes: Processes, rounds: int) -> list[int]:
    """Wait until so many rounds are Final, telling each; their numbers."""
    final: list[int] = []
    number = 1
    while len(final) < rounds:
        state = processes.wait_for(f"the end of round {number}", partial(_decided, stage, number), _ROUND_SECONDS, pause=0.5)
        view = stage.client.round(number)
        accuracy = "" if view.accuracy is None else f", accuracy {100 * view.accuracy:.1f} %"
        _say(f"round {number} is {state}{accuracy}")
        final += [number] if state is RoundState.FINAL else []
        number += 1
    return final


def _decided(stage: Stage, number: int) -> RoundState | None:
    # A round counts once the chain has decided it and the service has seen that it has.
    if stage.ledger.last_round() < number:
        return None
    state = stage.ledger.round(number).state
    return state if state.decided and stage.client.round(number).state == str(state) else None


def _claim(stage: Stage, rounds: list[int], passphrase: str) -> None:
    _say("every node claims what it earned")
    for address, wallet in stage.owners.items():
        node = stage.ledger.index_of(address)
        assert node is not None
        claimable = [number for number in rounds if number in earnings(stage.ledger, node).claimable_rounds]
        if claimable:
            sender = Sender(stage.ledger.web3, wallet.unlock(passphrase), MemoryJournal())
            sender.submit("claim", stage.ledger.claim(node, claimable))


def _epilogue(stage: Stage, findings: Findings, keep: bool, report: Path | None) -> None:
    minted, balances = sum(view.minted for view, _ in findings.rounds), sum(findings.balances.values())
    verdict = "equal, to the last base unit" if minted == balances else "NOT EQUAL"
    note(f"\nminted {minted / TOKEN_UNIT:,.2f} tokens, the participants hold {balances / TOKEN_UNIT:,.2f}: {verdict}")
    if report is not None:
        note(f"every figure is in {report}")
    when = "The same answers, now:" if keep else "With --keep everything stays up, and these give the same answers:"
    last, address = findings.rounds[-1][0].round, next(iter(stage.players))
    directory = stage.home.path.parent
    note(
        f"{when}\n"
        f"  {findings.api}/v1/rounds/{last}/scores and {findings.api}/v1/nodes/{address}/rewards (REST; {findings.api}/docs)\n"
        f"  fairshare ledger rewards {address} --federation {stage.home.path}\n"
        f"  fairshare ledger status --federation {stage.home.path}\n"
        f"  fairshare node rewards {directory / next(iter(stage.players.values())).name}"
    )
    if keep:
        note("\neverything is left running; Ctrl-C ends and removes it")


def _say(sentence: str) -> None:
    note(f"  {sentence}")
