// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../interfaces/ICourt.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {ScoreVector} from "../../libraries/ScoreVector.sol";
import {Trees} from "../../libraries/Trees.sol";
import {CourtTest} from "../utils/CourtTest.sol";
import {Test} from "../utils/Test.sol";

// proofs about the evidence
// ├── an honest round: nothing can be proved
// ├── a header that contradicts the chain in any field: the aggregator loses its bond
// ├── a standard error or basis that does not follow: likewise, half of it to a node that got too little
// ├── a score that is not its part of the whole, too much or too little, with T = 0, or without a leaf: likewise
// ├── sums that do not add up, not to T, or not from the leaves: likewise
// └── another header, leaf or path than the round's: reverts
contract EvidenceProofsTest is CourtTest {
    uint64 private round;

    function _tampered() private {
        _hang();
        _proposeOutcome(round);
    }

    function _opening(uint256 i) private view returns (Trees.SumOpening memory opening) {
        (, opening) = _sumTree(i);
    }

    function _lost(address beneficiary, uint256 award) private view {
        _aggregatorLost(beneficiary, award);
        _stateIs(round, IRoundLedger.State.Void);
    }

    function test_honest_nothingCanBeProved() public {
        round = _proposed();
        _notAFault();
        court.proveWrongHeader(round, header, updateRoot, closeHash);
        for (uint256 i; i < NODES; ++i) {
            Trees.SumOpening memory opening = _opening(i);
            _notAFault();
            court.proveWrongBasis(round, header, contributions[i], opening);
            _notAFault();
            court.proveWrongScore(round, header, contributions[i], opening);
            _notAFault();
            court.proveWrongTotal(round, header, contributions[i], opening);
        }
        Trees.SumOpening memory empty = _opening(NODES);
        _notAFault();
        court.proveUnfoundedScore(round, header, uint32(NODES), empty);
    }

    function test_header_contradictsTheChain() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 field; field < 5; ++field) {
            round = _closed();
            if (field == 0) header.federation = "another";
            if (field == 1) header.round = round + 1;
            if (field == 2) header.inputs = "others";
            if (field == 3) header.seed = "another";
            if (field == 4) header.roots[2] = "another";
            _proposeOutcome(round);
            vm.expectEmit();
            emit ICourt.FaultProved(ICourt.Fault.WrongHeader, round, _aggregator(), STRANGER);
            vm.prank(STRANGER);
            court.proveWrongHeader(round, header, updateRoot, closeHash);
            _lost(STRANGER, PROOF_FEE);
            vm.revertToState(snapshot);
        }
    }

    /// @dev An aggregator that shows its own fault, before anybody else can, gets no more than the fee back.
    function test_header_accusingOneselfDoesNotPay() public {
        round = _closed();
        header.inputs = "others";
        _proposeOutcome(round);
        vm.prank(_aggregator());
        court.proveWrongHeader(round, header, updateRoot, closeHash);
        _lost(_aggregator(), PROOF_FEE);
        vm.assertLe(PROOF_FEE, AGGREGATOR_BOND / 2);
    }

    function test_anotherHeader() public {
        round = _proposed();
        bytes32 expected = Evidence.hash(header);
        header.totalBasis += 1;
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongRoot.selector, Evidence.hash(header), expected));
        court.proveWrongHeader(round, header, updateRoot, closeHash);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToProve.selector, round + 1));
        court.proveWrongHeader(round + 1, header, updateRoot, closeHash);
    }

    /// @dev A made-up header would convict an honest aggregator of anything.
    function test_anotherHeader_provesNothing() public {
        round = _proposed();
        Trees.SumOpening memory opening = _opening(0);
        Trees.SumOpening memory empty = _opening(NODES);
        bytes32 expected = Evidence.hash(header);
        header.zThousandths += 1;
        bytes memory refused = abi.encodeWithSelector(ICourt.WrongRoot.selector, Evidence.hash(header), expected);
        vm.expectRevert(refused);
        court.proveWrongBasis(round, header, contributions[0], opening);
        header.totalBasis = contributions[0].basis;
        refused = abi.encodeWithSelector(ICourt.WrongRoot.selector, Evidence.hash(header), expected);
        vm.expectRevert(refused);
        court.proveWrongScore(round, header, contributions[0], opening);
        vm.expectRevert(refused);
        court.proveWrongTotal(round, header, contributions[0], opening);
        vm.expectRevert(refused);
        court.proveUnfoundedScore(round, header, uint32(NODES), empty);
        vm.expectRevert(refused);
        court.dispute(round, header, 7, 0, "", new bytes32[](20));
        vm.expectRevert(refused);
        court.disputeContribution(round, header, contributions[0], opening);
    }

    /// @dev The update root that a header is compared with is the one in the seed, not what the prover says.
    function test_header_comparedWithAnotherUpdateRoot() public {
        round = _proposed();
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongHeader(round, header, "another", closeHash);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongHeader(round, header, updateRoot, "another");
    }

    function test_total_ofALeafThatIsNotInTheTree() public {
        round = _proposed();
        Trees.SumOpening memory opening = _opening(0);
        contributions[0].basis += 1;
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongTotal(round, header, contributions[0], opening);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongScore(round, header, contributions[0], opening);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.disputeContribution(round, header, contributions[0], opening);
    }

    function test_anotherLeafOrPath() public {
        round = _proposed();
        Trees.SumOpening memory opening = _opening(0);
        Evidence.Contribution memory other = contributions[0];
        other.basis += 1;
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongBasis(round, header, other, opening);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveWrongBasis(round, header, contributions[1], opening);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveUnfoundedScore(round, header, 0, opening);
        vm.expectRevert(abi.encodeWithSelector(Trees.BadPosition.selector, 8192 + NODES, 13));
        court.proveUnfoundedScore(round, header, uint32(8192 + NODES), opening);
    }

    // ------------------------------------------------------------------------------------------------------- basis

    function test_basis_tooHigh() public {
        round = _closed();
        contributions[1].basis += 1;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[1], _opening(1));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_basis_tooLow() public {
        round = _closed();
        contributions[1].basis -= 1;
        _tampered();
        court.proveWrongBasis(round, header, contributions[1], _opening(1));
        _lost(_owner(1), AGGREGATOR_BOND / 2);
    }

    function test_basis_withoutGain() public {
        round = _closed();
        header.utilityAll = header.utilityEmpty + 2 * 64;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[1], _opening(1));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_basis_withTheGainOfTwoShards() public {
        round = _closed();
        header.tolerances[4] = 4 * 64;
        header.utilityAll = header.utilityEmpty + 4 * 64 + 1;
        _tampered();
        Trees.SumOpening memory opening = _opening(1);
        _notAFault();
        court.proveWrongBasis(round, header, contributions[1], opening);
    }

    function test_basis_withoutTheGainOfTwoShards() public {
        round = _closed();
        header.tolerances[4] = 4 * 64;
        header.utilityAll = header.utilityEmpty + 4 * 64;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[1], _opening(1));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_basis_ofANegativeContribution() public {
        round = _closed();
        contributions[2].contribution = -1;
        contributions[2].basis = 0;
        _tampered();
        Trees.SumOpening memory opening = _opening(2);
        _notAFault();
        court.proveWrongBasis(round, header, contributions[2], opening);
    }

    function test_standardError_notTheRoot() public {
        uint256 snapshot = vm.snapshotState();
        uint128[2] memory wrong = [uint128(499), 501];
        for (uint256 i; i < wrong.length; ++i) {
            round = _closed();
            contributions[0].standardError = wrong[i];
            contributions[0].basis = Evidence.basis(contributions[0], header);
            _tampered();
            vm.startPrank(STRANGER);
            court.proveWrongBasis(round, header, contributions[0], _opening(0));
            vm.stopPrank();
            _lost(STRANGER, PROOF_FEE);
            vm.revertToState(snapshot);
        }
    }

    function test_standardError_tooLargeToSquare() public {
        round = _closed();
        contributions[0].samplingError = type(uint128).max;
        contributions[0].estimationError = type(uint128).max;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[0], _opening(0));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    /// @dev What does not fit is no root of zero either.
    function test_standardError_tooLargeToSquare_saidToBeZero() public {
        round = _closed();
        contributions[0].samplingError = type(uint128).max;
        contributions[0].estimationError = type(uint128).max;
        contributions[0].standardError = 0;
        contributions[0].basis = Evidence.basis(contributions[0], header);
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[0], _opening(0));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    /// @dev Where the merged model is worse than the base nobody is paid: a small loss is no gain of almost 2^256.
    function test_basis_ofALoss() public {
        round = _closed();
        header.utilityAll = header.utilityEmpty - 1;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongBasis(round, header, contributions[1], _opening(1));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    // ------------------------------------------------------------------------------------------------------ scores

    function test_score_tooHighForOneTooLowForAnother() public {
        round = _closed();
        scores = abi.encodePacked(uint24(5_000_210), uint24(3_333_331), uint24(1_666_459));
        _tampered();
        uint256 snapshot = vm.snapshotState();
        vm.startPrank(STRANGER);
        court.proveWrongScore(round, header, contributions[0], _opening(0));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
        vm.revertToState(snapshot);
        court.proveWrongScore(round, header, contributions[1], _opening(1));
        _lost(_owner(1), AGGREGATOR_BOND / 2);
        vm.revertToState(snapshot);
        Trees.SumOpening memory opening = _opening(2);
        _notAFault();
        court.proveWrongScore(round, header, contributions[2], opening);
    }

    function test_score_whenNothingIsToBePaid() public {
        round = _closed();
        header.utilityAll = header.utilityEmpty;
        header.totalBasis = 0;
        for (uint256 i; i < NODES; ++i) {
            contributions[i].basis = 0;
            leafSums[i] = 0;
        }
        _tampered();
        vm.startPrank(STRANGER);
        court.proveWrongScore(round, header, contributions[0], _opening(0));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_score_nothingWhenNothingIsToBePaid() public {
        round = _closed();
        header.utilityAll = header.utilityEmpty;
        header.totalBasis = 0;
        for (uint256 i; i < NODES; ++i) {
            contributions[i].basis = 0;
            leafSums[i] = 0;
        }
        scores = "";
        _tampered();
        Trees.SumOpening memory opening = _opening(0);
        _notAFault();
        court.proveWrongScore(round, header, contributions[0], opening);
    }

    /// @dev Not even the whole is enough for a basis above the total.
    function test_score_ofABasisJustAboveTheTotal() public {
        round = _closed();
        header.totalBasis = contributions[0].basis - 1;
        scores = abi.encodePacked(uint24(SCORES));
        _tampered();
        court.proveWrongScore(round, header, contributions[0], _opening(0));
        _lost(_owner(0), AGGREGATOR_BOND / 2);
    }

    function test_score_withoutALeaf() public {
        round = _closed();
        contributions.pop();
        leafSums.pop();
        header.totalBasis = contributions[0].basis + contributions[1].basis;
        _tampered();
        vm.startPrank(STRANGER);
        court.proveUnfoundedScore(round, header, 2, _opening(2));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_score_ofABasisAboveTheTotal() public {
        round = _closed();
        header.totalBasis = contributions[0].basis - 1;
        _tampered();
        court.proveWrongScore(round, header, contributions[0], _opening(0));
        _lost(_owner(0), AGGREGATOR_BOND / 2);
    }

    // ------------------------------------------------------------------------------------------------------- sums

    function _wrongTotal(uint256 i) private {
        _proposeOutcome(round);
        vm.startPrank(STRANGER);
        court.proveWrongTotal(round, header, contributions[i], _opening(i));
        vm.stopPrank();
        _lost(STRANGER, PROOF_FEE);
    }

    function test_total_notTheHeaders() public {
        round = _closed();
        header.totalBasis += 1;
        _hang();
        _wrongTotal(0);
    }

    /// @dev A sum that appears between the leaves and the root is found on the way.
    function test_total_notOfTheSumsBelow() public {
        round = _closed();
        Trees.SumOpening memory opening = _opening(0);
        opening.sums[1] += 7;
        (header.roots[7], header.totalBasis,) = Trees.sumRoot(_contributionLeaf(0), 0, opening);
        _proposeOutcome(round);
        vm.prank(STRANGER);
        court.proveWrongTotal(round, header, contributions[0], opening);
        _lost(STRANGER, PROOF_FEE);
    }

    function test_total_notOfTheLeaves() public {
        round = _closed();
        leafSums[1] += 7;
        header.totalBasis += 7;
        _hang();
        _wrongTotal(1);
    }

    /// @dev A carry out of 256 bits would hide a debt of one node behind the others.
    function test_total_aroundTheCorner() public {
        round = _closed();
        leafSums[1] = type(uint256).max;
        unchecked {
            header.totalBasis = leafSums[0] + leafSums[1] + leafSums[2];
        }
        _hang();
        _wrongTotal(0);
    }
}

// misjudged
// └── one node alone: the whole is its due, and one base unit less or more is not
contract MisjudgedTest is Test {
    function test_misjudged_aloneInTheRound() public pure {
        uint256 basis = 7;
        for (uint256 score = ScoreVector.TOTAL - 1; score <= ScoreVector.TOTAL + 1; ++score) {
            (bool wrong,) = Evidence.misjudged(score, basis, basis);
            vm.assertTrue(wrong == (score != ScoreVector.TOTAL));
        }
    }
}
