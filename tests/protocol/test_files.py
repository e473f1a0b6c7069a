"""The two files that pass from hand to hand: an invitation, and the founding of a federation."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from protocol.errors import FormatError
from protocol.founding import FoundingFile, read_founding
from protocol.invitation import invitation_file, read_invitation
from protocol.typed_data import Domain, Invitation
from tests.protocol import by_hand, story

OPERATOR = Account.from_key(story.key("operator"))
DOMAIN = Domain(story.CHAIN_ID, story.LEDGER)
INVITATION = Invitation(by_hand.address(story.key("owner")), 1000, story.stand_in("nonce"), 1_800_000_000)
INVITED = invitation_file(DOMAIN, INVITATION, INVITATION.sign(DOMAIN, OPERATOR)).model_dump()

FOUNDED = {
    "schema_version": 1,
    "config_hash": "0x" + "11" * 32,
    "task_hash": "0x" + "22" * 32,
    "genesis_model": "0x" + "33" * 32,
    "operator": OPERATOR.address,
    "aggregator": by_hand.address(story.key("aggregator")),
    "scorers": [by_hand.address(story.key("scorer"))],
}


def written(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_invitation_survives_its_file(tmp_path: Path):
    found = read_invitation(written(tmp_path / "invitation.json", INVITED))
    assert found.domain == DOMAIN
    assert found.invitation == INVITATION
    assert found.invitation.signer(found.domain, found.signature_bytes) == OPERATOR.address


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"chain_id": -1},
        {"chain_id": "mainnet"},
        {"ledger": story.LEDGER.lower()},
        {"ledger": "0x00"},
        {"owner": "somebody"},
        {"max_samples": -1},
        {"max_samples": 1 << 32},
        {"nonce": "0x00"},
        {"nonce": "11" * 32},
        {"nonce": "0x" + "zz" * 32},
        {"deadline": 1 << 40},
        {"signature": "0x"},
        {"signature": INVITED["signature"][:-2]},
        {"signature": INVITED["signature"][:-2] + "00"},
        {"signature": None},
        {"surprise": 1},
    ],
    ids=lambda change: "-".join(map(str, *change.items()))[:30],
)
def test_what_is_not_an_invitation_says_where_to_get_one(tmp_path: Path, change: dict):
    path = written(tmp_path / "invitation.json", {**INVITED, **change})
    with pytest.raises(FormatError, match=r"invitation\.json is not an invitation file: ask the operator"):
        read_invitation(path)


@pytest.mark.parametrize("key", sorted(INVITED.keys() - {"schema_version"}))
def test_an_invitation_without_a_key_is_none(tmp_path: Path, key: str):
    path = written(tmp_path / "invitation.json", {name: value for name, value in INVITED.items() if name != key})
    with pytest.raises(FormatError, match="not an invitation file"):
        read_invitation(path)


BROKEN = ["", "[]", "null", "{", "[" * 100_000, '{"a": NaN}', FOUNDED]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_other_files_are_no_invitations(tmp_path: Path, text: object):
    with pytest.raises(FormatError, match="not an invitation file"):
        read_invitation(written(tmp_path / "other", text))


def test_bytes_that_are_no_text_are_neither(tmp_path: Path):
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="not an invitation file"):
        read_invitation(path)
    with pytest.raises(FormatError, match="not a founding file"):
        read_founding(path)


def test_an_invitation_that_is_not_there_is_another_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_invitation(tmp_path / "invitation.json")


def test_a_founding_file_survives(tmp_path: Path):
    found = read_founding(written(tmp_path / "founding.json", FOUNDED))
    assert found.config_hash == b"\x11" * 32
    assert found.scorers == FOUNDED["scorers"]
    assert read_founding(written(tmp_path / "again.json", found.model_dump_json())) == found
    assert FoundingFile.model_validate_json(found.model_dump_json()).model_dump() == FOUNDED


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"config_hash": "0x11"},
        {"task_hash": "0x" + "22" * 33},
        {"genesis_model": "no hash"},
        {"operator": OPERATOR.address.lower()},
        {"aggregator": "0x00"},
        {"scorers": "0x00"},
        {"scorers": [OPERATOR.address, "0x00"]},
        {"surprise": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_a_founding_file_says_how_to_make_one(tmp_path: Path, change: dict):
    path = written(tmp_path / "founding.json", {**FOUNDED, **change})
    with pytest.raises(FormatError, match=r"founding\.json is not a founding file: run `fairshare aggregator init`"):
        read_founding(path)


@pytest.mark.parametrize("text", [*BROKEN[:-1], INVITED], ids=range(len(BROKEN)))
def test_other_files_are_no_founding_files(tmp_path: Path, text: object):
    with pytest.raises(FormatError, match="not a founding file"):
        read_founding(written(tmp_path / "other", text))


def test_a_founding_file_that_is_not_there_says_the_same(tmp_path: Path):
    with pytest.raises(FormatError, match="run `fairshare aggregator init` first"):
        read_founding(tmp_path / "founding.json")
