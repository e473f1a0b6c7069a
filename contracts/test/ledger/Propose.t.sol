// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {ScoreVector} from "../../libraries/ScoreVector.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// propose
// ├── a round that is not Closed: reverts
// ├── in the block of close: reverts; in the 256 blocks after it: works; later: reverts
// ├── attestations
// │   ├── fewer than the quorum: reverts
// │   ├── of one scorer twice, or out of order: reverts
// │   ├── of somebody else, or of anything else: reverts
// │   ├── signed malleably or cut short: reverts
// │   └── of the quorum or more: recorded as a bitmap, whoever sends them
// ├── scores
// │   ├── for indices given out after the round opened: reverts
// │   ├── not summing to SCORE_TOTAL, or written out although all are zero: reverts
// │   └── none: every score is zero
// └── otherwise: everything is recorded, and never changes again
contract ProposeTest is BaseTest {
    uint64 private round;
    bytes private scores = _scores(1_000_000, 0);

    function setUp() public override {
        super.setUp();
        _joinMany(3);
        round = _openAndClose();
    }

    function _refused(bytes memory scores_, bytes[] memory attestations, bytes memory reason) private {
        IRoundLedger.Proposal memory proposal = _proposal(scores_);
        vm.expectRevert(reason);
        ledger.propose(round, proposal, attestations);
    }

    function _attested() private view returns (bytes[] memory) {
        return _attest(round, _proposal(scores), QUORUM);
    }

    /// @dev The bitmap of the first `count` scorers by address.
    function _bitmap(uint256 count) private view returns (uint256 bitmap) {
        for (uint256 i; i < count; ++i) {
            bitmap |= uint256(1) << registry.scorerIndexAt(round, vm.addr(_scorerKey(i)));
        }
    }

    function test_recordsEverything() public {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        bytes[] memory attestations = _attested();
        bytes32 seed = _seed(round);
        vm.prank(STRANGER);
        ledger.propose(round, proposal, attestations);

        IRoundLedger.Round memory r = ledger.roundOf(round);
        _stateIs(round, IRoundLedger.State.Proposed);
        vm.assertEq(r.seed, seed);
        vm.assertEq(r.evidenceRoot, keccak256("evidence"));
        vm.assertEq(r.modelHash, keccak256("model"));
        vm.assertEq(r.deadline, vm.getBlockTimestamp() + WINDOW);
        vm.assertEq(r.signers, _bitmap(QUORUM));
        vm.assertEq(r.scores.code, abi.encodePacked(hex"00", scores));
        vm.assertEq(ledger.scoresOf(round), scores);
        vm.assertEq(ledger.scoreOf(round, 0), 1_000_000);
        vm.assertEq(ledger.scoreOf(round, 1), 0);
        vm.assertEq(ledger.scoreOf(round, 2), 9_000_000);
        vm.assertEq(ledger.rewardOf(round, 2), POOL * 9 / 10);
    }

    function test_emits() public {
        IRoundLedger.Proposal memory proposal = _proposal("");
        bytes[] memory attestations = _attest(round, proposal, QUORUM);
        vm.expectEmit();
        emit IRoundLedger.RoundProposed(
            round,
            _seed(round),
            keccak256("evidence"),
            keccak256("model"),
            keccak256(""),
            address(0),
            uint32(_bitmap(QUORUM)),
            uint40(vm.getBlockTimestamp()) + WINDOW
        );
        ledger.propose(round, proposal, attestations);
    }

    function test_inAnyOtherState() public {
        _propose(round, scores);
        _refusedState(round, IRoundLedger.State.Proposed);
        _wait(WINDOW);
        _refusedState(round, IRoundLedger.State.Final);
        _refusedState(round + 1, IRoundLedger.State.None);
        _refusedState(_open(), IRoundLedger.State.Open);
    }

    function _refusedState(uint64 round_, IRoundLedger.State state) private {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        bytes[] memory attestations = _attest(round_, proposal, QUORUM);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round_, state));
        ledger.propose(round_, proposal, attestations);
    }

    function test_seed_inTheBlockOfClose() public {
        uint64 closeBlock = ledger.roundOf(round).closeBlock;
        vm.roll(closeBlock);
        _refused(scores, _attested(), abi.encodeWithSelector(IRoundLedger.SeedNotReady.selector, closeBlock));
    }

    function test_seed_256BlocksAfterClose() public {
        _mine(255);
        vm.assertEq(vm.getBlockNumber(), uint256(ledger.roundOf(round).closeBlock) + 256);
        _propose(round, scores);
    }

    function test_seed_257BlocksAfterClose() public {
        bytes[] memory attestations = _attested();
        _mine(256);
        _refused(
            scores,
            attestations,
            abi.encodeWithSelector(IRoundLedger.SeedExpired.selector, ledger.roundOf(round).closeBlock)
        );
    }

    function test_attestations_fewerThanTheQuorum() public {
        for (uint256 count; count < QUORUM; ++count) {
            bytes[] memory attestations = _attest(round, _proposal(scores), count);
            _refused(scores, attestations, abi.encodeWithSelector(IOfficers.QuorumMissed.selector, count, QUORUM));
        }
    }

    function test_attestations_ofAllScorers() public {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        ledger.propose(round, proposal, _attest(round, proposal, 4));
        vm.assertEq(ledger.roundOf(round).signers, 15);
    }

    function test_attestations_ofOneScorerTwice() public {
        bytes[] memory attestations = _attested();
        attestations[2] = attestations[1];
        address twice = vm.addr(_scorerKey(1));
        _refused(scores, attestations, abi.encodeWithSelector(IOfficers.SignersUnsorted.selector, twice, twice));
    }

    function test_attestations_outOfOrder() public {
        bytes[] memory attestations = _attested();
        (attestations[0], attestations[1]) = (attestations[1], attestations[0]);
        _refused(
            scores,
            attestations,
            abi.encodeWithSelector(IOfficers.SignersUnsorted.selector, vm.addr(_scorerKey(1)), vm.addr(_scorerKey(0)))
        );
    }

    function test_attestations_ofSomebodyElse() public {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        bytes[] memory attestations = _attested();
        bytes32 structHash = TypedData.hash(
            TypedData.Attestation(round, _seed(round), proposal.evidenceRoot, keccak256(scores), proposal.modelHash)
        );
        // The first place, where any address is in order.
        attestations[0] = _sign(0xbad, structHash);
        _refused(scores, attestations, abi.encodeWithSelector(IOfficers.NotAScorer.selector, vm.addr(0xbad)));
    }

    /// @dev A signature of anything else recovers to some other address.
    function testFuzz_attestations_ofAnythingElse(uint8 field, bytes32 other) public {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        bytes[] memory attestations = _attested();
        field %= 4;
        if (field == 0) {
            vm.assume(other != proposal.evidenceRoot);
            proposal.evidenceRoot = other;
        } else if (field == 1) {
            vm.assume(other != proposal.modelHash);
            proposal.modelHash = other;
        } else if (field == 2) {
            proposal.scores = _scores(uint24(uint256(other) % 1_000_000), 0);
        } else {
            vm.chainId(31_338);
        }
        (bool success, bytes memory reason) =
            address(ledger).call(abi.encodeCall(ledger.propose, (round, proposal, attestations)));
        vm.assertFalse(success);
        vm.assertTrue(
            bytes4(reason) == IOfficers.NotAScorer.selector || bytes4(reason) == IOfficers.SignersUnsorted.selector
        );
    }

    function test_attestations_ofAnotherRound() public {
        bytes[] memory attestations = _attested();
        _propose(round, scores);
        _wait(WINDOW);
        round = _openAndClose();
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        vm.expectPartialRevert(IOfficers.NotAScorer.selector);
        ledger.propose(round, proposal, attestations);
    }

    function test_attestations_signedMalleably() public {
        bytes[] memory attestations = _attested();
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parse(attestations[0]);
        bytes32 mirrored = bytes32(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s));
        attestations[0] = abi.encodePacked(r, mirrored, v == 27 ? uint8(28) : uint8(27));
        _refused(scores, attestations, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, mirrored));
    }

    function test_attestations_cutShort() public {
        bytes[] memory attestations = _attested();
        attestations[0] = new bytes(64);
        _refused(scores, attestations, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
    }

    function test_scores_ofANodeThatJoinedLater() public {
        _join(3);
        bytes memory four = abi.encodePacked(uint24(SCORES), uint24(0), uint24(0), uint24(0));
        _refused(
            four,
            _attest(round, _proposal(four), QUORUM),
            abi.encodeWithSelector(ScoreVector.TooManyScores.selector, 4, 3)
        );
        _propose(round, scores);
        vm.assertEq(ledger.scoreOf(round, 3), 0);
        vm.assertEq(ledger.scoreOf(round, 8190), 0);
    }

    function test_scores_ofFewerNodes() public {
        bytes memory one = abi.encodePacked(uint24(SCORES));
        _propose(round, one);
        vm.assertEq(ledger.scoreOf(round, 0), SCORES);
        vm.assertEq(ledger.scoreOf(round, 1), 0);
    }

    function test_scores_notTheTotal() public {
        bytes memory zeros = new bytes(9);
        _refused(
            zeros,
            _attest(round, _proposal(zeros), QUORUM),
            abi.encodeWithSelector(ScoreVector.WrongScoreTotal.selector, 0, SCORES)
        );
    }

    function test_scores_none() public {
        _propose(round, "");
        vm.assertEq(ledger.roundOf(round).scores, address(0));
        vm.assertEq(ledger.scoreOf(round, 0), 0);
        vm.assertEq(ledger.rewardOf(round, 0), 0);
        vm.assertEq(ledger.scoresOf(round), "");
    }
}
