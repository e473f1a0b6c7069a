// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice Does at random what anybody may do, in any order and at any time; skips what is refused.
contract MoneyHandler is BaseTest {
    uint256 private constant NODES = 5;

    uint256 public claimedAmount;
    uint256 private _rejoins;

    constructor() {
        setUp();
        _joinMany(NODES);
        _settle(_scores(1_000_000, 0)); // There is something to claim in every run.
    }

    function leaveAnyTime(uint256 i) external {
        i %= NODES;
        if (registry.nodeOf(uint32(i)).signer == address(0)) return;
        vm.prank(_owner(i));
        registry.leaveFederation();
    }

    function withdrawAndRejoin(uint256 i, bool rejoin) external {
        i %= NODES;
        uint256 until = registry.nodeOf(uint32(i)).unbondingUntil;
        if (until == 0 || vm.getBlockTimestamp() < until) return;
        registry.withdraw(uint32(i));
        if (rejoin) _joinAs(_owner(i), _key(100 + ++_rejoins), _payout(i));
    }

    function wait(uint256 time) external {
        _wait(_clamp(time, 1, UNBONDING));
    }

    /// @dev Opens a round, however the last one stands.
    function open() external {
        if (_mayOpen()) _open();
    }

    /// @dev A whole round that pays, which single steps rarely reach.
    function settle(uint24 first, uint24 second) external {
        if (!_mayOpen()) return;
        first = uint24(_clamp(first, 0, SCORES));
        _settle(_scores(first, uint24(_clamp(second, 0, SCORES - first))));
    }

    /// @dev Moves the last round one state on.
    function advance(uint256 choice, uint24 first, uint24 second) external {
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

    function release(uint256 choice) external {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        try ledger.release(round) {} catch {}
    }

    function claim(uint256 i, uint256 choice) external {
        uint64 round = uint64(choice % (uint256(ledger.lastRound()) + 2));
        try ledger.claim(uint32(i % (NODES + 1)), _one(round)) returns (uint256 amount) {
            claimedAmount += amount;
        } catch {}
    }

    function _mayOpen() private view returns (bool) {
        IRoundLedger.State last = ledger.stateOf(ledger.lastRound());
        bool decided = last == IRoundLedger.State.Final || last == IRoundLedger.State.Void;
        return decided && ledger.reserved() + POOL <= CAP;
    }

    // ------------------------------------------------------------------------------------------------------- laws

    function assertMoney() external view {
        uint256 promised;
        uint256 lastRound = ledger.lastRound();
        for (uint64 round = 1; round <= lastRound; ++round) {
            IRoundLedger.Round memory r = ledger.roundOf(round);
            if (!r.released) promised += POOL;
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

    function assertStakes() external view {
        uint256 stakes;
        for (uint32 node; node < NODES; ++node) {
            stakes += registry.nodeOf(node).stake;
        }
        vm.assertEq(address(registry).balance, stakes);
        vm.assertEq(registry.nodeCount(), NODES);
    }
}

// minted <= reserved <= cap, reserved = the pools of the rounds not released, minted = what claims returned
// the registry holds exactly the sum of the stakes
// at the end: once all is claimed, exactly one pool is minted for each Final round that pays
contract MoneyTest is BaseTest {
    MoneyHandler private handler;

    function setUp() public override {
        handler = new MoneyHandler();
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = MoneyHandler.leaveAnyTime.selector;
        selectors[1] = MoneyHandler.withdrawAndRejoin.selector;
        selectors[2] = MoneyHandler.wait.selector;
        selectors[3] = MoneyHandler.open.selector;
        selectors[4] = MoneyHandler.advance.selector;
        selectors[5] = MoneyHandler.release.selector;
        selectors[6] = MoneyHandler.claim.selector;
        selectors[7] = MoneyHandler.settle.selector;
        _target(address(handler), selectors);
    }

    function afterInvariant() public {
        handler.assertEverythingClaimable();
    }

    function invariant_money() public view {
        handler.assertMoney();
    }

    function invariant_stakes() public view {
        handler.assertStakes();
    }
}
