// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice Does at random what anybody may do, in any order and at any time; skips what is refused.
contract MoneyHandler is BaseTest {
    uint256 private constant NODES = 5;

    uint256 public claimedAmount;
    mapping(uint64 round => uint256) private _furthest;
    mapping(uint64 round => bytes32) private _finalAs;
    mapping(uint64 round => mapping(uint32 node => bool)) private _wasClaimed;
    uint256 private _rejoins;

    constructor() {
        setUp();
        _joinMany(NODES);
        _settle(_scores(1_000_000, 0)); // There is something to claim in every run.
    }

    /// @dev Looks at every round after every step; forge does not keep what an invariant writes.
    modifier watched() {
        _;
        _watch();
    }

    function leaveAnyTime(uint256 i) external watched {
        i %= NODES;
        if (registry.nodeOf(uint32(i)).signer == address(0)) return;
        vm.prank(_owner(i));
        registry.leaveFederation();
    }

    function withdrawAndRejoin(uint256 i, bool rejoin) external watched {
        i %= NODES;
        uint256 until = registry.nodeOf(uint32(i)).unbondingUntil;
        if (until == 0 || vm.getBlockTimestamp() < until) return;
        registry.withdraw(uint32(i));
        if (rejoin) _joinAs(_owner(i), _key(100 + ++_rejoins), _payout(i));
    }

    function wait(uint256 time) external watched {
        _wait(_clamp(time, 1, UNBONDING));
    }

    // What the court does, without the trouble of a fault.

    function suspend(uint256 choice) external watched {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        vm.prank(address(court));
        try ledger.suspend(round) {} catch {}
    }

    function dismiss(uint256 choice) external watched {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        if (ledger.roundOf(round).openDisputes == 0) return;
        vm.prank(address(court));
        ledger.dismiss(round);
    }

    function annul(uint256 choice) external watched {
        if (choice % 3 != 0) return;
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        if (ledger.stateOf(round) == IRoundLedger.State.None) return;
        vm.prank(address(court));
        ledger.annul(round);
    }

    function slashNode(uint256 i) external watched {
        vm.prank(address(court));
        try registry.slashNode(uint32(i % (NODES + 1)), STRANGER) {} catch {}
    }

    function slashBond(uint256 i, bool wronged) external watched {
        vm.prank(address(court));
        registry.slashBond(_official(i), _owner(i % NODES), wronged);
    }

    function unbondAndBack(uint256 i, uint256 choice) external watched {
        address account = _official(i);
        (uint256 held, uint40 until) = registry.bondOf(account);
        uint256 required = account == AGGREGATOR ? AGGREGATOR_BOND : SCORER_BOND;
        if (choice % 3 == 0) {
            vm.prank(account);
            try registry.unbond() {} catch {}
        } else if (until != 0 && vm.getBlockTimestamp() >= until) {
            registry.withdrawBond(account);
        } else if (held < required || until != 0) {
            vm.deal(account, required - held);
            vm.prank(account);
            registry.depositBond{value: required - held}(account);
        }
    }

    function collect(uint256 i) external watched {
        try registry.collect(i % 2 == 0 ? STRANGER : _owner(i % NODES)) {} catch {}
    }

    function _official(uint256 i) private pure returns (address) {
        return i % 5 == 4 ? AGGREGATOR : _scorers(4)[i % 5];
    }

    /// @dev Opens a round, however the last one stands.
    function open() external watched {
        if (_mayOpen()) _open();
    }

    /// @dev A whole round that pays, which single steps rarely reach.
    function settle(uint24 first, uint24 second) external watched {
        if (!_mayOpen()) return;
        first = uint24(_clamp(first, 0, SCORES));
        _settle(_scores(first, uint24(_clamp(second, 0, SCORES - first))));
    }

    /// @dev Moves the last round one state on.
    function advance(uint256 choice, uint24 first, uint24 second) external watched {
        uint64 round = ledger.lastRound();
        IRoundLedger.State state = ledger.stateOf(round);
        if (state == IRoundLedger.State.Open && choice % 8 == 0) {
            vm.prank(AGGREGATOR);
            ledger.abandon(round);
        } else if (state == IRoundLedger.State.Open) {
            _close(round);
            _mine(1);
        } else if (state == IRoundLedger.State.Closed) {
            first = uint24(_clamp(first, 0, SCORES));
            second = uint24(_clamp(second, 0, SCORES - first));
            _propose(round, choice % 4 == 0 ? bytes("") : _scores(first, second));
        } else if (state == IRoundLedger.State.Proposed) {
            _wait(WINDOW);
        }
    }

    function release(uint256 choice) external watched {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        try ledger.release(round) {} catch {}
    }

    function claim(uint256 i, uint256 choice) external watched {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        try ledger.claim(uint32(i % (NODES + 1)), _one(round)) returns (uint256 amount) {
            claimedAmount += amount;
        } catch {}
    }

    function _mayOpen() private returns (bool) {
        uint64 tip = ledger.tip();
        uint256 snapshot = vm.snapshotState();
        vm.prank(AGGREGATOR);
        (bool success,) = address(ledger).call(abi.encodeCall(ledger.open, (tip, SHARDS, ROOT_SET)));
        vm.revertToState(snapshot);
        return success && registry.bondedAt(ledger.lastRound() + 1) == 15;
    }

    // ------------------------------------------------------------------------------------------------------- laws

    function assertMoney() external view {
        uint256 promised;
        uint256 lastRound = ledger.lastRound();
        for (uint64 round = 1; round <= lastRound; ++round) {
            IRoundLedger.Round memory r = ledger.roundOf(round);
            if (!r.released) promised += RESERVED;
        }
        vm.assertEq(token.totalSupply(), claimedAmount);
        vm.assertEq(ledger.reserved(), promised);
        vm.assertLe(token.totalSupply(), ledger.reserved());
        vm.assertLe(ledger.reserved(), token.cap());
    }

    function assertEverythingClaimable() external {
        uint256 paying;
        uint64 lastRound = ledger.lastRound();
        for (uint64 round = 1; round <= lastRound; ++round) {
            if (ledger.stateOf(round) != IRoundLedger.State.Final || ledger.scoresOf(round).length == 0) continue;
            ++paying;
            for (uint32 node; node < NODES; ++node) {
                if (ledger.rewardOf(round, node) > 0 && !ledger.claimed(node, round)) ledger.claim(node, _one(round));
            }
        }
        vm.assertGt(paying, 0);
        vm.assertEq(token.totalSupply(), paying * POOL);
    }

    /// @dev What the registry holds is what it owes: stakes, bonds, and what proofs left to somebody.
    function assertHeldIsOwed() external view {
        uint256 owing = registry.owed(STRANGER);
        for (uint32 node; node < NODES; ++node) {
            owing += registry.nodeOf(node).stake + registry.owed(_owner(node));
        }
        for (uint256 i; i < 5; ++i) {
            (uint256 held,) = registry.bondOf(_official(i));
            owing += held;
        }
        vm.assertEq(address(registry).balance, owing);
        vm.assertEq(registry.nodeCount(), NODES);
    }

    /// @dev States go forward only, a Final round never changes, a Void parent has no Final child, at most MAX_PENDING rounds
    /// are pending, and what was claimed stays claimed.
    function _watch() private {
        uint256 pending;
        uint64 lastRound = ledger.lastRound();
        for (uint64 round = 1; round <= lastRound; ++round) {
            IRoundLedger.Round memory r = ledger.roundOf(round);
            uint256 state = uint256(r.state);
            vm.assertLe(_furthest[round], state);
            if (_furthest[round] >= uint256(IRoundLedger.State.Final)) vm.assertEq(_furthest[round], state);
            _furthest[round] = state;
            if (r.state == IRoundLedger.State.Final) {
                vm.assertTrue(ledger.stateOf(r.parent) == IRoundLedger.State.Final);
                r.released = false;
                bytes32 content = keccak256(abi.encode(r, ledger.scoresOf(round)));
                if (_finalAs[round] != 0) vm.assertEq(_finalAs[round], content);
                _finalAs[round] = content;
            } else if (r.state != IRoundLedger.State.Void) {
                ++pending;
            }
            for (uint32 node; node < NODES; ++node) {
                bool claimed = ledger.claimed(node, round);
                if (_wasClaimed[round][node]) vm.assertTrue(claimed);
                _wasClaimed[round][node] = claimed;
            }
        }
        vm.assertLe(pending, MAX_PENDING);
    }
}

