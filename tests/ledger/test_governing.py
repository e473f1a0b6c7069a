"""Changing a federation's terms and roles by commands: announced, waited for, enacted; and what is refused, and why."""

from pathlib import Path

import pytest

from ledger.acting import outbox_of
from ledger.client import LedgerClient
from ledger.deployment import ADMIN_DELAY
from ledger.governance import Governance, terms_digest
from ledger.journal import FileJournal
from ledger.records import Terms
from ledger.sender import Sender
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.terms import TermsFile
from tests.ledger.test_cli import SOMEBODY, at_home, failure, result, run
from tests.support.chain import CONFIG, PASSPHRASE, LocalFederation, account

__all__ = ["at_home"]

OTHER_CONFIG = CONFIG.replace("epochs = 1", "epochs = 3")
STRANGER = account("stranger").address


class Desk:
    """A federation directory at hand, and the wallets of its people."""

    def __init__(self, federation: LocalFederation, directory: Path) -> None:
        self.federation = federation
        self.home = federation.write_directory(directory / "federation")
        self.where = ("--federation", self.home, "--rpc-url", federation.chain.url)
        self.operator = self.home / "keys" / "operator.json"
        self.scorer = self.home / "keys" / "scorer.json"

    def prepare(self, config: str, task_hash: bytes = b"\x01" * 32) -> TermsFile:
        """As `fairshare aggregator init` leaves an edited directory."""
        (self.home / "federation.toml").write_text(config)
        terms = TermsFile(config_hash=parse_config(config).sha256(), task_hash=task_hash)
        (self.home / "terms.json").write_text(terms.model_dump_json())
        return terms

    def wait(self) -> None:
        self.federation.chain.advance_to(self.federation.client.announced()[1])


@pytest.fixture
def desk(federation: LocalFederation, tmp_path: Path) -> Desk:
    return Desk(federation, tmp_path)


def test_terms_are_announced_and_after_the_delay_enacted_by_anyone(desk: Desk) -> None:
    client = desk.federation.client
    wanted = desk.prepare(OTHER_CONFIG, b"\x0a" * 32)
    before = result("terms", *desk.where)
    assert (before["announced"], before["admin"], before["next_admin"]) == (None, account("operator").address, None)
    announced_at = client.now()
    told = result("announce", "--key", desk.operator, *desk.where)
    assert told["in_force"] == before["in_force"]
    assert (told["announced"]["config"], told["announced"]["task"]) == ("0x" + wanted.config_hash.hex(), "0x" + "0a" * 32)
    assert told["announced"]["aggregator"] == account("aggregator").address
    assert told["announced"]["enactable_at"] - announced_at in (ADMIN_DELAY, ADMIN_DELAY + 1)
    shown = run("terms", *desk.where).stdout
    assert wanted.config_hash.hex() in shown.replace("\n", "")

    code, sentence = failure("enact", "--key", desk.scorer, *desk.where)
    assert (code, "not before 20" in sentence) == (30, True)
    desk.wait()
    done = result("enact", "--key", desk.scorer, *desk.where)
    assert done["announced"] is None
    assert done["in_force"] == {key: told["announced"][key] for key in done["in_force"]}
    assert done["missing_bonds"] == {}
    assert (client.config_hash(), client.task_hash()) == (wanted.config_hash, wanted.task_hash)
    code, sentence = failure("enact", "--key", desk.scorer, *desk.where)
    assert (code, "no terms are announced" in sentence) == (30, True)


def test_a_command_given_again_sends_nothing_twice(desk: Desk) -> None:
    desk.prepare(OTHER_CONFIG)
    first = result("announce", "--key", desk.operator, *desk.where)
    nonce = desk.federation.chain.web3.eth.get_transaction_count(account("operator").address)
    assert result("announce", "--key", desk.operator, *desk.where) == first
    assert desk.federation.chain.web3.eth.get_transaction_count(account("operator").address) == nonce


