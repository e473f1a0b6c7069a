"""Processes of a running federation are killed, none of them politely; nothing is lost and nobody is paid twice."""

import secrets
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from fairshare.demo.cast import CAST
from fairshare.demo.processes import Processes, all_ended
from fairshare.demo.stage import Stage, set_up
from ledger.errors import ChainUnavailable
from ledger.records import RoundState
from ledger.sender import MemoryJournal, Sender
from node.earnings import earnings
from tests.support.processes import PATIENCE

_ROUNDS = 3


def _kill(processes: Processes, name: str) -> None:
    process = processes._running[name]
    process.kill()
    process.join()


def _in_state(stage: Stage, number: int, *states: RoundState) -> bool | None:
    try:
        return (stage.ledger.last_round() >= number and stage.ledger.round(number).state in states) or None
    except ChainUnavailable:
        return None


def test_killed_processes_lose_nothing_and_nobody_is_paid_twice(tmp_path: Path) -> None:
    passphrase = secrets.token_hex(16)
    (tmp_path / "logs").mkdir()
    processes = Processes(tmp_path / "logs", {"FAIRSHARE_PASSPHRASE": passphrase})
    with all_ended(processes), ExitStack() as resources:
        stage = set_up(tmp_path, passphrase, processes, print, CAST[:3])
        resources.enter_context(stage.client)

        # A participant between its commitment and its body, or wherever it is by then.
        processes.wait_for("an open round", partial(_in_state, stage, 1, RoundState.OPEN, RoundState.CLOSED), PATIENCE)
        _kill(processes, "alice")
        processes.start("alice", "fairshare", "node", "run", str(tmp_path / "alice"))

        # The aggregator in the middle of a round, back at the same address.
        processes.wait_for("round 1 to close", partial(_in_state, stage, 1, RoundState.CLOSED, RoundState.PROPOSED), PATIENCE)
        _kill(processes, "aggregator")
        port = stage.client.url.rsplit(":", 1)[1]
        processes.start("aggregator", "fairshare", "aggregator", "serve", str(stage.home.path), "--port", port)

        # The chain itself, between rounds.
        processes.wait_for("the end of round 1", partial(_in_state, stage, 1, RoundState.FINAL), PATIENCE)
        _kill(processes, "chain")
        rpc_port = stage.rpc_url.rsplit(":", 1)[1]
        processes.start("chain", "fairshare", "ledger", "chain", "--home", str(tmp_path / "chain"), "--port", rpc_port)

        for number in range(2, _ROUNDS + 1):
            processes.wait_for(f"the end of round {number}", partial(_in_state, stage, number, RoundState.FINAL), PATIENCE)
        _claim_everything(stage, passphrase)
        _claim_everything(stage, passphrase)

        paying = [n for n in range(1, stage.ledger.latest_final() + 1) if any(stage.ledger.scores(n))]
        assert len(paying) >= _ROUNDS
        claimed = {n for n in paying if any(stage.ledger.claimed(node, n) for node in range(len(stage.players)))}
        balances = sum(stage.ledger.balance(address) for address in stage.players)
        assert balances == stage.ledger.total_supply() == len(claimed) * stage.ledger.pool()
        assert claimed >= set(range(1, _ROUNDS + 1))


def _claim_everything(stage: Stage, passphrase: str) -> None:
    for address, wallet in stage.owners.items():
        node = stage.ledger.index_of(address)
        assert node is not None
        rounds = [number for number in earnings(stage.ledger, node).claimable_rounds if number <= _ROUNDS]
        if rounds:
            sender = Sender(stage.ledger.web3, wallet.unlock(passphrase), MemoryJournal())
            sender.submit("claim", stage.ledger.claim(node, rounds))