// minted <= reserved <= cap, reserved = the pools of the rounds not released, minted = what claims returned
// the registry holds exactly the sum of stakes, bonds and what is owed
// states go forward, Final rounds never change, a Void parent has no Final child, claims stay
// at the end: once all is claimed, exactly one pool is minted for each Final round that pays
contract MoneyTest is BaseTest {
    MoneyHandler private handler;

    function setUp() public override {
        handler = new MoneyHandler();
        bytes4[] memory selectors = new bytes4[](15);
        selectors[0] = MoneyHandler.leaveAnyTime.selector;
        selectors[1] = MoneyHandler.withdrawAndRejoin.selector;
        selectors[2] = MoneyHandler.wait.selector;
        selectors[3] = MoneyHandler.open.selector;
        selectors[4] = MoneyHandler.advance.selector;
        selectors[5] = MoneyHandler.release.selector;
        selectors[6] = MoneyHandler.claim.selector;
        selectors[7] = MoneyHandler.settle.selector;
        selectors[8] = MoneyHandler.suspend.selector;
        selectors[9] = MoneyHandler.dismiss.selector;
        selectors[10] = MoneyHandler.annul.selector;
        selectors[11] = MoneyHandler.slashNode.selector;
        selectors[12] = MoneyHandler.slashBond.selector;
        selectors[13] = MoneyHandler.unbondAndBack.selector;
        selectors[14] = MoneyHandler.collect.selector;
        _target(address(handler), selectors);
    }

    function afterInvariant() public {
        handler.assertEverythingClaimable();
    }

    function invariant_money() public view {
        handler.assertMoney();
    }

    function invariant_heldIsOwed() public view {
        handler.assertHeldIsOwed();
    }
}
