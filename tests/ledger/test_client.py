"""What the client adds to the contracts: trust only in checked code, the chain's clock, plain typed values, clear errors.

The contracts' own behaviour is in tests/contracts.
"""

import socket
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.artifacts import Artifact, ContractName, load_artifact
from ledger.client import LedgerClient
from ledger.contracts import verify_code
from ledger.errors import BlockMissing, ChainUnavailable, DeploymentMismatch, Reverted, WrongChain
from ledger.records import BlockRef, RoundState, Timing
from ledger.reverts import decode_revert
from ledger.rewards import Rewards, RoundReward, rewards_of
from protocol.config import parse_config
from protocol.typed_data import Domain
from tests.support.chain import COIN, CONFIG, LocalChain, LocalFederation, account, founding


def test_the_other_contracts_are_found_from_the_ledger(federation: LocalFederation) -> None:
    found = LedgerClient.open(federation.chain.url, federation.chain.chain_id, federation.deployment.ledger.lower())
    assert (found.ledger_address, found.registry_address, found.token_address) == (
        federation.deployment.ledger,
        federation.deployment.registry,
        federation.deployment.token,
    )
    assert found.domain == Domain(federation.chain.chain_id, federation.deployment.ledger)
    assert all(map(is_checksum_address, (found.ledger_address, found.registry_address, found.token_address)))


def test_what_was_deployed_is_what_is_read(federation: LocalFederation) -> None:
    client, config = federation.client, federation.config
    assert client.timing() == Timing(60, 30, 60, 10, 120, 50, 20)
    assert (client.config_hash(), client.task_hash()) == (config.sha256(), b"\x01" * 32)
    assert (client.pool(), client.token_cap(), client.minimum_stake()) == (config.pay.pool, config.pay.cap, config.stake.minimum)
    assert (client.token_symbol(), client.total_supply(), client.reserved()) == ("TEST", 0, 0)
    assert (client.node_count(), client.nodes(), client.roster(1)) == (0, (), ())
    assert client.web3.eth.chain_id == federation.chain.chain_id


def test_an_address_without_code_is_refused(federation: LocalFederation) -> None:
    nobody = account("stranger").address
    with pytest.raises(DeploymentMismatch) as refused:
        LedgerClient(federation.chain.web3, nobody)
    assert (refused.value.contract, refused.value.address) == (ContractName.LEDGER, nobody)
    assert "there is no contract" in str(refused.value)


def test_another_contract_in_the_ledgers_place_is_refused(federation: LocalFederation) -> None:
    with pytest.raises(DeploymentMismatch, match=f"{federation.deployment.token} is not this version's RoundLedger: its code"):
        LedgerClient(federation.chain.web3, federation.deployment.token)


def test_the_immutables_do_not_count_and_every_other_byte_does(federation: LocalFederation) -> None:
    for name, address in (
        (ContractName.TOKEN, federation.deployment.token),
        (ContractName.REGISTRY, federation.deployment.registry),
        (ContractName.COURT, federation.client.court_address),
        (ContractName.LEDGER, federation.deployment.ledger),
    ):
        artifact = load_artifact(name)
        assert artifact.immutables
        verify_code(federation.chain.web3, address, artifact)
        code = bytes(federation.chain.web3.eth.get_code(address))  # type: ignore[arg-type] # checksummed
        assert code != artifact.runtime, "its immutables are set"
        tampered = Artifact(name, artifact.abi, artifact.bytecode, artifact.runtime[:-1] + b"\xff", artifact.immutables)
        with pytest.raises(DeploymentMismatch):
            verify_code(federation.chain.web3, address, tampered)


@given(st.data())
def test_masking_hides_immutables_and_nothing_else(data: st.DataObject) -> None:
    artifact = load_artifact(data.draw(st.sampled_from(ContractName)))
    hidden = {at for start, length in artifact.immutables for at in range(start, start + length)}
    at = data.draw(st.integers(0, len(artifact.runtime) - 1) | st.sampled_from(sorted(hidden)))
    changed = bytearray(artifact.runtime)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert (artifact.masked(bytes(changed)) == artifact.masked(artifact.runtime)) == (at in hidden)


def test_the_clock_runs_without_blocks(federation: LocalFederation) -> None:
    client, chain = federation.client, federation.chain
    federation.send("aggregator", client.open_round(0, (bytes(32),), bytes(32)))
    opened = client.round(1)
    assert client.now() == opened.opened_at + 1, "the time that a transaction sent now would see"
    height = client.block().number
    chain.advance_to(opened.deadline - 1)
    assert (client.now(), client.round(1).state) == (opened.deadline - 1, RoundState.OPEN)
    chain.advance(1)
    assert (client.now(), client.round(1).state) == (opened.deadline, RoundState.VOID)
    assert client.block().number == height


def test_the_local_chains_own_clock_call_moves_time_too(federation: LocalFederation) -> None:
    before = federation.client.now()
    federation.chain.advance_to(before)
    moved = federation.chain.web3.provider.make_request("evm_increaseTime", [hex(1000)])  # type: ignore[arg-type]
    assert moved["result"] == hex(1000)
    assert federation.client.now() == before + 1000


