// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {BondRegistry} from "../../BondRegistry.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// join
// ├── the invitation
// │   ├── for another owner: reverts
// │   ├── at its deadline: joins; a second later: reverts
// │   ├── used before, also by the same owner: reverts
// │   ├── signed by nobody of the operators, any more, or for another chain: reverts
// │   └── changed after it was signed, or signed malleably: reverts
// ├── the stake is below the minimum: reverts
// ├── the signing key is zero or a scorer's: reverts; another node's: joins
// ├── the payout is zero: reverts
// ├── the owner
// │   ├── is a scorer: reverts
// │   ├── has a node that did not leave, or did not withdraw: reverts
// │   └── left and withdrew: joins again with its old index
// ├── all indices are taken: reverts
// └── otherwise: the next index, eligible from the next round on
contract JoinTest is BaseTest {
    TypedData.Invitation private invitation;
    bytes private signature;

    function setUp() public override {
        super.setUp();
        invitation = _invitation(_owner(0), 100);
        signature = _signInvitation(OPERATOR_KEY, invitation);
    }

    function _use() private returns (uint32) {
        return _useWith(STAKE, _key(0), _payout(0));
    }

    function _useWith(uint256 stake, address key, address payout) private returns (uint32) {
        vm.deal(_owner(0), stake);
        vm.prank(_owner(0));
        return registry.join{value: stake}(key, payout, invitation, signature);
    }

    function _useRefused(bytes memory reason) private {
        vm.deal(_owner(0), STAKE);
        vm.expectRevert(reason);
        vm.prank(_owner(0));
        registry.join{value: STAKE}(_key(0), _payout(0), invitation, signature);
    }

    function test_seatsTheNode() public {
        vm.expectEmit();
        emit INodeRegistry.NodeJoined(0, _owner(0), _key(0), _payout(0), 2 * STAKE, 100, invitation.nonce, 1);
        vm.assertEq(_useWith(2 * STAKE, _key(0), _payout(0)), 0);

        INodeRegistry.Node memory node = registry.nodeOf(0);
        vm.assertEq(node.owner, _owner(0));
        vm.assertEq(node.payout, _payout(0));
        vm.assertEq(node.stake, 2 * STAKE);
        vm.assertEq(node.unbondingUntil, 0);
        vm.assertEq(node.signer, _key(0));
        vm.assertEq(node.maxSamples, 100);
        vm.assertEq(registry.payoutOf(0), _payout(0));
        vm.assertEq(registry.indexOf(_owner(0)), 0);
        vm.assertEq(registry.nodeCount(), 1);
        vm.assertEq(address(registry).balance, BONDS + 2 * STAKE);
        vm.assertTrue(registry.invitationUsed(invitation.nonce));
        vm.assertEq(_join(1), 1);
    }

    function test_eligibleFromTheNextRoundOn() public {
        uint64 round = _open();
        _use();
        vm.assertFalse(registry.eligible(0, round));
        vm.assertEq(registry.roster(round).length, 0);
        vm.assertTrue(registry.eligible(0, round + 1));
    }

    function test_invitation_forAnotherOwner() public {
        vm.deal(STRANGER, STAKE);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotTheInvited.selector, STRANGER, _owner(0)));
        registry.join{value: STAKE}(_key(0), _payout(0), invitation, signature);
    }

    function test_invitation_atItsDeadline() public {
        vm.warp(invitation.deadline);
        _use();
    }

    function test_invitation_afterItsDeadline() public {
        vm.warp(uint256(invitation.deadline) + 1);
        _useRefused(abi.encodeWithSelector(INodeRegistry.InvitationExpired.selector, invitation.deadline));
    }

    function test_invitation_usedBefore() public {
        _use();
        vm.prank(_owner(0));
        registry.leaveFederation();
        _wait(UNBONDING);
        registry.withdraw(0);
        _useRefused(abi.encodeWithSelector(INodeRegistry.InvitationUsed.selector, invitation.nonce));
    }

    function test_invitation_nonceOfAnotherOwnersInvitation() public {
        _use();
        TypedData.Invitation memory second = _invitation(_owner(1), 100);
        second.nonce = invitation.nonce;
        bytes memory signed = _signInvitation(OPERATOR_KEY, second);
        vm.deal(_owner(1), STAKE);
        vm.prank(_owner(1));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.InvitationUsed.selector, invitation.nonce));
        registry.join{value: STAKE}(_key(1), _payout(1), second, signed);
    }

    function test_invitation_notSignedByAnOperator() public {
        signature = _signInvitation(0xbad, invitation);
        _useRefused(abi.encodeWithSelector(INodeRegistry.NotAnOperator.selector, vm.addr(0xbad)));
    }

    function test_invitation_ofARevokedOperator() public {
        bytes32 role = ledger.OPERATOR_ROLE();
        vm.prank(ADMIN);
        ledger.revokeRole(role, vm.addr(OPERATOR_KEY));
        _useRefused(abi.encodeWithSelector(INodeRegistry.NotAnOperator.selector, vm.addr(OPERATOR_KEY)));
    }

    function test_invitation_ofANewOperator() public {
        bytes32 role = ledger.OPERATOR_ROLE();
        vm.prank(ADMIN);
        ledger.grantRole(role, vm.addr(0xbad));
        signature = _signInvitation(0xbad, invitation);
        _use();
    }

    function test_invitation_forAnotherChain() public {
        vm.chainId(31_338);
        vm.deal(_owner(0), STAKE);
        vm.prank(_owner(0));
        vm.expectPartialRevert(INodeRegistry.NotAnOperator.selector);
        registry.join{value: STAKE}(_key(0), _payout(0), invitation, signature);
    }

    function test_invitation_changed() public {
        invitation.maxSamples = 101;
        vm.deal(_owner(0), STAKE);
        vm.prank(_owner(0));
        vm.expectPartialRevert(INodeRegistry.NotAnOperator.selector);
        registry.join{value: STAKE}(_key(0), _payout(0), invitation, signature);
    }

    function test_invitation_signedMalleably() public {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parse(signature);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 mirrored = bytes32(order - uint256(s));
        signature = abi.encodePacked(r, mirrored, v == 27 ? uint8(28) : uint8(27));
        _useRefused(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, mirrored));
    }

    function test_invitation_signatureCutShort() public {
        signature.pop();
        _useRefused(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
    }

    function testFuzz_stake_belowTheMinimum(uint256 stake) public {
        stake = _clamp(stake, 0, STAKE - 1);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.StakeTooLow.selector, stake, STAKE));
        _useWith(stake, _key(0), _payout(0));
    }

    function test_signingKey_zero() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadSigningKey.selector, address(0)));
        _useWith(STAKE, address(0), _payout(0));
    }

    function test_signingKey_ofAScorer() public {
        address scorer = _scorers(4)[2];
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.ScorerCannotBeNode.selector, scorer));
        _useWith(STAKE, scorer, _payout(0));
    }

    /// @dev Whoever enters a key in front of the node that has it keeps it from nothing.
    function test_signingKey_ofAnotherNode() public {
        uint32 other = _join(1);
        vm.prank(_owner(1));
        registry.rotateKey(_key(0));
        uint32 node = _use();
        uint64 round = _open();
        (address signer,) = registry.membershipAt(node, round);
        vm.assertEq(signer, _key(0));
        (signer,) = registry.membershipAt(other, round);
        vm.assertEq(signer, _key(0));
    }

    function test_payout_zero() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadPayout.selector, address(0)));
        _useWith(STAKE, _key(0), address(0));
    }

    function test_owner_isAScorer() public {
        address scorer = _scorers(4)[0];
        invitation.owner = scorer;
        signature = _signInvitation(OPERATOR_KEY, invitation);
        vm.deal(scorer, STAKE);
        vm.prank(scorer);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.ScorerCannotBeNode.selector, scorer));
        registry.join{value: STAKE}(_key(0), _payout(0), invitation, signature);
    }

    function test_owner_joinedAlready() public {
        uint32 other = _join(1);
        uint32 node = _join(0);
        vm.assertEq(other, 0);
        _useRefused(abi.encodeWithSelector(INodeRegistry.AlreadyJoined.selector, node));
    }

    function test_owner_leftButDidNotWithdraw() public {
        uint32 node = _join(0);
        vm.prank(_owner(0));
        registry.leaveFederation();
        _wait(UNBONDING);
        _useRefused(abi.encodeWithSelector(INodeRegistry.AlreadyJoined.selector, node));
    }

    function test_owner_joinsAgainWithItsOldIndex() public {
        _join(1);
        uint32 node = _join(0);
        uint64 first = _settle("");
        vm.prank(_owner(0));
        registry.leaveFederation();
        uint64 without = _settle("");
        _wait(UNBONDING);
        registry.withdraw(node);

        vm.assertEq(_useWith(STAKE, _key(3), _payout(3)), node);
        uint64 again = _open();
        vm.assertEq(registry.nodeCount(), 2);
        vm.assertEq(registry.nodeOf(node).stake, STAKE);
        vm.assertEq(registry.payoutOf(node), _payout(3));
        vm.assertTrue(registry.eligible(node, first));
        vm.assertFalse(registry.eligible(node, without));
        vm.assertTrue(registry.eligible(node, again));
        (address signer,) = registry.membershipAt(node, first);
        vm.assertEq(signer, _key(0));
        (signer,) = registry.membershipAt(node, again);
        vm.assertEq(signer, _key(3));
    }

    function test_allIndicesTaken() public {
        for (uint256 i = 1; i <= 8191; ++i) {
            _join(i);
        }
        vm.assertEq(registry.nodeCount(), 8191);
        _useRefused(abi.encodeWithSelector(INodeRegistry.RegistryFull.selector, 8191));
    }

    function test_withoutMinimumStake_aNodeJoinsOnce() public {
        BondRegistry.Amounts memory nothing;
        NodeRegistry free =
            new NodeRegistry(address(ledger), address(court), UNBONDING, nothing, 0, AGGREGATOR, _scorers(1));
        vm.prank(_owner(0));
        free.join(_key(0), _payout(0), invitation, signature);
        TypedData.Invitation memory second = _invitation(_owner(0), 100);
        bytes memory signed = _signInvitation(OPERATOR_KEY, second);
        vm.prank(_owner(0));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.AlreadyJoined.selector, 0));
        free.join(_key(0), _payout(0), second, signed);
    }
}
