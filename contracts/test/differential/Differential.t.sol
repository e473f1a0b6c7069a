// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {ScoreVector} from "../../libraries/ScoreVector.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

interface FileVm {
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
}

/// @notice Everything that both sides compute, on random cases: what Python got must be what Solidity gets.
/// @dev `tests/contracts/test_differential.py` makes the cases, one file of ABI-encoded structs a kind, and runs this.
contract DifferentialTest is BaseTest {
    struct Digests {
        uint64 chainId;
        address ledger;
        bytes32 closeBlockHash;
        TypedData.Update update;
        TypedData.Receipt receipt;
        TypedData.Attestation attestation;
        TypedData.Invitation invitation;
        TypedData.Expulsion expulsion;
        TypedData.Inputs inputs;
        bytes32[7] expected;
    }

    struct Judged {
        Evidence.Header header;
        bytes32 root;
        Evidence.Contribution leaf;
        bool gained;
    }

    struct Opened {
        bytes32 federation;
        uint256 kind;
        uint256 index;
        bytes payload;
        bytes32 leaf;
        bytes32[] siblings;
        bytes32 root;
    }

    struct Summed {
        bytes32 leaf;
        uint256 index;
        Trees.SumOpening opening;
        bytes32 root;
        uint256 total;
    }

    struct Paid {
        uint256[] bases;
        bytes scores;
        uint256[] rewards;
    }

    function _cases(string memory kind) private view returns (bytes memory) {
        FileVm files = FileVm(address(vm));
        return files.readFileBinary(string.concat(files.envString("CASES"), "/", kind));
    }

    function test_digests() public {
        Digests[] memory cases = abi.decode(_cases("digests"), (Digests[]));
        for (uint256 i; i < cases.length; ++i) {
            Digests memory c = cases[i];
            vm.chainId(c.chainId);
            bytes32 domain = TypedData.domainSeparator(c.ledger);
            bytes32[5] memory structs = [
                TypedData.hash(c.update),
                TypedData.hash(c.receipt),
                TypedData.hash(c.attestation),
                TypedData.hash(c.invitation),
                TypedData.hash(c.expulsion)
            ];
            for (uint256 j; j < structs.length; ++j) {
                vm.assertEq(MessageHashUtils.toTypedDataHash(domain, structs[j]), c.expected[j]);
            }
            vm.assertEq(TypedData.hash(c.inputs), c.expected[5]);
            vm.assertEq(TypedData.seed(domain, c.update.round, c.update.inputs, c.closeBlockHash), c.expected[6]);
        }
    }

    function test_evidence() public view {
        Judged[] memory cases = abi.decode(_cases("evidence"), (Judged[]));
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(Evidence.hash(cases[i].header), cases[i].root);
            vm.assertTrue(Evidence.gained(cases[i].header) == cases[i].gained);
            vm.assertEq(Evidence.basis(cases[i].leaf, cases[i].header), cases[i].leaf.basis);
            vm.assertTrue(Evidence.follows(cases[i].leaf, cases[i].header));
        }
    }

    function test_openings() public view {
        Opened[] memory cases = abi.decode(_cases("openings"), (Opened[]));
        for (uint256 i; i < cases.length; ++i) {
            Opened memory c = cases[i];
            vm.assertEq(Trees.leaf(c.federation, c.kind, c.index, c.payload), c.leaf);
            vm.assertEq(Trees.root(c.leaf, c.index, c.siblings, c.siblings.length), c.root);
        }
    }

    function test_sums() public view {
        Summed[] memory cases = abi.decode(_cases("sums"), (Summed[]));
        for (uint256 i; i < cases.length; ++i) {
            (bytes32 root, uint256 total, bool addsUp) = Trees.sumRoot(cases[i].leaf, cases[i].index, cases[i].opening);
            vm.assertEq(root, cases[i].root);
            vm.assertEq(total, cases[i].total);
            vm.assertTrue(addsUp);
        }
    }

    function test_pay() public {
        Paid[] memory cases = abi.decode(_cases("pay"), (Paid[]));
        _joinMany(20);
        uint64 round = _openAndClose();
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < cases.length; ++i) {
            Paid memory c = cases[i];
            _propose(round, c.scores);
            uint256 total;
            for (uint256 node; node < c.bases.length; ++node) {
                total += c.bases[node];
            }
            for (uint32 node; node < c.bases.length; ++node) {
                uint256 score = ledger.scoreOf(round, node);
                (bool wrong,) = Evidence.misjudged(score, c.bases[node], total);
                vm.assertFalse(wrong);
                // One unit more than rounding up, or less than rounding down, is no rounding.
                (wrong,) = Evidence.misjudged(score + 2, c.bases[node], total);
                vm.assertTrue(wrong);
                vm.assertEq(ledger.rewardOf(round, node), c.rewards[node]);
            }
            vm.revertToState(snapshot);
        }
    }
}
