"""Every way in which the contracts refuse a Python caller, by the error's name and its arguments; nothing is sent then."""

from collections.abc import Callable

import pytest
from eth_utils.crypto import keccak

from ledger.artifacts import ContractName
from ledger.contracts import contract_at
from ledger.errors import Reverted
from ledger.records import Call, RoundState
from protocol.config import parse_config
from protocol.shares import SCORE_TOTAL, pack_scores
from protocol.typed_data import Invitation
from tests.support.chain import COIN, CONFIG, LocalChain, LocalFederation, account, founding

STAKE = COIN // 2
ZERO = "0x" + 40 * "0"
SHARDS = (bytes(32),)


def refusal(federation: LocalFederation, name: str, call: Call) -> tuple[str, tuple[object, ...]]:
    """The error that a call meets, after a check that no transaction of it was mined."""
    before = federation.client.block()
    with pytest.raises(Reverted) as refused:
        federation.send(name, call)
    assert federation.client.block() == before
    assert refused.value.tx_hash is None
    return refused.value.name, refused.value.arguments


def joining(
    federation: LocalFederation, number: int = 0, signer: str | None = None, payout: str | None = None, stake: int = STAKE
) -> Call:
    invited = federation.invite(f"owner {number}")
    return federation.client.join(
        signer or account(f"signer {number}").address,
        payout or account(f"owner {number}").address,
        invited.invitation,
        invited.signature_bytes,
        stake,
    )


def opened(federation: LocalFederation) -> int:
    federation.send("aggregator", federation.client.open_round(federation.client.latest_final(), SHARDS, bytes(32)))
    return federation.client.last_round()


def closed(federation: LocalFederation) -> int:
    number = opened(federation)
    federation.send("aggregator", federation.client.close_round(number, b"\x07" * 32))
    return number


def test_joining_with_too_little_stake(federation: LocalFederation) -> None:
    assert refusal(federation, "owner 0", joining(federation, stake=STAKE - 1)) == ("StakeTooLow", (STAKE - 1, STAKE))


def test_joining_with_an_invitation_for_somebody_else(federation: LocalFederation) -> None:
    call = joining(federation, 0)
    expected = (account("owner 1").address, account("owner 0").address)
    assert refusal(federation, "owner 1", call) == ("NotTheInvited", expected)


def test_joining_after_the_invitations_deadline(federation: LocalFederation) -> None:
    invited = federation.invite("owner 0", days=1)
    join = federation.client.join(
        account("signer 0").address, account("owner 0").address, invited.invitation, invited.signature_bytes, STAKE
    )
    federation.chain.advance_to(invited.deadline + 1)
    assert refusal(federation, "owner 0", join) == ("InvitationExpired", (invited.deadline,))


def test_joining_twice_with_one_invitation(federation: LocalFederation) -> None:
    call = joining(federation)
    federation.send("owner 0", call)
    federation.send("owner 0", federation.client.leave())
    federation.chain.advance(federation.config.stake.unbonding_seconds)
    federation.send("owner 0", federation.client.withdraw(0))
    name, (nonce,) = refusal(federation, "owner 0", call)
    assert (name, nonce) == ("InvitationUsed", keccak(text=f"owner 0 {federation.deployment.block}"))


def test_joining_with_an_invitation_that_no_operator_signed(federation: LocalFederation) -> None:
    invitation = Invitation(account("owner 0").address, 10, bytes(32), federation.client.now() + 60)
    signature = invitation.sign(federation.client.domain, account("stranger"))
    call = federation.client.join(account("signer 0").address, account("owner 0").address, invitation, signature, STAKE)
    assert refusal(federation, "owner 0", call) == ("NotAnOperator", (account("stranger").address,))


def test_joining_with_a_malformed_signature(federation: LocalFederation) -> None:
    invitation = Invitation(account("owner 0").address, 10, bytes(32), federation.client.now() + 60)
    call = federation.client.join(account("signer 0").address, account("owner 0").address, invitation, b"short", STAKE)
    assert refusal(federation, "owner 0", call) == ("ECDSAInvalidSignatureLength", (5,))


def test_joining_twice(federation: LocalFederation) -> None:
    federation.join(0)
    assert refusal(federation, "owner 0", joining(federation)) == ("AlreadyJoined", (0,))


