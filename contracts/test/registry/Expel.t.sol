// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// expel
// ├── for a round that is not Final, or before the node joined (again): reverts
// ├── by fewer than a quorum, or of another node: reverts
// ├── twice: reverts
// └── otherwise: out from the next round on, the stake unbonds, only an invitation brings it back
// joinOpen
// ├── a federation that is not open: reverts
// ├── less than stake and fee, or an expelled node: reverts
// └── otherwise: a member with the federation's sample bound, the fee is burned
contract ExpelTest is BaseTest {
    uint64 private round;

    function _openSamples() internal pure override returns (uint32) {
        return 77;
    }

    function setUp() public override {
        super.setUp();
        _joinMany(3);
        round = _settle("");
    }

    function _signed(uint32 node, uint64 round_, uint256 count)
        private
        view
        returns (TypedData.Expulsion memory expulsion, bytes[] memory signatures)
    {
        expulsion = TypedData.Expulsion(round_, node);
        signatures = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            signatures[i] = _sign(_scorerKey(i), TypedData.hash(expulsion));
        }
    }

    function _expel(uint32 node, uint64 round_, bytes memory reason) private {
        (TypedData.Expulsion memory expulsion, bytes[] memory signatures) = _signed(node, round_, 3);
        if (reason.length != 0) vm.expectRevert(reason);
        registry.expel(expulsion, signatures);
    }

    function test_expels() public {
        vm.expectEmit();
        emit INodeRegistry.NodeExpelled(1, round);
        _expel(1, round, "");
        vm.assertFalse(registry.eligible(1, round + 1));
        vm.assertTrue(registry.nodeOf(1).expelled);
        _expel(1, round, abi.encodeWithSelector(INodeRegistry.NodeIsExpelled.selector, 1));
        _wait(UNBONDING);
        registry.withdraw(1);
        vm.assertEq(_owner(1).balance, STAKE);
        vm.deal(_owner(1), STAKE + OPEN_FEE);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeIsExpelled.selector, 1));
        vm.prank(_owner(1));
        registry.joinOpen{value: STAKE + OPEN_FEE}(_key(1), _payout(1));
        _join(1);
        vm.assertFalse(registry.nodeOf(1).expelled);
        // What the scorers signed before does not hold against the new membership.
        uint64 last = ledger.lastRound();
        _expel(1, last, abi.encodeWithSelector(INodeRegistry.NotExpellable.selector, 1, last));
    }

    function test_whileLeaving_staysOut() public {
        vm.prank(_owner(1));
        registry.leaveFederation();
        uint40 until = registry.nodeOf(1).unbondingUntil;
        _wait(10);
        _expel(1, round, "");
        vm.assertEq(registry.nodeOf(1).unbondingUntil, until);
        vm.assertTrue(registry.nodeOf(1).expelled);
    }

    function test_ofARoundThatIsNotFinal() public {
        uint64 next = _openAndClose();
        _expel(1, next, abi.encodeWithSelector(INodeRegistry.NotExpellable.selector, 1, next));
        _expel(9, round, abi.encodeWithSelector(INodeRegistry.UnknownNode.selector, 9));
    }

    function test_withoutAQuorum() public {
        (TypedData.Expulsion memory expulsion, bytes[] memory signatures) = _signed(1, round, 2);
        vm.expectRevert(abi.encodeWithSelector(IOfficers.QuorumMissed.selector, 2, 3));
        registry.expel(expulsion, signatures);
        (, signatures) = _signed(1, round, 3);
        expulsion.node = 2;
        (bool success,) = address(registry).call(abi.encodeCall(registry.expel, (expulsion, signatures)));
        vm.assertFalse(success);
    }

    // ---------------------------------------------------------------------------------------------------- joinOpen

    function test_joinOpen() public {
        vm.deal(STRANGER, 2 * STAKE);
        vm.startPrank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(INodeRegistry.StakeTooLow.selector, STAKE + OPEN_FEE - 1, STAKE + OPEN_FEE)
        );
        registry.joinOpen{value: STAKE + OPEN_FEE - 1}(_key(9), _payout(9));
        uint32 node = registry.joinOpen{value: STAKE + OPEN_FEE}(_key(9), _payout(9));
        vm.stopPrank();
        vm.assertEq(registry.nodeOf(node).stake, STAKE);
        vm.assertEq(registry.nodeOf(node).maxSamples, 77);
        vm.assertEq(address(0).balance, OPEN_FEE);
        (uint256 fee, uint32 maxSamples) = registry.openTerms();
        vm.assertEq(fee, OPEN_FEE);
        vm.assertEq(maxSamples, 77);
    }
}

contract ClosedFederationTest is BaseTest {
    function test_joinOpen_needsAnInvitation() public {
        vm.deal(STRANGER, 2 * STAKE);
        vm.prank(STRANGER);
        vm.expectRevert(INodeRegistry.InvitationNeeded.selector);
        registry.joinOpen{value: 2 * STAKE}(_key(9), _payout(9));
    }
}
