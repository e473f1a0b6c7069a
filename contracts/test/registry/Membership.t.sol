// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// rotateKey
// ├── by nobody's owner: reverts
// ├── after leaving: reverts
// ├── to zero or a scorer's key: reverts
// ├── to a key that the node used before: works
// └── otherwise: signs from the next round on, the open one keeps the old key
// setPayout
// ├── by nobody's owner, or to zero: reverts
// └── otherwise, also after leaving: changes
// leaveFederation
// ├── by nobody's owner, or twice: reverts
// └── otherwise: not eligible from the next round on, still in the open one
// roster
// └── the eligible nodes, ascending, of any round for ever
contract MembershipTest is BaseTest {
    function _rotate(uint256 i, address key) private {
        vm.prank(_owner(i));
        registry.rotateKey(key);
    }

    function _leave(uint256 i) private {
        vm.prank(_owner(i));
        registry.leaveFederation();
    }

    function _signerIs(uint32 node, uint64 round, address signer) private view {
        (address actual,) = registry.membershipAt(node, round);
        vm.assertEq(actual, signer);
    }

    function test_rotateKey_fromTheNextRoundOn() public {
        _join(0);
        uint64 round = _open();
        vm.expectEmit();
        emit INodeRegistry.KeyRotated(0, _key(1), round + 1);
        _rotate(0, _key(1));
        _signerIs(0, round, _key(0));
        _signerIs(0, round + 1, _key(1));
        vm.assertEq(registry.nodeOf(0).signer, _key(1));
        vm.assertEq(registry.nodeOf(0).maxSamples, 100);
    }

    function test_rotateKey_back() public {
        _join(0);
        _rotate(0, _key(1));
        _rotate(0, _key(0));
        _signerIs(0, 1, _key(0));
    }

    function test_rotateKey_refused() public {
        _join(0);
        address scorer = _scorers(4)[1];
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotANode.selector, STRANGER));
        vm.prank(STRANGER);
        registry.rotateKey(_key(3));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadSigningKey.selector, address(0)));
        _rotate(0, address(0));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.ScorerCannotBeNode.selector, scorer));
        _rotate(0, scorer);
        _leave(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeHasLeft.selector, 0));
        _rotate(0, _key(3));
    }

    function test_setPayout() public {
        _join(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotANode.selector, STRANGER));
        vm.prank(STRANGER);
        registry.setPayout(STRANGER);
        vm.startPrank(_owner(0));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadPayout.selector, address(0)));
        registry.setPayout(address(0));
        registry.leaveFederation();
        vm.expectEmit();
        emit INodeRegistry.PayoutChanged(0, _payout(9));
        registry.setPayout(_payout(9));
        vm.assertEq(registry.payoutOf(0), _payout(9));
    }

    function test_leave_fromTheNextRoundOn() public {
        _join(0);
        uint64 round = _open();
        uint40 until = uint40(vm.getBlockTimestamp()) + UNBONDING;
        vm.expectEmit();
        emit INodeRegistry.NodeLeft(0, round + 1, until);
        _leave(0);
        vm.assertTrue(registry.eligible(0, round));
        vm.assertFalse(registry.eligible(0, round + 1));
        INodeRegistry.Node memory node = registry.nodeOf(0);
        vm.assertEq(node.unbondingUntil, until);
        vm.assertEq(node.stake, STAKE);
        vm.assertEq(node.signer, address(0));
        vm.assertEq(node.maxSamples, 0);
        vm.assertEq(node.owner, _owner(0));
    }

    function test_leave_refused() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotANode.selector, STRANGER));
        vm.prank(STRANGER);
        registry.leaveFederation();
        _join(0);
        _leave(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeHasLeft.selector, 0));
        _leave(0);
    }

    function test_leave_beforeItsFirstRound() public {
        _join(0);
        _leave(0);
        vm.assertFalse(registry.eligible(0, 1));
    }

    function test_unknown() public {
        vm.assertFalse(registry.eligible(0, 1));
        _signerIs(7, 1, address(0));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.UnknownNode.selector, 0));
        registry.nodeOf(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.UnknownNode.selector, 0));
        registry.payoutOf(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotANode.selector, STRANGER));
        registry.indexOf(STRANGER);
    }

    /// @dev Against a plain model: random changes between rounds; every round's roster, read at the end, is what it was
    /// when the round opened.
    function testFuzz_roster_isForEver(uint8[30] calldata moves) public {
        uint256 nodes = 4;
        _joinMany(nodes);
        address[] memory keys = new address[](nodes);
        for (uint256 i; i < nodes; ++i) {
            keys[i] = _key(i);
        }
        address[] memory kept = new address[](moves.length * nodes);
        uint64 rounds;
        for (uint256 m; m < moves.length; ++m) {
            uint256 i = (moves[m] >> 2) % nodes;
            uint256 move = moves[m] % 4;
            if (move == 0 && keys[i] != address(0)) {
                _leave(i);
                keys[i] = address(0);
            } else if (move == 1 && keys[i] != address(0)) {
                keys[i] = _key(100 + m);
                _rotate(i, keys[i]);
            } else if (move == 2 && keys[i] == address(0) && _isFree(i)) {
                registry.withdraw(uint32(i));
                keys[i] = _key(200 + m);
                _joinAs(_owner(i), keys[i], _payout(i));
            } else if (move == 3) {
                rounds = _void();
                ledger.release(rounds);
                for (uint256 n; n < nodes; ++n) {
                    kept[(rounds - 1) * nodes + n] = keys[n];
                }
                _wait(UNBONDING / 2);
            }
        }
        for (uint64 round = 1; round <= rounds; ++round) {
            _rosterIs(round, nodes, kept);
        }
    }

    function _isFree(uint256 i) private view returns (bool) {
        uint256 until = registry.nodeOf(uint32(i)).unbondingUntil;
        return until != 0 && vm.getBlockTimestamp() >= until;
    }

    function _rosterIs(uint64 round, uint256 nodes, address[] memory kept) private view {
        INodeRegistry.RosterEntry[] memory roster = registry.roster(round);
        uint256 found;
        for (uint32 n; n < nodes; ++n) {
            address signer = kept[(round - 1) * nodes + n];
            vm.assertTrue(registry.eligible(n, round) == (signer != address(0)));
            _signerIs(n, round, signer);
            if (signer == address(0)) continue;
            vm.assertEq(roster[found].node, n);
            vm.assertEq(roster[found].signer, signer);
            vm.assertEq(roster[found].maxSamples, 100);
            ++found;
        }
        vm.assertEq(roster.length, found);
    }
}