def test_joining_with_the_scorers_key(federation: LocalFederation) -> None:
    key = account("scorer").address
    assert refusal(federation, "owner 0", joining(federation, signer=key)) == ("ScorerCannotBeNode", (key,))


def test_joining_with_no_key_or_no_payout(federation: LocalFederation) -> None:
    assert refusal(federation, "owner 0", joining(federation, signer=ZERO)) == ("BadSigningKey", (ZERO,))
    assert refusal(federation, "owner 0", joining(federation, payout=ZERO)) == ("BadPayout", (ZERO,))


def test_an_owners_calls_by_a_stranger(federation: LocalFederation) -> None:
    client, stranger = federation.client, account("stranger").address
    for call in (client.leave(), client.rotate_key(stranger), client.set_payout(stranger)):
        assert refusal(federation, "stranger", call) == ("NotANode", (stranger,))


def test_a_node_that_left_and_one_that_stays(federation: LocalFederation) -> None:
    client = federation.client
    federation.join(0)
    assert refusal(federation, "owner 0", client.withdraw(0)) == ("NotLeaving", (0,))
    assert refusal(federation, "owner 0", client.withdraw(9)) == ("UnknownNode", (9,))
    federation.send("owner 0", client.leave())
    assert refusal(federation, "owner 0", client.leave()) == ("NodeHasLeft", (0,))
    assert refusal(federation, "owner 0", client.rotate_key(account("stranger").address)) == ("NodeHasLeft", (0,))


def test_the_aggregators_calls_by_a_stranger(federation: LocalFederation) -> None:
    client = federation.client
    expected = ("NotTheAggregator", (account("stranger").address, account("aggregator").address))
    for call in (client.open_round(0, SHARDS, bytes(32)), client.close_round(1, b"\x07" * 32), client.abandon(1)):
        assert refusal(federation, "stranger", call) == expected


def test_opening_a_round_before_the_last_is_decided_or_on_another_parent(federation: LocalFederation) -> None:
    again = federation.client.open_round(0, SHARDS, bytes(32))
    opened(federation)
    assert refusal(federation, "aggregator", again) == ("RoundUndecided", (1, RoundState.OPEN))
    federation.send("aggregator", federation.client.abandon(1))
    void_parent = federation.client.open_round(1, SHARDS, bytes(32))
    assert refusal(federation, "aggregator", void_parent) == ("WrongParent", (0,))


@pytest.mark.parametrize(
    ("call", "needs"),
    [
        (lambda f: f.client.close_round(1, b"\x07" * 32), RoundState.OPEN),
        (lambda f: f.client.abandon(1), RoundState.OPEN),
        (lambda f: f.client.propose(1, bytes(32), bytes(32), b"", [bytes(65)]), RoundState.CLOSED),
    ],
    ids=["close", "abandon", "propose"],
)
def test_a_call_in_the_wrong_state(
    federation: LocalFederation, call: Callable[[LocalFederation], Call], needs: RoundState
) -> None:
    for state in (RoundState.NONE, RoundState.OPEN, RoundState.CLOSED, RoundState.PROPOSED, RoundState.FINAL):
        if state is RoundState.OPEN:
            opened(federation)
        elif state is RoundState.CLOSED:
            federation.send("aggregator", federation.client.close_round(1, b"\x07" * 32))
        elif state is RoundState.PROPOSED:
            federation.propose(1, ())
        elif state is RoundState.FINAL:
            federation.chain.advance_to(federation.client.round(1).deadline)
        if state is not needs:
            assert refusal(federation, "aggregator", call(federation)) == ("WrongState", (1, state))


def test_proposing_without_a_quorum(federation: LocalFederation) -> None:
    call = federation.client.propose(closed(federation), bytes(32), bytes(32), b"", [])
    assert refusal(federation, "aggregator", call) == ("QuorumMissed", (0, 1))


def test_proposing_one_attestation_twice(federation: LocalFederation) -> None:
    number = closed(federation)
    signature = federation.attestation(number, bytes(32), bytes(32), b"").sign(federation.client.domain, account("scorer"))
    call = federation.client.propose(number, bytes(32), bytes(32), b"", [signature, signature])
    scorer = account("scorer").address
    assert refusal(federation, "aggregator", call) == ("SignersUnsorted", (scorer, scorer))