def test_an_announcement_that_was_signed_before_a_kill_is_the_one_that_is_sent(desk: Desk) -> None:
    """The outbox holds it, so the command given again sends those very bytes, under the same nonce."""
    client, wanted = desk.federation.client, desk.prepare(OTHER_CONFIG)
    terms = Governance(client).in_force()._replace(config_hash=wanted.config_hash)
    call, operator = client.announce(terms), account("operator")

    class Killed(Exception):
        pass

    class Dies(FileJournal):
        def record(self, entry: object) -> None:
            super().record(entry)  # type: ignore[arg-type] # handed on as it is
            raise Killed

    directory = outbox_of(desk.operator)
    assert directory == desk.home / "transactions"
    directory.mkdir()
    journal = Dies(directory / f"{operator.address}.json")
    with pytest.raises(Killed):
        Sender(client.web3, operator, journal).submit(call.what, call)
    (left,) = journal.entries(call.what)
    result("announce", "--key", desk.operator, *desk.where)
    assert client.web3.eth.get_transaction_receipt(left.tx_hash)["status"] == 1  # type: ignore[arg-type] # bytes will do
    assert client.web3.eth.get_transaction_count(operator.address) == left.nonce + 1


def test_who_leads_and_who_attests_are_changed_in_the_same_way(desk: Desk) -> None:
    client = desk.federation.client
    scorers = [account(f"owner {number}").address for number in range(4)]
    named = [word for scorer in scorers for word in ("--scorer", scorer)]
    # No federation directory: config and task stay.
    where = ("--ledger", client.ledger_address, "--rpc-url", desk.federation.chain.url)
    told = result("announce", "--key", desk.operator, "--aggregator", STRANGER, *named, *where)
    assert told["announced"]["config"] == told["in_force"]["config"]
    desk.wait()
    done = run("enact", "--key", desk.operator, *where)
    assert f"{STRANGER} lacks a bond of 3 coin: `fairshare ledger bond deposit {STRANGER}`" in done.stderr
    following = client.last_round() + 1
    assert (client.aggregator(following), list(client.scorers(following))) == (STRANGER, scorers)
    result("bond", "deposit", STRANGER, "--key", desk.operator, *where)


def test_announcing_what_is_in_force_takes_an_announcement_back(desk: Desk) -> None:
    code, sentence = failure("announce", "--key", desk.operator, *desk.where)
    assert (code, "nothing would change" in sentence) == (30, True)
    desk.prepare(OTHER_CONFIG)
    result("announce", "--key", desk.operator, *desk.where)
    desk.prepare(CONFIG)
    back = result("announce", "--key", desk.operator, *desk.where)
    assert {key: back["announced"][key] for key in back["in_force"]} == back["in_force"]
    assert "nothing changes" in run("terms", *desk.where).stdout


def test_what_cannot_be_announced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    announce = ("announce", "--key", desk.operator)
    code, sentence = failure("announce", "--key", desk.scorer, "--aggregator", STRANGER, *desk.where)
    assert (code, f"{account('operator').address} is" in sentence) == (30, True)
    assert failure(*announce, "--aggregator", "nobody", *desk.where)[0] == 10
    assert failure(*announce, "--aggregator", STRANGER)[0] == 10

    (desk.home / "federation.toml").write_text(OTHER_CONFIG)
    code, sentence = failure(*announce, *desk.where)
    assert (code, f"run `fairshare aggregator init {desk.home}`" in sentence) == (30, True)
    desk.prepare(OTHER_CONFIG)
    (desk.home / "federation.toml").write_text(CONFIG.replace("epochs = 1", "epochs = 4"))
    assert "since it was last checked" in failure(*announce, *desk.where)[1]
    (desk.home / "federation.toml").write_text(CONFIG.replace('pool = "1000"', 'pool = "0.000000000000000001"'))
    code, sentence = failure(*announce, *desk.where)
    assert (code, "pay.pool must be a multiple" in sentence) == (10, True)
    (desk.home / "federation.toml").write_text(CONFIG)
    (desk.home / "terms.json").write_text("[]")
    assert failure(*announce, *desk.where)[0] == 10
    (desk.home / "terms.json").unlink()

    # What the registry would refuse only after the delay is refused now.
    desk.federation.join(0)
    aggregator = account("aggregator").address
    for scorers in ((STRANGER, SOMEBODY), (aggregator,), (account("owner 0").address,)):
        named = [word for scorer in scorers for word in ("--scorer", scorer)]
        code, sentence = failure(*announce, *named, *desk.where)
        assert (code, "name 3f + 1 scorers" in sentence) == (30, True)
    assert "twice" in failure(*announce, *(["--scorer", STRANGER] * 4), *desk.where)[1]
    assert "zero address" in failure(*announce, "--aggregator", "0x" + "00" * 20, *desk.where)[1]

    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "wrong")
    assert failure(*announce, "--aggregator", STRANGER, *desk.where)[0] == 25
    assert desk.federation.client.announced() == (bytes(32), 0)


