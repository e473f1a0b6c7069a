// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

/// @notice Every function of the registry that changes anything, with any caller, argument, amount and time.
/// forge-config: default.fuzz.runs = 32
/// forge-config: soak.fuzz.runs = 2000
contract RegistryFuzzTest is CourtTest {
    uint32 private constant OPEN_SAMPLES = 50;

    function _openSamples() internal pure override returns (uint32) {
        return OPEN_SAMPLES;
    }

    function _as(address caller, uint256 value, bytes memory data) private returns (bool success) {
        vm.assume(caller != address(registry)); // whose balance `deal` would change
        vm.deal(caller, value);
        vm.prank(caller);
        (success,) = address(registry).call{value: value}(data);
    }

    /// @dev An account that has no part in anything yet, and takes coins.
    function _fresh(uint256 seed) private pure returns (address) {
        return vm.addr(1e18 + seed % 1e18);
    }

    function testFuzz_join(uint256 who, uint256 key, uint96 value, uint32 samples, uint32 time, uint8 field) public {
        address owner = _fresh(who);
        TypedData.Invitation memory invitation = _invitation(owner, samples);
        bytes memory signature = _signInvitation(field % 4 == 0 ? OPERATOR_KEY + 1 : OPERATOR_KEY, invitation);
        if (field % 4 == 1) invitation.maxSamples = samples ^ 1;
        address caller = field % 4 == 2 ? STRANGER : owner;
        vm.warp(vm.getBlockTimestamp() + time % 2 days);
        address signer =
            key % 3 == 0 ? _scorers(4)[0] : key % 3 == 1 ? vm.addr(_nodeKey(0)) : vm.addr(2e18 + key % 1e18);
        bool may = field % 4 == 3 && time % 2 days <= 1 days && value >= STAKE && key % 3 != 0;
        bytes memory data = abi.encodeCall(registry.join, (signer, _payout(9), invitation, signature));
        vm.assertTrue(_as(caller, value, data) == may);
        vm.assertEq(registry.nodeCount(), may ? NODES + 1 : NODES);
        vm.assertTrue(registry.invitationUsed(invitation.nonce) == may);
        if (may) vm.assertEq(registry.nodeOf(uint32(NODES)).stake, value);
        vm.assertEq(address(registry).balance, BONDS + AGGREGATOR_BOND + NODES * STAKE + (may ? value : 0));
    }

    function testFuzz_joinOpen(uint256 who, uint96 value, address payout) public {
        bytes memory data = abi.encodeCall(registry.joinOpen, (vm.addr(2e18 + who % 1e18), payout));
        uint256 burned = address(0).balance;
        bool may = value >= STAKE + OPEN_FEE && payout != address(0);
        vm.assertTrue(_as(_fresh(who), value, data) == may);
        if (!may) return;
        INodeRegistry.Node memory node = registry.nodeOf(uint32(NODES));
        vm.assertEq(node.stake, value - OPEN_FEE);
        vm.assertEq(node.maxSamples, OPEN_SAMPLES);
        vm.assertEq(node.payout, payout);
        vm.assertEq(address(0).balance, burned + OPEN_FEE);
    }

    function testFuzz_rotateKey(uint32 i, address newKey, bool left) public {
        address owner = _owner(i % 5);
        if (left && i % 5 < NODES) {
            vm.prank(owner);
            registry.leaveFederation();
        }
        bool free = newKey != address(0) && registry.scorersAt(1).length == 4;
        for (uint256 j; j < 4; ++j) {
            if (_scorers(4)[j] == newKey) free = false;
        }
        bool may = i % 5 < NODES && !left && free;
        vm.assertTrue(_as(owner, 0, abi.encodeCall(registry.rotateKey, (newKey))) == may);
        (address signer,) = registry.membershipAt(i % 5, 1);
        if (may) vm.assertEq(signer, newKey);
    }

    function testFuzz_setPayout(uint32 i, address payout) public {
        bool may = i % 5 < NODES && payout != address(0);
        vm.assertTrue(_as(_owner(i % 5), 0, abi.encodeCall(registry.setPayout, (payout))) == may);
        if (i % 5 < NODES) vm.assertEq(registry.payoutOf(i % 5), may ? payout : _payout(i % 5));
    }

    function testFuzz_leaveAndWithdraw(uint32 i, address anyone, uint40 time) public {
        i %= 5;
        bool left = _as(_owner(i), 0, abi.encodeCall(registry.leaveFederation, ()));
        vm.assertTrue(left == (i < NODES));
        vm.assertFalse(_as(_owner(i), 0, abi.encodeCall(registry.leaveFederation, ())));
        time %= 2 * UNBONDING;
        vm.warp(vm.getBlockTimestamp() + time);
        vm.assertFalse(registry.eligible(i, 1));
        bool withdrawn = _as(anyone, 0, abi.encodeCall(registry.withdraw, (i)));
        vm.assertTrue(withdrawn == (left && time >= UNBONDING));
        vm.assertEq(_owner(i).balance, withdrawn ? STAKE : 0);
    }

    function testFuzz_expel(uint32 node, uint8 signers, bool same, bool waited) public {
        uint64 round = _proposed();
        if (waited) _wait(WINDOW);
        node %= 5;
        TypedData.Expulsion memory expulsion = TypedData.Expulsion(round, node);
        bytes[] memory signatures = new bytes[](signers % 5);
        bytes32 signed = TypedData.hash(same ? expulsion : TypedData.Expulsion(round, node + 1));
        for (uint256 i; i < signatures.length; ++i) {
            signatures[i] = _sign(_scorerKey(i), signed);
        }
        bool may = node < NODES && waited && same && signers % 5 >= QUORUM;
        vm.assertTrue(_as(STRANGER, 0, abi.encodeCall(registry.expel, (expulsion, signatures))) == may);
        vm.assertTrue(node >= NODES || registry.nodeOf(node).expelled == may);
        vm.assertTrue(node >= NODES || registry.nodeOf(node).stake == STAKE);
        vm.assertTrue(registry.eligible(node, round + 1) == (node < NODES && !may));
    }

    function testFuzz_slashNode(address caller, uint32 node, bool court_) public {
        address beneficiary = STRANGER;
        node %= 5;
        caller = court_ ? address(court) : caller;
        bool may = caller == address(court) && node < NODES;
        vm.assertTrue(_as(caller, 0, abi.encodeCall(registry.slashNode, (node, beneficiary))) == may);
        vm.assertEq(registry.owed(beneficiary), may ? PROOF_FEE : 0);
        vm.assertEq(address(0).balance, may ? STAKE - PROOF_FEE : 0);
        vm.assertFalse(_as(caller, 0, abi.encodeCall(registry.slashNode, (node, beneficiary))));
    }

    function testFuzz_slashBond(address caller, uint256 i, bool wronged, bool court_) public {
        address account = i % 6 < 4 ? _scorers(4)[i % 6] : i % 6 == 4 ? _aggregator() : STRANGER;
        caller = court_ ? address(court) : caller;
        uint256 held = _held(account);
        bool may = caller == address(court);
        vm.assertTrue(_as(caller, 0, abi.encodeCall(registry.slashBond, (account, _owner(0), wronged))) == may);
        uint256 award = !may || held == 0 ? 0 : wronged ? held / 2 : PROOF_FEE;
        vm.assertEq(registry.owed(_owner(0)), award);
        vm.assertEq(_held(account), may ? 0 : held);
        vm.assertEq(address(0).balance, may ? held - award : 0);
    }

    function testFuzz_bond_depositUnbondWithdraw(uint256 i, uint96 value, uint40 time, bool exact) public {
        address account = i % 6 < 4 ? _scorers(4)[i % 6] : i % 6 == 4 ? _aggregator() : STRANGER;
        uint256 held = _held(account);
        vm.assertFalse(_as(account, value, abi.encodeCall(registry.depositBond, (account))));
        vm.assertTrue(_as(account, 0, abi.encodeCall(registry.unbond, ())) == (held > 0));
        vm.assertFalse(_as(account, 0, abi.encodeCall(registry.unbond, ())));
        time %= 2 * UNBONDING;
        vm.warp(vm.getBlockTimestamp() + time);
        bool withdrawn = _as(STRANGER, 0, abi.encodeCall(registry.withdrawBond, (account)));
        vm.assertTrue(withdrawn == (held > 0 && time >= UNBONDING));
        vm.assertEq(_held(account), withdrawn ? 0 : held);
        uint256 missing = withdrawn ? held : 0;
        uint256 sent = exact ? missing : value;
        bool back = _as(account, sent, abi.encodeCall(registry.depositBond, (account)));
        vm.assertTrue(back == (held > 0 && sent == missing));
        vm.assertEq(_held(account), withdrawn && !back ? 0 : held);
    }

    function testFuzz_creditAndCollect(address from, uint256 who, uint96 value, uint96 more) public {
        address account = _fresh(who);
        vm.assertTrue(_as(from, value, abi.encodeCall(registry.credit, (account))));
        vm.assertTrue(_as(from, more, abi.encodeCall(registry.credit, (account))));
        uint256 owed = uint256(value) + more;
        vm.assertEq(registry.owed(account), owed);
        vm.assertTrue(_as(from, 0, abi.encodeCall(registry.collect, (account))) == (owed > 0));
        vm.assertEq(account.balance, owed);
        vm.assertFalse(_as(from, 0, abi.encodeCall(registry.collect, (account))));
    }

    function testFuzz_appoint(address caller, uint8 count, bool ledger_) public {
        caller = ledger_ ? address(ledger) : caller;
        bool may = caller == address(ledger) && count % 40 % 3 == 1 && count % 40 <= 31;
        bytes memory data = abi.encodeCall(registry.appoint, (STRANGER, _scorers(count % 40)));
        vm.assertTrue(_as(caller, 0, data) == may);
        vm.assertEq(registry.scorersAt(1).length, may ? count % 40 : 4);
        vm.assertEq(registry.quorumAt(1), may ? (2 * (count % 40) + 1) / 3 : QUORUM);
    }
}
