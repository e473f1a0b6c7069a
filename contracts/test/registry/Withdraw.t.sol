// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice An owner that calls back when it is paid.
contract HostileOwner {
    NodeRegistry private immutable _registry;
    uint256 public calls;

    constructor(NodeRegistry registry) {
        _registry = registry;
    }

    function leaveFederation() external {
        _registry.leaveFederation();
    }

    receive() external payable {
        ++calls;
        _registry.withdraw(0);
    }
}

// withdraw
// ├── no such node: reverts
// ├── not leaving: reverts
// ├── a second before unbonding is over: reverts
// ├── when it is over: by anyone, the owner gets the whole stake
// ├── twice: reverts
// └── by an owner that calls back: reverts, and nothing is lost
contract WithdrawTest is BaseTest {
    function _leaveAfterJoining() private {
        _join(0);
        vm.prank(_owner(0));
        registry.leaveFederation();
    }

    function test_refused() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.UnknownNode.selector, 0));
        registry.withdraw(0);
        _join(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLeaving.selector, 0));
        registry.withdraw(0);
    }

    function test_atTheSecond() public {
        _leaveAfterJoining();
        uint40 until = registry.nodeOf(0).unbondingUntil;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.StakeLocked.selector, 0, until));
        registry.withdraw(0);

        vm.warp(until);
        vm.expectEmit();
        emit INodeRegistry.StakeWithdrawn(0, _owner(0), STAKE);
        vm.prank(STRANGER);
        registry.withdraw(0);
        vm.assertEq(_owner(0).balance, STAKE);
        vm.assertEq(address(registry).balance, BONDS + 0);
        vm.assertEq(registry.nodeOf(0).stake, 0);

        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLeaving.selector, 0));
        registry.withdraw(0);
    }

    function test_ofAnOwnerThatCallsBack() public {
        HostileOwner hostile = new HostileOwner(registry);
        _joinAs(address(hostile), _key(0), _payout(0));
        _join(1);
        hostile.leaveFederation();
        _wait(UNBONDING);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLeaving.selector, 0));
        registry.withdraw(0);
        vm.assertEq(address(registry).balance, BONDS + 2 * STAKE);
        vm.assertEq(registry.nodeOf(0).stake, STAKE);
        vm.assertEq(hostile.calls(), 0);
    }

    function test_ofAnOwnerThatTakesNoCoin() public {
        _joinAs(address(this), _key(0), _payout(0));
        registry.leaveFederation();
        _wait(UNBONDING);
        vm.expectRevert(Errors.FailedCall.selector);
        registry.withdraw(0);
        vm.assertEq(registry.nodeOf(0).stake, STAKE);
    }
}
