"""Deploying on a real chain: interrupted at every step, repeated, tampered with, and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.artifacts import ContractName
from ledger.client import LedgerClient
from ledger.deployment import ADMIN_DELAY, Deployment, deploy, deployment_path, found_federation, read_deployment
from ledger.errors import DeploymentExists, DeploymentMismatch, DeploymentMissing, JournalUnreadable, Reverted
from ledger.journal import FileJournal
from ledger.records import Call
from ledger.sender import Journal, MemoryJournal, Sender
from protocol.config import FederationConfig, parse_config
from protocol.errors import FormatError
from protocol.founding import FoundingFile
from tests.ledger.wire import BROADCAST, Killed, Wire, die
from tests.support.chain import CONFIG, LocalChain, account, founding

ALL = ("ContributionToken", "NodeRegistry", "Court", "RoundLedger")
OPERATOR = account("operator")


@pytest.fixture
def config() -> FederationConfig:
    return parse_config(CONFIG)


def maker(wire: Wire) -> Callable[[Journal], Sender]:
    return lambda journal: Sender(wire.web3, OPERATOR, journal)


def found(directory: Path, wire: Wire, config: FederationConfig, founded: FoundingFile | None = None) -> Deployment:
    return found_federation(directory, wire.web3, maker(wire), config, founded or founding(config), lambda step: None)


def nonce_of(chain: LocalChain) -> int:
    return chain.web3.eth.get_transaction_count(OPERATOR.address)


def test_four_contracts_that_name_each_other(chain: LocalChain, config: FederationConfig, tmp_path: Path) -> None:
    said: list[str] = []
    done = found_federation(tmp_path, chain.web3, maker(Wire(chain.url)), config, founding(config), said.append)
    client = LedgerClient.open(chain.url, chain.chain_id, done.ledger)
    assert said == [
        f"creating ContributionToken at {done.token}",
        f"creating NodeRegistry at {done.registry}",
        f"creating Court at {client.court_address}",
        f"creating RoundLedger at {done.ledger}",
    ]
    assert (client.registry_address, client.token_address, done.chain_id) == (done.registry, done.token, chain.chain_id)
    assert done.block == client.block().number
    assert client.round(0).model_hash == b"\x02" * 32
    assert client.is_operator(OPERATOR.address)
    assert client.is_aggregator(account("aggregator").address)
    assert ADMIN_DELAY == 172_800
    path = deployment_path(tmp_path, chain.chain_id)
    assert read_deployment(path) == done
    assert [p.name for p in path.parent.iterdir()] == ["31337.json"], "nothing temporary is left"
    assert json.loads(path.read_text()) == {**done.model_dump(), "schema_version": 1}


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("step", range(4), ids=ALL)
def test_a_kill_at_any_step_is_healed_by_deploying_again(
    chain: LocalChain, config: FederationConfig, tmp_path: Path, step: int, point: str
) -> None:
    wire = Wire(chain.url)
    hook = getattr(wire, point)

    def kill_at(countdown: int) -> Callable[[], None]:
        def pass_or_die() -> None:
            if countdown == 0:
                die()
            hook[BROADCAST] = kill_at(countdown - 1)

        return pass_or_die

    hook[BROADCAST] = kill_at(step)
    with pytest.raises(Killed):
        found(tmp_path, wire, config)
    assert not deployment_path(tmp_path, chain.chain_id).exists()
    done = found(tmp_path, Wire(chain.url), config)
    assert nonce_of(chain) == 4, "nothing was created twice"
    assert LedgerClient(chain.web3, done.ledger).token_address == done.token


def test_the_same_journal_gives_the_same_deployment(chain: LocalChain, config: FederationConfig) -> None:
    journal = MemoryJournal()
    first = deploy(chain.web3, Sender(chain.web3, OPERATOR, journal), config, founding(config))
    assert deploy(chain.web3, Sender(chain.web3, OPERATOR, journal), config, founding(config)) == first
    assert nonce_of(chain) == 4


def test_another_transaction_in_between_starts_over(chain: LocalChain, config: FederationConfig) -> None:
    journal = MemoryJournal()
    wire = Wire(chain.url)

    def kill_second() -> None:
        wire.before[BROADCAST] = die

    wire.before[BROADCAST] = kill_second
    with pytest.raises(Killed):
        deploy(chain.web3, Sender(wire.web3, OPERATOR, journal), config, founding(config))
    sender = Sender(chain.web3, OPERATOR, journal)
    sender.submit("something else", Call(account("stranger").address, b"", 1, "pay"))
    done = deploy(chain.web3, sender, config, founding(config))
    assert nonce_of(chain) == 7, "token and registry of the first attempt, the payment, and a whole second attempt"
    assert LedgerClient(chain.web3, done.ledger).registry_address == done.registry


def test_a_living_federation_is_not_replaced(chain: LocalChain, config: FederationConfig, tmp_path: Path) -> None:
    done = found(tmp_path, Wire(chain.url), config)
    with pytest.raises(DeploymentExists) as refused:
        found(tmp_path, Wire(chain.url), config)
    assert (refused.value.ledger, nonce_of(chain)) == (done.ledger, 4)
    assert read_deployment(deployment_path(tmp_path, chain.chain_id)) == done


def test_a_file_about_contracts_that_are_gone_is_replaced(chain: LocalChain, config: FederationConfig, tmp_path: Path) -> None:
    nobody = account("stranger").address
    path = deployment_path(tmp_path, chain.chain_id)
    path.parent.mkdir()
    gone = Deployment(chain_id=chain.chain_id, ledger=nobody, registry=nobody, token=nobody, block=1)
    path.write_text(gone.model_dump_json())
    done = found(tmp_path, Wire(chain.url), config)
    assert read_deployment(path) == done != gone


def test_a_config_that_changed_since_the_founding_is_refused(chain: LocalChain, config: FederationConfig) -> None:
    changed = parse_config(CONFIG.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(FormatError, match="it was changed since; run `fairshare aggregator init` again"):
        deploy(chain.web3, chain.sender("operator"), changed, founding(config))
    assert nonce_of(chain) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"operator": "0x12"}, "'0x12' is no EIP-55 checksummed address"),
        ({"aggregator": OPERATOR.address.lower()}, "is no EIP-55 checksummed address"),
        ({"scorers": ["scorer"]}, "'scorer' is no EIP-55 checksummed address"),
        ({"task_hash": b"short"}, "task_hash has 5 bytes"),
        ({"genesis_model": b""}, "genesis_model has 0 bytes"),
    ],
    ids=["short address", "unchecked address", "name", "short hash", "no hash"],
)
def test_a_founding_file_with_a_fault_is_refused(
    chain: LocalChain, config: FederationConfig, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(FormatError, match=sentence):
        deploy(chain.web3, chain.sender("operator"), config, founding(config).model_copy(update=change))
    assert nonce_of(chain) == 0


@pytest.mark.parametrize(
    ("scorers", "name", "arguments"),
    [
        ((), "BadScorerCount", (0,)),
        (("scorer", "stranger"), "BadScorerCount", (2,)),
        (("scorer", "scorer", "stranger", "miner"), "BadScorer", (account("scorer").address,)),
    ],
    ids=["none", "two", "twice"],
)
def test_a_constructor_that_refuses_is_named_and_mending_it_starts_over(
    chain: LocalChain,
    config: FederationConfig,
    tmp_path: Path,
    scorers: tuple[str, ...],
    name: str,
    arguments: tuple[object, ...],
) -> None:
    wire = Wire(chain.url)
    with pytest.raises(Reverted, match="create NodeRegistry: the contract refused with") as refused:
        found(tmp_path, wire, config, founding(config, scorers=scorers))
    assert (refused.value.name, refused.value.arguments) == (name, arguments)
    done = found(tmp_path, wire, config)
    assert LedgerClient(chain.web3, done.ledger).is_scorer(account("scorer").address)


def test_a_deployment_file_with_another_contract_is_refused(chain: LocalChain, config: FederationConfig, tmp_path: Path) -> None:
    done = found(tmp_path, Wire(chain.url), config)
    with pytest.raises(DeploymentMismatch) as refused:
        LedgerClient.open(chain.url, chain.chain_id, done.registry)
    assert refused.value.contract is ContractName.LEDGER


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing, match="run `fairshare ledger deploy` first"):
        read_deployment(tmp_path / "1.json")
    (tmp_path / "1.json").write_text('{"chain_id": 1}')
    with pytest.raises(FormatError, match="is not a deployment file"):
        read_deployment(tmp_path / "1.json")
    (tmp_path / "journal").write_text("[]")
    with pytest.raises(JournalUnreadable):
        FileJournal(tmp_path / "journal")
