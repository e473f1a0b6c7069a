// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBondRegistry} from "../../interfaces/IBondRegistry.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {Recomputation} from "../../libraries/Recomputation.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

// dispute
// ├── not exactly the bond, a leaf twice, a kind that is none, after the window, before the proposal: reverts
// └── otherwise: the round waits three steps of voteTime, or as long as the latest dispute
// votes
// ├── sealed out of time, twice, by no scorer or without a bond: reverts
// ├── revealed out of time, twice, another vote or payload: reverts
// └── for it within the tolerances of the kind, against it otherwise
// decide
// ├── before the votes are revealed, or twice: reverts
// ├── every number of votes of four scorers, and f + 1 of seven: as in the table of ICourt
// ├── not decided in time: Void
// └── all bonds together delay a round no longer than one
// contradiction
// ├── of a scorer that attested and revealed against: it loses its bond, also while that unbonds, and whoever shows it
// └── of any other: reverts
contract DisputesTest is CourtTest {
    uint64 private round;
    bytes private utility;
    bytes32[] private path;
    bytes32 private constant SALT = "salt";

    function setUp() public override {
        super.setUp();
        round = _closed();
        utility = abi.encode(abi.encodePacked(uint8(7)), uint32(0), int256(1_000_000));
        bytes32 root;
        (root, path) = _tree(_leaves(), 0, 20);
        header.roots[6] = root;
        _proposeOutcome(round);
        vm.deal(STRANGER, 100 ether);
    }

    function _leaves() private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](1);
        leaves[0] = Trees.leaf(ledger.federation(), 7, 0, utility);
    }

    function _file() private returns (uint256) {
        vm.prank(STRANGER);
        return court.dispute{value: DISPUTE_BOND}(round, header, 7, 0, utility, path);
    }

    function _scorer(uint256 i) private pure returns (address) {
        return vm.addr(_scorerKey(i));
    }

    function _seal(uint256 id, uint256 i, bytes memory recomputed) private {
        vm.prank(_scorer(i));
        court.sealVote(id, keccak256(abi.encode(id, _scorer(i), recomputed, SALT)));
    }

    function _reveal(uint256 id, uint256 i, bytes memory recomputed) private {
        vm.prank(_scorer(i));
        court.revealVote(id, utility, recomputed, SALT);
    }

    function _other() private pure returns (bytes memory) {
        return abi.encode(abi.encodePacked(uint8(7)), uint32(0), int256(1_000_065));
    }

    /// @dev So many scorers vote for the leaf, and so many against it.
    function _vote(uint256 id, uint256 votesFor, uint256 votesAgainst) private {
        for (uint256 i; i < votesFor + votesAgainst; ++i) {
            vm.expectEmit();
            emit ICourt.VoteSealed(id, _scorer(i));
            _seal(id, i, i < votesFor ? utility : _other());
        }
        vm.warp(vm.getBlockTimestamp() + VOTE);
        for (uint256 i; i < votesFor + votesAgainst; ++i) {
            bytes memory recomputed = i < votesFor ? utility : _other();
            vm.expectEmit();
            emit ICourt.VoteRevealed(id, _scorer(i), i < votesFor ? ICourt.Vote.For : ICourt.Vote.Against, recomputed);
            _reveal(id, i, recomputed);
        }
        vm.warp(vm.getBlockTimestamp() + VOTE);
    }

    // -------------------------------------------------------------------------------------------------------- file

    function test_file() public {
        uint40 filedAt = uint40(vm.getBlockTimestamp());
        vm.expectEmit();
        emit ICourt.DisputeFiled(0, round, STRANGER, 7, 0, utility);
        vm.expectEmit();
        emit IRoundLedger.RoundDisputed(round, filedAt + 3 * VOTE);
        vm.assertEq(_file(), 0);
        _stateIs(round, IRoundLedger.State.Disputed);
        ICourt.Dispute memory d = court.disputeOf(0);
        vm.assertEq(d.round, round);
        vm.assertEq(d.challenger, STRANGER);
        vm.assertEq(d.filedAt, filedAt);
        vm.assertEq(d.tolerances[0], 64);
        vm.assertEq(d.payloadHash, keccak256(utility));
        vm.assertEq(court.disputeCount(), 1);
        vm.assertEq(address(court).balance, DISPUTE_BOND);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownDispute.selector, 1));
        court.disputeOf(1);
    }

    /// @dev The tolerance of a dispute is the header's for the leaf's kind; for most kinds there is none.
    function test_file_tolerances() public {
        uint256 snapshot = vm.snapshotState();
        for (uint32 kind = 1; kind <= 13; ++kind) {
            if (kind == 8) continue;
            round = _open();
            _close(round);
            _mine(1);
            closeHash = blockhash(vm.getBlockNumber() - 1);
            updateRoot = UPDATE_ROOT;
            _honestOutcome(round);
            uint256 depth = Evidence.isList(kind) ? 20 : 13;
            bytes32[] memory leaves = new bytes32[](1);
            leaves[0] = Trees.leaf(ledger.federation(), kind, 0, utility);
            (header.roots[kind - 1], path) = _tree(leaves, 0, depth);
            _proposeOutcome(round);
            vm.prank(STRANGER);
            uint256 id = court.dispute{value: DISPUTE_BOND}(round, header, kind, 0, utility, path);
            vm.assertEq(court.disputeOf(id).tolerances[0], kind == 5 ? 16 : kind == 7 || kind == 12 ? 64 : 0);
            vm.assertEq(court.disputeOf(id).tolerances[1], kind == 12 ? 16 : 0);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A contribution is toleranced when it comes from a solve, its standard errors always; in units of the denominator.
    function test_file_tolerancesOfAContribution() public {
        uint256[4] memory denominators = [uint256(6), 1 << 20, type(uint128).max, 1 << 128];
        uint256[4] memory first = [uint256(0), 8 << 20, 0, 0];
        uint256[4] memory second = [uint256(1024 * 6), 1024 << 20, 1024 * uint256(type(uint128).max), type(uint256).max];
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < denominators.length; ++i) {
            round = _closed();
            header.denominator = denominators[i];
            _proposeOutcome(round);
            Trees.SumOpening memory opening = _openingOf(0);
            vm.expectEmit();
            emit ICourt.DisputeFiled(0, round, STRANGER, 8, contributions[0].node, abi.encode(contributions[0]));
            vm.prank(STRANGER);
            uint256 id = court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[0], opening);
            vm.assertEq(court.disputeOf(id).tolerances[0], first[i]);
            vm.assertEq(court.disputeOf(id).tolerances[1], second[i]);
            vm.revertToState(snapshot);
        }
    }

    function test_file_refused() public {
        for (uint256 sent = DISPUTE_BOND - 1; sent <= DISPUTE_BOND + 1; sent += 2) {
            vm.expectRevert(abi.encodeWithSelector(ICourt.WrongDisputeBond.selector, sent, DISPUTE_BOND));
            vm.prank(STRANGER);
            court.dispute{value: sent}(round, header, 7, 0, utility, path);
        }
        uint32[3] memory kinds = [uint32(0), 8, 14];
        for (uint256 i; i < kinds.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICourt.BadKind.selector, kinds[i]));
            court.dispute(round, header, kinds[i], 0, utility, path);
        }
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.dispute(round, header, 7, 1, utility, path);
        vm.expectRevert(abi.encodeWithSelector(Trees.BadPosition.selector, 0, 13));
        court.dispute(round, header, 5, 0, utility, path);
        _file();
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyDisputed.selector, round, 7, 0));
        _file();
    }

    function test_file_atTheEndOfTheWindow() public {
        uint40 end = ledger.roundOf(round).windowEnd;
        vm.warp(end - 1);
        uint256 snapshot = vm.snapshotState();
        _file();
        vm.revertToState(snapshot);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Final));
        _file();
    }

    function test_file_whileDisputed_onlyInTheWindow() public {
        vm.warp(ledger.roundOf(round).windowEnd - 1);
        _file();
        vm.warp(vm.getBlockTimestamp() + 1);
        uint40 end = ledger.roundOf(round).windowEnd;
        Trees.SumOpening memory opening = _openingOf(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WindowOver.selector, round, end));
        vm.prank(STRANGER);
        court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[0], opening);
    }

    /// @dev k bonds delay a round no longer than one filed at the last moment would.
    function test_allBondsTogether_delayNoLongerThanOne() public {
        uint40 end = ledger.roundOf(round).windowEnd;
        _file();
        for (uint256 i; i < NODES; ++i) {
            vm.warp(vm.getBlockTimestamp() + 30);
            Trees.SumOpening memory opening = _openingOf(i);
            vm.prank(STRANGER);
            court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[i], opening);
            vm.assertLe(ledger.roundOf(round).deadline, end + 3 * VOTE);
        }
        vm.assertEq(ledger.roundOf(round).openDisputes, 4);
    }

    function _openingOf(uint256 i) private view returns (Trees.SumOpening memory opening) {
        (, opening) = _sumTree(i);
    }

    function test_contribution_tolerances() public {
        Trees.SumOpening memory opening = _openingOf(1);
        vm.prank(STRANGER);
        uint256 id = court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[1], opening);
        vm.assertEq(court.disputeOf(id).tolerances[0], 0);
        vm.assertEq(court.disputeOf(id).tolerances[1], 1024 * DENOMINATOR);
    }

    // ------------------------------------------------------------------------------------------------------- votes

    function test_seal_refused() public {
        uint256 id = _file();
        vm.expectRevert(abi.encodeWithSelector(IOfficers.NotAScorer.selector, STRANGER));
        vm.prank(STRANGER);
        court.sealVote(id, SALT);
        _seal(id, 0, utility);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyVoted.selector, id, _scorer(0)));
        _seal(id, 0, _other());
        uint256 start = vm.getBlockTimestamp();
        vm.warp(start + VOTE);
        vm.expectRevert(abi.encodeWithSelector(ICourt.OutOfTime.selector, start, start + VOTE));
        _seal(id, 1, utility);
    }

    function test_reveal_refused() public {
        uint256 id = _file();
        uint256 start = vm.getBlockTimestamp();
        _seal(id, 0, utility);
        bytes memory late = abi.encodeWithSelector(ICourt.OutOfTime.selector, start + VOTE, start + 2 * VOTE);
        vm.expectRevert(late);
        _reveal(id, 0, utility);
        vm.warp(start + VOTE);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotTheSealedVote.selector, id, _scorer(0)));
        _reveal(id, 0, _other());
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotTheSealedVote.selector, id, _scorer(1)));
        _reveal(id, 1, utility);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongPayload.selector, keccak256(_other()), keccak256(utility)));
        vm.prank(_scorer(0));
        court.revealVote(id, _other(), utility, SALT);
        _reveal(id, 0, utility);
        vm.assertTrue(court.voteOf(id, _scorer(0)) == ICourt.Vote.For);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotTheSealedVote.selector, id, _scorer(0)));
        _reveal(id, 0, utility);
        vm.warp(start + 2 * VOTE);
        vm.expectRevert(late);
        _reveal(id, 0, utility);
    }

    /// @dev Another scorer's sealed vote is bound to it and says nothing: copying it gets nobody a vote.
    function test_reveal_ofACopiedVote() public {
        uint256 id = _file();
        bytes32 sealed_ = keccak256(abi.encode(id, _scorer(0), utility, SALT));
        vm.prank(_scorer(1));
        court.sealVote(id, sealed_);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotTheSealedVote.selector, id, _scorer(1)));
        _reveal(id, 1, utility);
    }

    function test_seal_withoutABond() public {
        address poor = _scorer(0);
        vm.prank(poor);
        registry.unbond();
        _wait(WINDOW);
        round = _closed();
        header.roots[6] = bytes32(0);
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = Trees.leaf(ledger.federation(), 7, 0, utility);
        (header.roots[6], path) = _tree(leaves, 0, 20);
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(header), keccak256("model"), scores);
        bytes[] memory all = _attest(round, proposal, 4);
        bytes[] memory bonded = new bytes[](3);
        for (uint256 i; i < 3; ++i) {
            bonded[i] = all[i + 1];
        }
        vm.expectRevert(abi.encodeWithSelector(IOfficers.ScorerNotBonded.selector, poor));
        ledger.propose(round, proposal, all);
        ledger.propose(round, proposal, bonded);
        uint256 id = _file();
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoVote.selector, poor));
        _seal(id, 0, utility);
    }

    // ------------------------------------------------------------------------------------------------------ decide

    function test_decide_tooEarlyOrTwice() public {
        uint256 id = _file();
        uint256 start = vm.getBlockTimestamp() + 2 * VOTE;
        vm.warp(start - 1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.OutOfTime.selector, start, type(uint256).max));
        court.decide(id);
        vm.warp(start);
        court.decide(id);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyDecided.selector, id));
        court.decide(id);
    }

    /// @dev All outcomes of four scorers, f = 1: the table of the interface.
    function test_decide_theTable() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 votesFor; votesFor <= 4; ++votesFor) {
            for (uint256 against; votesFor + against <= 4; ++against) {
                uint256 id = _file();
                _vote(id, votesFor, against);
                bool upheld = against >= 2 && votesFor < 2;
                bool dismissed = votesFor >= 2 && against < 2;
                uint256 refund = upheld ? DISPUTE_BOND : dismissed ? 0 : DISPUTE_BOND / 2;
                vm.expectEmit();
                emit ICourt.DisputeDecided(
                    id,
                    round,
                    upheld ? ICourt.Verdict.Upheld : dismissed ? ICourt.Verdict.Dismissed : ICourt.Verdict.Undecided,
                    refund
                );
                vm.expectEmit();
                if (dismissed) emit IRoundLedger.DisputeDismissed(round);
                else emit IRoundLedger.RoundAnnulled(round);
                court.decide(id);
                vm.assertEq(registry.owed(STRANGER), refund);
                vm.assertEq(address(0).balance, DISPUTE_BOND - refund);
                vm.assertEq(address(court).balance, 0);
                _stateIs(round, dismissed ? IRoundLedger.State.Disputed : IRoundLedger.State.Void);
                vm.warp(ledger.roundOf(round).deadline);
                if (dismissed) _wait(3 * VOTE);
                _stateIs(round, dismissed ? IRoundLedger.State.Final : IRoundLedger.State.Void);
                vm.revertToState(snapshot);
            }
        }
    }

    /// @dev With seven scorers, f = 2: two against a leaf are too few, three are enough.
    function test_decide_ofSevenScorers() public {
        _wait(WINDOW);
        uint256[] memory keys = _sortedKeys(7);
        _appoint(_aggregator(), _scorers(7));
        vm.deal(address(this), 3 * SCORER_BOND);
        for (uint256 i; i < 7; ++i) {
            (uint256 held,) = registry.bondOf(vm.addr(keys[i]));
            if (held == 0) registry.depositBond{value: SCORER_BOND}(vm.addr(keys[i]));
        }
        round = _closed();
        (header.roots[6],) = _tree(_leaves(), 0, 20);
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(header), keccak256("model"), scores);
        bytes[] memory attestations = new bytes[](5);
        bytes32 attested = TypedData.hash(
            TypedData.Attestation(round, _seed(round), proposal.evidenceRoot, keccak256(scores), proposal.modelHash)
        );
        for (uint256 i; i < 5; ++i) {
            attestations[i] = _sign(keys[i], attested);
        }
        ledger.propose(round, proposal, attestations);
        uint256 snapshot = vm.snapshotState();
        for (uint256 against = 2; against <= 3; ++against) {
            uint256 id = _file();
            for (uint256 i; i < against; ++i) {
                vm.prank(vm.addr(keys[i]));
                court.sealVote(id, keccak256(abi.encode(id, vm.addr(keys[i]), _other(), SALT)));
            }
            vm.warp(vm.getBlockTimestamp() + VOTE);
            for (uint256 i; i < against; ++i) {
                vm.prank(vm.addr(keys[i]));
                court.revealVote(id, utility, _other(), SALT);
            }
            vm.warp(vm.getBlockTimestamp() + VOTE);
            court.decide(id);
            ICourt.Verdict verdict = against == 2 ? ICourt.Verdict.Undecided : ICourt.Verdict.Upheld;
            vm.assertEq(uint256(court.disputeOf(id).verdict), uint256(verdict));
            vm.revertToState(snapshot);
        }
    }

    function test_decide_inTheRoundsFavour_needsItsTransaction() public {
        uint256 id = _file();
        _vote(id, 4, 0);
        vm.warp(vm.getBlockTimestamp() + VOTE - 1);
        uint256 snapshot = vm.snapshotState();
        court.decide(id);
        _wait(1);
        _stateIs(round, IRoundLedger.State.Final);
        vm.revertToState(snapshot);
        _wait(1);
        _stateIs(round, IRoundLedger.State.Void);
        court.decide(id);
        _stateIs(round, IRoundLedger.State.Void);
        vm.assertEq(registry.owed(STRANGER), 0);
    }

    function test_decide_oneOfTwoUpheld() public {
        uint256 first = _file();
        Trees.SumOpening memory opening = _openingOf(0);
        vm.prank(STRANGER);
        uint256 second = court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[0], opening);
        _vote(first, 4, 0);
        court.decide(first);
        _stateIs(round, IRoundLedger.State.Disputed);
        court.decide(second);
        _stateIs(round, IRoundLedger.State.Void);
    }

    /// @dev What is over stays as it is, and nothing is told of it.
    function test_annul_ofWhatIsOver() public {
        _wait(WINDOW);
        uint64 void = _void();
        vm.startPrank(address(court));
        vm.recordLogs();
        ledger.annul(void);
        ledger.annul(round);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        _stateIs(round, IRoundLedger.State.Final);
    }

    function test_childrenOfAVoidRound_areVoid() public {
        uint64 child = _openAndClose();
        uint256 id = _file();
        _vote(id, 0, 4);
        court.decide(id);
        _stateIs(child, IRoundLedger.State.Void);
        vm.assertEq(ledger.tip(), 0);
        ledger.release(child);
        ledger.release(round);
        vm.assertEq(ledger.reserved(), 0);
    }

    // ----------------------------------------------------------------------------------------------- contradiction

    function test_contradiction() public {
        uint256 id = _file();
        _vote(id, 1, 3); // scorers 0 to 2 attested
        vm.expectEmit();
        emit ICourt.FaultProved(ICourt.Fault.Contradiction, round, _scorer(1), address(this));
        court.proveContradiction(id, _scorer(1));
        vm.assertEq(_held(_scorer(1)), 0);
        vm.assertEq(registry.owed(address(this)), PROOF_FEE);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyPunished.selector, round, _scorer(1)));
        court.proveContradiction(id, _scorer(1));
        _notAFault();
        court.proveContradiction(id, _scorer(0));
        _notAFault();
        court.proveContradiction(id, _scorer(3));
        vm.expectRevert(abi.encodeWithSelector(IOfficers.NotAScorer.selector, STRANGER));
        court.proveContradiction(id, STRANGER);
    }

    function test_contradiction_reachesTheUnbonding() public {
        uint256 id = _file();
        _vote(id, 1, 3);
        vm.prank(_scorer(1));
        registry.unbond();
        vm.warp(vm.getBlockTimestamp() + UNBONDING - 1);
        court.proveContradiction(id, _scorer(1));
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NotUnbonding.selector, _scorer(1)));
        registry.withdrawBond(_scorer(1));
    }

    /// @dev A scorer that shows its own contradiction gets no more than the fee back.
    function test_contradiction_accusingOneselfDoesNotPay() public {
        uint256 id = _file();
        _vote(id, 1, 3);
        vm.prank(_scorer(1));
        court.proveContradiction(id, _scorer(1));
        registry.collect(_scorer(1));
        vm.assertEq(_scorer(1).balance, PROOF_FEE);
        vm.assertLe(PROOF_FEE, SCORER_BOND / 2);
    }
}