def test_blocks_have_hashes_and_missing_ones_are_named(federation: LocalFederation) -> None:
    client = federation.client
    latest = client.block()
    assert latest == BlockRef(federation.deployment.block, client.block_hash(federation.deployment.block))
    assert client.block_hash(latest.number - 1) != latest.hash
    with pytest.raises(BlockMissing) as refused:
        client.block_hash(latest.number + 1)
    assert refused.value.number == latest.number + 1


def test_a_missing_node_is_named(federation: LocalFederation) -> None:
    with pytest.raises(Reverted, match=r"UnknownNode\(node=3\)\. .* Check the node's index") as refused:
        federation.client.node(3)
    assert (refused.value.name, refused.value.arguments) == ("UnknownNode", (3,))


def test_rewards_tell_earned_from_pending_and_claimed_from_claimable(federation: LocalFederation) -> None:
    client = federation.client
    for number in range(2):
        federation.join(number)
    claimed, unpaid, claimable = (federation.play(s) for s in ((4_000_000, 6_000_000), (0, 10_000_000), (10_000_000,)))
    federation.send("stranger", client.claim(0, [claimed]))
    federation.send("stranger", client.claim(1, [claimed, unpaid]))
    assert rewards_of(client, 0) == Rewards(
        0,
        (
            RoundReward(claimed, RoundState.FINAL, 4_000_000, 400 * COIN, True),
            RoundReward(unpaid, RoundState.FINAL, 0, 0, False),
            RoundReward(claimable, RoundState.FINAL, 10_000_000, 1000 * COIN, False),
        ),
    )
    found = rewards_of(client, 0)
    assert (found.earned, found.claimed, found.claimable, found.pending) == (1400 * COIN, 400 * COIN, 1000 * COIN, 0)
    assert found.claimable_rounds == (claimable,)
    assert rewards_of(client, 1).claimable_rounds == ()
    with pytest.raises(Reverted, match="UnknownNode"):
        rewards_of(client, 2)


def test_a_proposed_reward_is_pending(federation: LocalFederation) -> None:
    federation.join(0)
    federation.send("aggregator", federation.client.open_round(0, (bytes(32),), bytes(32)))
    federation.send("aggregator", federation.client.close_round(1, b"\x07" * 32))
    federation.propose(1, (10_000_000,))
    found = rewards_of(federation.client, 0)
    assert (found.earned, found.claimable, found.pending) == (0, 0, 1000 * COIN)


def test_a_client_of_a_chain_that_is_down_or_another(federation: LocalFederation) -> None:
    with pytest.raises(WrongChain):
        LedgerClient.open(federation.chain.url, 1, federation.deployment.ledger)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ChainUnavailable):
            LedgerClient.open(f"http://127.0.0.1:{taken.getsockname()[1]}", 31337, federation.deployment.ledger)


def test_a_chain_that_goes_down_says_so_in_every_read(tmp_path: Path) -> None:
    config = parse_config(CONFIG)
    with LocalChain(tmp_path) as chain:
        client = LocalFederation.deployed(chain, config, founding(config)).client
    for read in (client.now, client.block, client.last_round, client.nodes, lambda: client.balance(client.token_address)):
        with pytest.raises(ChainUnavailable):
            read()


@pytest.mark.parametrize(
    ("data", "name", "arguments"),
    [
        ("0x08c379a0" + f"{32:064x}{2:064x}" + "6e6f".ljust(64, "0"), "Error", ("no",)),
        ("0x4e487b71" + f"{17:064x}", "Panic", (17,)),
        ("0x12345678", "0x12345678", ()),
        ("0x4e487b7100", "0x4e487b71", ()),
        ("0x", "no reason", ()),
    ],
    ids=["message", "panic", "unknown", "cut off", "nothing"],
)
def test_what_no_contract_of_ours_says_is_still_named(data: str, name: str, arguments: tuple[object, ...]) -> None:
    found = decode_revert(bytes.fromhex(data[2:]), "try")
    assert (found.name, found.arguments, found.data) == (name, arguments, bytes.fromhex(data[2:]))
    assert str(found).startswith("try: the contract refused")


def test_every_error_of_the_abis_is_decoded() -> None:
    samples = {"address": account("stranger").address, "bytes32": b"\x09" * 32, "string": "text"}
    seen = set()
    for name in ContractName:
        for element in (e for e in load_artifact(name).abi if e["type"] == "error"):
            types = [i["type"] for i in element["inputs"]]
            values = [samples.get(t, 3) for t in types]
            selector = keccak(text=f"{element['name']}({','.join(types)})")[:4]
            found = decode_revert(selector + encode(types, values))
            assert (found.name, found.arguments) == (element["name"], tuple(values))
            seen.add(found.name)
    assert {"WrongState", "StakeTooLow", "NotTheLedger", "WrongScoreTotal"} <= seen
