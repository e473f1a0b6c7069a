// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernance} from "../../interfaces/IGovernance.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

/// @notice Every function of the ledger that changes anything, with any caller, argument and time: it does what the interface
/// says exactly when the interface says so. `README.md` beside this is the list.
/// forge-config: default.fuzz.runs = 32
/// forge-config: soak.fuzz.runs = 2000
contract LedgerFuzzTest is CourtTest {
    function _call(address target, address caller, bytes memory data) private returns (bool success) {
        vm.prank(caller);
        (success,) = target.call(data);
    }

    function _as(address caller, bytes memory data) private returns (bool) {
        return _call(address(ledger), caller, data);
    }

    /// @dev One of those who have a part in the federation, or somebody else.
    function _anyone(uint256 choice, address other) private pure returns (address) {
        address[5] memory known = [_aggregator(), ADMIN, GUARDIAN, AGGREGATOR, vm.addr(OPERATOR_KEY)];
        return choice % 8 < 5 ? known[choice % 8] : other;
    }

    function _state(uint64 round) private view returns (uint256) {
        return uint256(ledger.stateOf(round));
    }

    function testFuzz_open(uint256 choice, address other, uint64 parent, bytes32 shards, bytes32 rootSet, bool right)
        public
    {
        address caller = _anyone(choice, other);
        uint64 tip = _settled();
        parent = right ? tip : parent;
        bool opened = _as(caller, abi.encodeCall(ledger.open, (parent, shards, rootSet)));
        vm.assertTrue(opened == (caller == _aggregator() && parent == tip));
        vm.assertEq(ledger.lastRound(), opened ? tip + 1 : tip);
        if (!opened) return;
        IRoundLedger.Round memory before = ledger.roundOf(tip);
        TypedData.Inputs memory inputs = TypedData.Inputs(
            1, tip, ledger.configHash(), ledger.taskHash(), before.modelHash, before.evidenceRoot, shards, rootSet
        );
        vm.assertEq(ledger.roundOf(tip + 1).inputs, TypedData.hash(inputs));
    }

    function _settled() private returns (uint64 round) {
        round = _proposed();
        _wait(WINDOW);
    }

    function testFuzz_close(uint256 choice, address other, bytes32 root, uint8 commits, uint16 time, bool committed)
        public
    {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 0);
        if (committed) ledger.commit(update, _signUpdate(update));
        vm.warp(vm.getBlockTimestamp() + time % 200);
        commits %= 3;
        address caller = _anyone(choice, other);
        bool closed = _as(caller, abi.encodeCall(ledger.close, (round, root, commits)));
        bool may =
            caller == _aggregator() && root != 0 && commits == (committed ? 1 : 0) && time % 200 < COMMIT_DEADLINE;
        vm.assertTrue(closed == may);
        IRoundLedger.Round memory r = ledger.roundOf(round);
        vm.assertEq(r.updateRoot, closed ? root : bytes32(0));
        vm.assertTrue(r.closedEarly == (closed && time % 200 < COMMIT_TIME));
    }

    function testFuzz_abandon(uint256 choice, address other, uint16 time) public {
        uint64 round = _open();
        vm.warp(vm.getBlockTimestamp() + time % 200);
        address caller = _anyone(choice, other);
        bool may = caller == _aggregator() && time % 200 < COMMIT_DEADLINE;
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.abandon, (round))) == may);
        vm.assertTrue((_state(round) == uint256(IRoundLedger.State.Void)) == (may || time % 200 >= COMMIT_DEADLINE));
    }

    function testFuzz_commit(uint32 node, uint8 field, uint256 key, uint32 samples, uint16 time) public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, node % 4);
        update.samples = samples % 103;
        if (field % 8 == 0) update.inputs = "others";
        if (field % 8 == 1) update.baseModel = "another";
        if (field % 8 == 2) update.round = round + 1;
        bool own = key % 2 == 0;
        bytes memory signature =
            _sign(own ? _nodeKey(update.node) : 1 + key % type(uint128).max, TypedData.hash(update));
        vm.warp(vm.getBlockTimestamp() + time % 120);
        bool may = node % 4 < NODES && field % 8 > 2 && own && samples % 103 >= 1 && samples % 103 <= 100
            && time % 120 < COMMIT_TIME;
        vm.assertTrue(_as(STRANGER, abi.encodeCall(ledger.commit, (update, signature))) == may);
        vm.assertEq(ledger.roundOf(round).commits, may ? 1 : 0);
        vm.assertTrue((ledger.commitOf(round, update.node) != 0) == may);
    }

    function testFuzz_seal(address caller, uint16 blocks) public {
        uint64 round = _open();
        _close(round);
        bytes32 updateRoot_ = ledger.roundOf(round).updateRoot;
        _mine(blocks % 400);
        bool may = blocks % 400 >= 1 && blocks % 400 <= 256;
        bytes32 hash = blockhash(ledger.roundOf(round).closeBlock);
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.seal, (round))) == may);
        bytes32 seed = TypedData.seed(ledger.federation(), round, updateRoot_, hash);
        vm.assertEq(ledger.roundOf(round).seed, may ? seed : bytes32(0));
        vm.assertFalse(may && _as(caller, abi.encodeCall(ledger.seal, (round))));
    }

    function testFuzz_propose(uint8 signers, bytes32 model, bytes32 root, uint24 first, uint16 time, bool other)
        public
    {
        uint64 round = _closed();
        IRoundLedger.Proposal memory proposal =
            IRoundLedger.Proposal(root, model, _scores(first % 9_000_000, 1_000_000));
        bytes[] memory attestations = _attest(round, proposal, signers % 5);
        if (other) proposal.modelHash = keccak256(abi.encode(model));
        vm.warp(vm.getBlockTimestamp() + time % 300);
        bool may = signers % 5 >= QUORUM && !other && time % 300 < PROPOSE_DEADLINE;
        vm.assertTrue(_as(STRANGER, abi.encodeCall(ledger.propose, (round, proposal, attestations))) == may);
        IRoundLedger.Round memory r = ledger.roundOf(round);
        vm.assertEq(r.evidenceRoot, may ? root : bytes32(0));
        vm.assertEq(ledger.scoreOf(round, 0), may ? first % 9_000_000 : 0);
    }

    function testFuzz_release(address caller, uint64 round, bool void) public {
        uint64 last = void ? _void() : _settled();
        round %= 3;
        uint256 before = ledger.reserved();
        bool may = void && round == last;
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.release, (round))) == may);
        vm.assertEq(ledger.reserved(), may ? 0 : before);
        vm.assertFalse(_as(caller, abi.encodeCall(ledger.release, (round))));
    }

    function testFuzz_claim(address caller, uint32 node, uint64 round, uint16 time) public {
        uint64 last = _proposed();
        vm.warp(vm.getBlockTimestamp() + time % 200);
        (node, round) = (node % 5, round % 3);
        bool may = node < NODES && round == last && time % 200 >= WINDOW;
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.claim, (node, _one(round)))) == may);
        vm.assertEq(token.totalSupply(), may ? ledger.rewardOf(round, node) : 0);
        if (may) vm.assertEq(token.balanceOf(_payout(node)), token.totalSupply());
        vm.assertFalse(_as(caller, abi.encodeCall(ledger.claim, (node, _one(round)))));
    }

    function testFuzz_claimScorer(address caller, uint256 i, uint64 round, uint16 time) public {
        uint64 last = _proposed();
        vm.warp(vm.getBlockTimestamp() + time % 200);
        (i, round) = (i % 5, round % 3);
        address scorer = i < 4 ? vm.addr(_scorerKey(i)) : STRANGER;
        bool may = i < QUORUM && round == last && time % 200 >= WINDOW;
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.claimScorer, (scorer, _one(round)))) == may);
        vm.assertEq(token.balanceOf(scorer), may ? SCORER_POOL / 3 : 0);
        vm.assertFalse(_as(caller, abi.encodeCall(ledger.claimScorer, (scorer, _one(round)))));
    }

    function testFuzz_announceAndEnact(
        uint256 choice,
        address other,
        bytes32 config,
        bytes32 task,
        uint32 time,
        bool same
    ) public {
        IGovernance.Terms memory terms = IGovernance.Terms(config, task, STRANGER, _scorers(1));
        address caller = _anyone(choice, other);
        bool announced = _as(caller, abi.encodeCall(ledger.announce, (terms)));
        vm.assertTrue(announced == (caller == ADMIN));
        vm.warp(vm.getBlockTimestamp() + time % 2 days);
        if (!same) terms.taskHash = keccak256(abi.encode(task));
        bool enacted = _as(other, abi.encodeCall(ledger.enact, (terms)));
        vm.assertTrue(enacted == (announced && same && time % 2 days >= 1 days));
        vm.assertTrue((ledger.configHash() == config) == (enacted || config == keccak256("config")));
        vm.assertEq(registry.aggregatorAt(1), enacted ? STRANGER : _aggregator());
    }

    function testFuzz_pauseAndUnpause(uint256 choice, address other, bool first) public {
        address caller = _anyone(choice, other);
        if (first) {
            vm.prank(GUARDIAN);
            ledger.pause();
        }
        bool paused = _as(caller, abi.encodeCall(ledger.pause, ()));
        vm.assertTrue(paused == (caller == GUARDIAN));
        vm.assertTrue(ledger.paused() == (first || paused));
        bool unpaused = _as(caller, abi.encodeCall(ledger.unpause, ()));
        vm.assertTrue(unpaused == (caller == ADMIN));
        vm.assertTrue(ledger.paused() == ((first || paused) && !unpaused));
    }

    function testFuzz_suspendDismissAnnul(uint256 choice, address other, uint64 round, uint16 time, bool court_)
        public
    {
        uint64 last = _proposed();
        vm.warp(vm.getBlockTimestamp() + time % 200);
        round %= 3;
        address caller = court_ ? address(court) : _anyone(choice, other);
        bool may = caller == address(court) && round == last && time % 200 < WINDOW;
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.suspend, (round))) == may);
        vm.assertEq(ledger.roundOf(last).openDisputes, may ? 1 : 0);
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.dismiss, (round))) == (caller == address(court)));
        vm.assertEq(ledger.roundOf(last).openDisputes, 0);
        uint256 before = _state(round);
        vm.assertTrue(_as(caller, abi.encodeCall(ledger.annul, (last))) == (caller == address(court)));
        bool annulled = caller == address(court) && time % 200 < WINDOW;
        vm.assertTrue((_state(last) == uint256(IRoundLedger.State.Void)) == annulled);
        if (round == 0) vm.assertEq(_state(0), before);
    }

    function testFuzz_mint(uint256 choice, address other, address to, uint128 amount) public {
        address caller = _anyone(choice, other);
        vm.assertFalse(_call(address(token), caller, abi.encodeCall(token.mint, (to, amount))));
        vm.assertEq(token.totalSupply(), 0);
    }
}