// agrees
// ├── equal bytes: agree
// ├── other lengths, or no whole words: do not
// └── a word that is toleranced in its kind: agrees up to the tolerance, and no other word does
contract RecomputationTest is CourtTest {
    function setUp() public override {}

    function agrees(uint256 kind, bytes calldata a, bytes calldata b, uint256 first, uint256 second)
        external
        pure
        returns (bool)
    {
        return Recomputation.agrees(kind, a, b, [first, second]);
    }

    function testFuzz_utility(int256 value, uint64 tolerance, bool up) public view {
        value = value % (2 ** 200);
        int256 step = up ? int256(uint256(tolerance)) : -int256(uint256(tolerance));
        bytes memory published = abi.encode(bytes(hex"07"), uint32(1), value);
        vm.assertTrue(this.agrees(7, published, abi.encode(bytes(hex"07"), uint32(1), value + step), tolerance, 0));
        step += up ? int256(1) : -1;
        vm.assertFalse(this.agrees(7, published, abi.encode(bytes(hex"07"), uint32(1), value + step), tolerance, 0));
        vm.assertFalse(this.agrees(7, published, abi.encode(bytes(hex"06"), uint32(1), value), tolerance, 0));
        vm.assertFalse(this.agrees(7, published, abi.encode(bytes(hex"07"), uint32(2), value), tolerance, 0));
    }

    function test_extremesDoNotOverflow() public view {
        bytes memory low = abi.encode(bytes(""), uint32(0), type(int256).min);
        bytes memory high = abi.encode(bytes(""), uint32(0), type(int256).max);
        vm.assertFalse(this.agrees(7, low, high, type(uint256).max - 1, 0));
        vm.assertTrue(this.agrees(7, low, high, type(uint256).max, 0));
    }

    function testFuzz_statistics(int128[3] memory values, uint8 at_, uint32 tolerance) public view {
        int256[] memory published = new int256[](3);
        int256[] memory own = new int256[](3);
        for (uint256 i; i < 3; ++i) {
            published[i] = values[i];
            own[i] = values[i];
        }
        own[at_ % 3] += int256(uint256(tolerance));
        vm.assertTrue(this.agrees(5, abi.encode(published), abi.encode(own), tolerance, 0));
        own[at_ % 3] += 1;
        vm.assertFalse(this.agrees(5, abi.encode(published), abi.encode(own), tolerance, 0));
        vm.assertFalse(this.agrees(5, abi.encode(published), abi.encode(new int256[](2)), tolerance, 0));
    }

    function test_contribution() public view {
        Evidence.Contribution memory leaf = Evidence.Contribution(1, -5, 500, 300, 400, 7);
        bytes memory published = abi.encode(leaf);
        leaf.contribution -= 3;
        leaf.samplingError += 4;
        leaf.estimationError -= 4;
        vm.assertTrue(this.agrees(8, published, abi.encode(leaf), 3, 4));
        vm.assertFalse(this.agrees(8, published, abi.encode(leaf), 2, 4));
        vm.assertFalse(this.agrees(8, published, abi.encode(leaf), 3, 3));
        leaf.basis += 1;
        vm.assertFalse(this.agrees(8, published, abi.encode(leaf), 3, 4));
    }

    function test_estimate() public view {
        uint256[] memory misses = new uint256[](3);
        bytes memory published = abi.encode(uint8(2), uint8(2), uint8(1), uint32(40), uint256(9), uint256(99), misses);
        bytes memory own = abi.encode(uint8(2), uint8(2), uint8(1), uint32(40), uint256(5), uint256(103), misses);
        vm.assertTrue(this.agrees(12, published, own, 4, 0));
        vm.assertFalse(this.agrees(12, published, own, 3, type(uint256).max));
        for (uint256 i; i < 3; ++i) {
            misses[i] = 7;
            own = abi.encode(uint8(2), uint8(2), uint8(1), uint32(40), uint256(9), uint256(99), misses);
            vm.assertTrue(this.agrees(12, published, own, 0, 7));
            vm.assertFalse(this.agrees(12, published, own, type(uint256).max, 6));
        }
        own = abi.encode(uint8(2), uint8(2), uint8(1), uint32(41), uint256(9), uint256(99), new uint256[](3));
        vm.assertFalse(this.agrees(12, published, own, 7, 7));
        own = abi.encode(uint8(2), uint8(2), uint8(1), uint32(40), uint256(9), uint256(99), new uint256[](4));
        vm.assertFalse(this.agrees(12, published, own, 7, 7));
    }

    function test_bytesThatAreNoWords() public view {
        vm.assertTrue(this.agrees(7, "abc", "abc", 9, 9));
        vm.assertFalse(this.agrees(7, "abc", "abd", type(uint256).max, 0));
        vm.assertFalse(this.agrees(11, abi.encode(1), abi.encode(2), type(uint256).max, 0));
        vm.assertFalse(this.agrees(11, abi.encode(1), abi.encode(1, 2), type(uint256).max, 0));
        vm.assertFalse(this.agrees(11, abi.encode(1, 2), abi.encode(1), type(uint256).max, 0));
    }
}