def test_the_digest_of_terms_is_the_ledgers(federation: LocalFederation) -> None:
    client: LedgerClient = federation.client
    terms = Terms(b"\x11" * 32, b"\x22" * 32, STRANGER, tuple(account(f"owner {number}").address for number in range(4)))
    federation.send("operator", client.announce(terms))
    federation.send("operator", client.announce(other := terms._replace(task_hash=bytes(32))))
    assert client.announced()[0] == terms_digest(other)
    found = Governance(client).announcement()
    assert found is not None
    assert (found.terms, found.enactable_at) == (other, client.announced()[1])


def test_operators_and_guardians_change_at_once(desk: Desk) -> None:
    governance = Governance(desk.federation.client)
    for name in ("operator", "guardian"):
        given = result("role", "grant", name, STRANGER, "--key", desk.operator, *desk.where)
        assert given == {"role": name, "address": STRANGER, "has": True, "acceptable_at": None}
        assert result("role", "grant", name, STRANGER, "--key", desk.operator, *desk.where) == given
        assert result("role", "revoke", name, STRANGER, "--key", desk.operator, *desk.where)["has"] is False
        assert failure("role", "accept", name, STRANGER, "--key", desk.operator, *desk.where)[0] == 30
    assert failure("role", "grant", "guardian", STRANGER, "--key", desk.scorer, *desk.where)[0] == 30
    assert governance.admin() == account("operator").address


def test_the_admin_hands_over_in_two_steps(desk: Desk, tmp_path: Path) -> None:
    chain, governance = desk.federation.chain, Governance(desk.federation.client)
    wallet = tmp_path / "stranger.json"
    Wallet.create(wallet, PASSPHRASE, bytes(account("stranger").key), scrypt_n=2)
    admin = ("role", "accept", "admin", STRANGER, "--key", wallet)
    assert "have the admin grant it first" in failure(*admin, *desk.where)[1]
    begun = result("role", "grant", "admin", STRANGER, "--key", desk.operator, *desk.where)
    assert begun["has"] is False
    assert result("role", "grant", "admin", STRANGER, "--key", desk.operator, *desk.where) == begun
    told = result("terms", *desk.where)
    assert (told["next_admin"], told["next_admin_from"]) == (STRANGER, begun["acceptable_at"])
    assert "s from now" in failure(*admin, *desk.where)[1]
    assert "name the wallet" in failure("role", "accept", "admin", STRANGER, "--key", desk.scorer, *desk.where)[1]

    assert result("role", "revoke", "admin", STRANGER, "--key", desk.operator, *desk.where)["acceptable_at"] is None
    assert governance.handover() is None
    again = result("role", "grant", "admin", STRANGER, "--key", desk.operator, *desk.where)
    chain.advance_to(again["acceptable_at"])
    assert result(*admin, *desk.where)["has"] is True
    assert governance.admin() == STRANGER
    assert result(*admin, *desk.where)["has"] is True  # given again
    code, sentence = failure("role", "revoke", "guardian", STRANGER, "--key", desk.operator, *desk.where)
    assert (code, f"{STRANGER} is" in sentence) == (30, True)
    assert "hand the role over" in failure("role", "grant", "admin", STRANGER, "--key", wallet, *desk.where)[1]
