"""`protocol/vectors.json` is what the definitions say (tests.protocol.by_hand), and what the code computes."""

import json

import numpy as np
import pytest
from eth_account import Account

from protocol import shares, trees
from protocol.config import parse_config
from protocol.evidence import LEAF_KINDS, Evidence, Header, Kind, Leaf, subtree_roots
from protocol.inputs import PROTOCOL_VERSION, BoundInputs, round_seed, shards_hash
from protocol.parameters import encode_parameters, layout_of, model_hash, read_parameters
from protocol.trees import SumNode
from protocol.typed_data import Attestation, Domain, Expulsion, Invitation, Receipt, Request, TypedMessage, Update
from protocol.update import body_hash, check_opening, commitment
from tests.protocol import make_vectors

VECTORS = json.loads(make_vectors.VECTORS.read_text(encoding="utf-8"))
DOMAIN = Domain(VECTORS["domain"]["chain_id"], VECTORS["domain"]["ledger"])
MESSAGES: dict[str, type[TypedMessage]] = {
    "update": Update,
    "receipt": Receipt,
    "attestation": Attestation,
    "request": Request,
    "invitation": Invitation,
    "expulsion": Expulsion,
}


def unhex(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def tensors(rows: list[dict]) -> dict[str, np.ndarray]:
    return {row["name"]: np.frombuffer(unhex(row["data"]), "<f4").reshape(row["shape"]) for row in rows}


def leaf_of(row: dict) -> Leaf:
    def value(kind: str, text):
        if kind.endswith("[]"):
            return tuple(int(item) for item in text)
        if kind.startswith("bytes"):
            return unhex(text)
        return text if kind == "address" else int(text)

    kind = Kind(row["kind"])
    typed = [value(abi, text) for (abi, _), text in zip(LEAF_KINDS[kind].fields, row["values"], strict=True)]
    return Leaf(kind, row["position"], tuple(typed))


def test_the_committed_file_is_what_the_definitions_give():
    assert make_vectors.VECTORS.read_text(encoding="utf-8") == make_vectors.rendered()


def test_domain_separator():
    assert DOMAIN.separator == unhex(VECTORS["domain"]["separator"])


@pytest.mark.parametrize("name", MESSAGES)
def test_typed_data(name: str):
    vector, kind = VECTORS["typed_data"][name], MESSAGES[name]
    wire = vector["message"]
    message = kind(
        **{field: unhex(wire[camel]) if abi == "bytes32" else wire[camel] for field, camel, abi in kind.solidity_fields()}
    )
    assert vector["type"] == f"{kind.primary_type}({','.join(f'{abi} {camel}' for _, camel, abi in kind.solidity_fields())})"
    assert bytes(message.signable(DOMAIN).body) == unhex(vector["struct_hash"])
    assert message.digest(DOMAIN) == unhex(vector["digest"])
    signature = message.sign(DOMAIN, Account.from_key(vector["private_key"]))
    assert signature == unhex(vector["signature"])
    assert message.signer(DOMAIN, signature) == vector["signer"]


def test_config_hash():
    assert parse_config(VECTORS["config"]["toml"]).sha256() == unhex(VECTORS["config"]["sha256"])


def test_model_hash():
    assert model_hash(tensors(VECTORS["model"]["tensors"])) == unhex(VECTORS["model"]["sha256"])


def test_body():
    vector = VECTORS["body"]
    update, file = tensors(vector["tensors"]), unhex(vector["file"])
    assert body_hash(file) == unhex(vector["sha256"])
    assert encode_parameters(update) == file
    read = read_parameters(file, layout_of(update))
    assert list(read) == list(update)
    assert model_hash(read) == model_hash(update)


def test_commitment():
    vector = VECTORS["commitment"]
    federation, salt, hashed = (unhex(vector[key]) for key in ("federation", "salt", "body_hash"))
    committed = unhex(vector["commitment"])
    assert commitment(federation, vector["round"], vector["node"], salt, hashed) == committed
    check_opening(committed, federation, vector["round"], vector["node"], salt, hashed)


def test_inputs():
    vector = VECTORS["inputs"]
    hashes = {key: unhex(vector[key]) for key in ("config_hash", "task_hash", "base_model", "parent_evidence", "root_set")}
    bound = BoundInputs(parent=vector["parent"], shards=tuple(map(unhex, vector["shards"])), **hashes)
    assert vector["protocol_version"] == PROTOCOL_VERSION
    assert shards_hash(bound.shards) == unhex(vector["shards_hash"])
    assert bound.digest() == unhex(vector["digest"])


def test_seed():
    vector = VECTORS["seed"]
    federation, update_root, close = (unhex(vector[key]) for key in ("federation", "update_root", "close_block_hash"))
    assert round_seed(federation, vector["round"], update_root, close) == unhex(vector["seed"])


@pytest.mark.parametrize("row", VECTORS["leaves"], ids=lambda row: f"{row['name']}-{row['position']}")
def test_leaves(row: dict):
    leaf = leaf_of(row)
    assert leaf.kind.name == row["name"]
    assert leaf.payload() == unhex(row["payload"])
    assert leaf.hash(DOMAIN.separator) == unhex(row["hash"])


def test_every_leaf_kind_has_a_vector():
    assert {row["kind"] for row in VECTORS["leaves"]} == set(Kind)


def test_update_tree():
    vector = VECTORS["update_tree"]
    root = unhex(vector["root"])
    leaves = {row["position"]: unhex(row["hash"]) for row in vector["leaves"]}
    assert vector["depth"] == trees.NODE_TREE_DEPTH
    for row in vector["leaves"]:
        payload = unhex(row["payload"])
        assert trees.leaf_hash(DOMAIN.separator, Kind.UPDATE, row["position"], payload) == leaves[row["position"]]
    assert trees.tree_root(leaves, vector["depth"]) == root
    for proof in vector["proofs"]:
        siblings = tuple(map(unhex, proof["siblings"]))
        assert trees.tree_proof(leaves, vector["depth"], proof["position"]) == siblings
        assert trees.root_from_proof(unhex(proof["leaf"]), proof["position"], siblings) == root


def test_sum_tree():
    vector = VECTORS["sum_tree"]
    leaves = {row["position"]: SumNode(unhex(row["hash"]), int(row["sum"])) for row in vector["leaves"]}
    root = SumNode(unhex(vector["root"]), int(vector["total"]))
    assert trees.sum_tree_root(leaves) == root
    for proof in vector["proofs"]:
        pairs = zip(proof["siblings"], proof["sibling_sums"], strict=True)
        siblings = tuple(SumNode(unhex(hashed), int(below)) for hashed, below in pairs)
        assert trees.sum_tree_proof(leaves, proof["position"]) == siblings
        leaf = SumNode(unhex(proof["leaf"]), int(proof["sum"]))
        assert trees.sum_root_from_proof(leaf, proof["position"], siblings) == root


def test_evidence_root():
    vector = VECTORS["evidence"]
    header = Header(
        version=vector["version"],
        federation=unhex(vector["federation"]),
        round=vector["round"],
        inputs=unhex(vector["inputs"]),
        seed=unhex(vector["seed"]),
        roots=tuple(map(unhex, vector["roots"])),
        total_basis=int(vector["total_basis"]),
        utility_empty=int(vector["utility_empty"]),
        utility_all=int(vector["utility_all"]),
        z_thousandths=vector["z_thousandths"],
        denominator=int(vector["denominator"]),
        tolerances=tuple(vector["tolerances"]),
        code_version=unhex(vector["code_version"]),
    )
    assert header.root() == unhex(vector["root"])
    leaves = tuple(map(leaf_of, VECTORS["leaves"]))
    assert subtree_roots(header.federation, leaves) == (header.roots, header.total_basis)
    Evidence(header, leaves).check_roots()


def test_score_bases():
    for row in VECTORS["score_basis"]:
        contribution, error, basis = (int(row[key]) for key in ("contribution", "standard_error", "basis"))
        assert shares.score_basis(contribution, error, row["z_thousandths"]) == basis


def test_shares():
    for row in VECTORS["shares"]:
        assert shares.largest_remainder([int(basis) for basis in row["bases"]], row["total"]) == tuple(row["shares"])


def test_scores():
    for row in VECTORS["scores"]:
        assert shares.pack_scores(row["scores"]) == unhex(row["packed"])
        assert shares.scores_hash(unhex(row["packed"])) == unhex(row["hash"])
        expected = row["scores"] if any(row["scores"]) else []
        assert shares.unpack_scores(unhex(row["packed"])) == tuple(expected)