def test_proposing_by_somebody_who_is_no_scorer(federation: LocalFederation) -> None:
    number = closed(federation)
    signature = federation.attestation(number, bytes(32), bytes(32), b"").sign(federation.client.domain, account("stranger"))
    call = federation.client.propose(number, bytes(32), bytes(32), b"", [signature])
    assert refusal(federation, "aggregator", call) == ("NotAScorer", (account("stranger").address,))


@pytest.mark.parametrize(
    ("packed", "error"),
    [
        (pack_scores((SCORE_TOTAL - 1,)), ("WrongScoreTotal", (SCORE_TOTAL - 1, SCORE_TOTAL))),
        (pack_scores((SCORE_TOTAL, 1)), ("WrongScoreTotal", (SCORE_TOTAL + 1, SCORE_TOTAL))),
        (bytes(3), ("WrongScoreTotal", (0, SCORE_TOTAL))),
        (pack_scores((SCORE_TOTAL,)) + b"\0", ("ScoresMisaligned", (4,))),
        (pack_scores((SCORE_TOTAL,)) + bytes(6), ("TooManyScores", (3, 2))),
    ],
    ids=["too few", "too many", "zeros", "misaligned", "of nobody"],
)
def test_proposing_scores_that_are_no_shares(
    federation: LocalFederation, packed: bytes, error: tuple[str, tuple[object, ...]]
) -> None:
    federation.join(0)
    federation.join(1)
    number = closed(federation)
    signature = federation.attestation(number, bytes(32), bytes(32), packed).sign(federation.client.domain, account("scorer"))
    call = federation.client.propose(number, bytes(32), bytes(32), packed, [signature])
    assert refusal(federation, "aggregator", call) == error


def test_proposing_when_the_chain_has_forgotten_the_close_block(chain: LocalChain) -> None:
    patient = CONFIG.replace("propose_seconds = 120", "propose_seconds = 2000").replace("= 1000\n", "= 9000\n")
    config = parse_config(patient)
    federation = LocalFederation.deployed(chain, config, founding(config))
    number = closed(federation)
    close_block = federation.client.round(number).close_block
    signature = federation.attestation(number, bytes(32), bytes(32), b"").sign(federation.client.domain, account("scorer"))
    call = federation.client.propose(number, bytes(32), bytes(32), b"", [signature])
    chain.mine(close_block + 255 - chain.web3.eth.block_number)
    chain.web3.eth.call({"to": federation.client.domain.ledger, "data": call.data}, "pending")
    chain.mine(1)
    assert refusal(federation, "aggregator", call) == ("SeedExpired", (close_block,))


def test_claiming(federation: LocalFederation) -> None:
    client = federation.client
    federation.join(0)
    federation.join(1)
    number = federation.play((SCORE_TOTAL, 0))
    assert refusal(federation, "owner 1", client.claim(1, [number])) == ("NothingToClaim", (1,))
    assert refusal(federation, "owner 0", client.claim(0, [])) == ("NothingToClaim", (0,))
    assert refusal(federation, "owner 0", client.claim(0, [number, number])) == ("AlreadyClaimed", (number,))
    federation.send("owner 0", client.claim(0, [number]))
    assert refusal(federation, "owner 0", client.claim(0, [number])) == ("AlreadyClaimed", (number,))
    undecided = opened(federation)
    assert refusal(federation, "owner 0", client.claim(0, [undecided])) == ("NotFinal", (undecided,))
    assert refusal(federation, "stranger", client.release(number)) == ("NothingToRelease", (number,))


def test_minting_past_the_ledger(federation: LocalFederation) -> None:
    token = contract_at(federation.chain.web3, federation.deployment.token, ContractName.TOKEN)
    data = token.encode_abi("mint", [account("operator").address, 1])
    call = Call(federation.deployment.token, bytes.fromhex(data[2:]), 0, "mint for myself")
    expected = (account("operator").address, federation.deployment.ledger)
    assert refusal(federation, "operator", call) == ("NotTheLedger", expected)
