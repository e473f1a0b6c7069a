// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBondRegistry} from "../../interfaces/IBondRegistry.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {ScoreVectorHarness} from "../ScoreVector.t.sol";
import {CourtTest} from "../utils/CourtTest.sol";

/// @notice Calls back whenever it gets coins.
contract Hostile {
    IBondRegistry private immutable _registry;
    bool public gotThrough;

    constructor(IBondRegistry registry_) {
        _registry = registry_;
    }

    function unbond() external {
        _registry.unbond();
    }

    receive() external payable {
        try _registry.collect(address(this)) {
            gotThrough = true;
        } catch {}
        try _registry.withdrawBond(address(this)) {
            gotThrough = true;
        } catch {}
    }
}

/// @notice Bugs that others had and pitfalls that books name, each once, by its name. `README.md` beside this says which are
/// tested elsewhere.
contract RegressionsTest is CourtTest {
    function test_Regression_reentrancy_ofCollectAndWithdrawBond() public {
        Hostile hostile = new Hostile(registry);
        vm.deal(address(this), 1 ether);
        registry.credit{value: 1 ether}(address(hostile));
        registry.collect(address(hostile));
        vm.assertFalse(hostile.gotThrough());
        vm.assertEq(address(hostile).balance, 1 ether);
        _appoint(address(hostile), _scorers(4));
        hostile.unbond();
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        registry.withdrawBond(address(hostile));
        vm.assertFalse(hostile.gotThrough());
        vm.assertEq(address(hostile).balance, 1 ether + AGGREGATOR_BOND);
    }

    function test_Regression_doubleClaim_acrossVoidRounds() public {
        uint64 first = _proposed();
        _wait(WINDOW);
        uint64 void = _open();
        _wait(COMMIT_DEADLINE);
        uint64 third = _proposed();
        _wait(WINDOW);
        uint64[] memory rounds = new uint64[](3);
        (rounds[0], rounds[1], rounds[2]) = (third, void, first);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NotFinal.selector, void));
        ledger.claim(0, rounds);
        rounds[1] = third;
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.AlreadyClaimed.selector, third));
        ledger.claim(0, rounds);
        rounds = new uint64[](2);
        (rounds[0], rounds[1]) = (third, first);
        vm.assertEq(ledger.claim(0, rounds), ledger.rewardOf(first, 0) + ledger.rewardOf(third, 0));
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRoundLedger.AlreadyClaimed.selector, rounds[i]));
            ledger.claim(0, _one(rounds[i]));
        }
    }

    /// @dev After a fork of the chain, or in another federation, the same leaves and receipts are nothing.
    function test_Regression_replay_acrossChainsAndContracts() public {
        uint64 round = _openWithUpdates();
        (TypedData.Update memory promised, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        TypedData.Update memory update = _update(round, 0);
        bytes memory signed = _signUpdate(update);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(1);
        bytes32[] memory others = _siblings(0);
        bytes32 here = Trees.updateLeaf(ledger.federation(), 0, update, signed);
        vm.chainId(4711);
        vm.assertTrue(Trees.updateLeaf(ledger.federation(), 0, update, signed) != here);
        vm.expectPartialRevert(ICourt.WrongSigner.selector);
        court.proveBrokenReceipt(promised, signature, receipt, updates[1], siblings, closeHash);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveForgedUpdate(round, 0, update, signed, others, closeHash);
    }

    /// @dev Prime Intellect: whoever saw another's work key first could hand it in as its own.
    function test_Regression_frontRun_ofACommitment() public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 1);
        bytes memory signature = _signUpdate(update);
        update.node = 2;
        vm.expectPartialRevert(IRoundLedger.NotTheNodesKey.selector);
        ledger.commit(update, signature);
        update.node = 1;
        vm.prank(STRANGER);
        ledger.commit(update, signature);
        vm.assertEq(ledger.commitOf(round, 1), updates[1]);
        vm.assertEq(ledger.commitOf(round, 2), 0);
    }

    /// @dev Prime Intellect: `delete x; emit E(x.amount)` told of zero.
    function test_Regression_eventAfterDelete_tellsTheAmount() public {
        vm.deal(address(this), 1 ether);
        registry.credit{value: 1 ether}(STRANGER);
        vm.expectEmit();
        emit IBondRegistry.Collected(STRANGER, 1 ether);
        registry.collect(STRANGER);
        vm.prank(address(court));
        vm.expectEmit();
        emit IBondRegistry.BondSlashed(_scorers(4)[0], SCORER_BOND, STRANGER, PROOF_FEE);
        registry.slashBond(_scorers(4)[0], STRANGER, false);
        vm.prank(_scorers(4)[1]);
        registry.unbond();
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        vm.expectEmit();
        emit IBondRegistry.BondWithdrawn(_scorers(4)[1], SCORER_BOND);
        registry.withdrawBond(_scorers(4)[1]);
        vm.prank(address(court));
        vm.expectEmit();
        emit INodeRegistry.StakeSlashed(0, STAKE, STRANGER, PROOF_FEE, 1);
        registry.slashNode(0, STRANGER);
    }

    /// @dev Psyche: slashing was noted and cost nothing.
    function test_Regression_slashing_reachesTheMoney() public {
        uint256 held = address(registry).balance;
        vm.startPrank(address(court));
        registry.slashNode(1, STRANGER);
        registry.slashBond(_aggregator(), STRANGER, true);
        vm.stopPrank();
        registry.collect(STRANGER);
        vm.assertEq(address(registry).balance, held - STAKE - AGGREGATOR_BOND);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLeaving.selector, 1));
        registry.withdraw(1);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NothingToUnbond.selector, _aggregator()));
        vm.prank(_aggregator());
        registry.unbond();
    }

    /// @dev Psyche, FELT and PrivateShapley: who called, or when, chose the random numbers.
    function test_Regression_seed_isTheSameWhoeverAsksWhenever() public {
        uint64 round = _closed();
        uint256 snapshot = vm.snapshotState();
        vm.prank(STRANGER);
        ledger.seal(round);
        bytes32 seed = ledger.roundOf(round).seed;
        vm.revertToState(snapshot);
        vm.roll(vm.getBlockNumber() + 200);
        vm.warp(vm.getBlockTimestamp() + 7);
        vm.prank(_aggregator());
        ledger.seal(round);
        vm.assertEq(ledger.roundOf(round).seed, seed);
    }

    /// @dev rl-swarm: old rounds took votes for ever. Morpho: a newer root restarted the timer.
    function test_Regression_proposal_isNeitherRepeatedNorReplaced() public {
        uint64 round = _proposed();
        IRoundLedger.Proposal memory other = _proposal(_scores(1, 2));
        bytes[] memory attestations = new bytes[](0);
        uint40 deadline = ledger.roundOf(round).deadline;
        for (uint256 i; i < 2; ++i) {
            vm.expectPartialRevert(IRoundLedger.WrongState.selector);
            ledger.propose(round, other, attestations);
            vm.assertEq(ledger.roundOf(round).deadline, deadline);
            _wait(WINDOW);
        }
    }

    /// @dev Gensyn's stage manager and FELT's silent nodes: rounds waited for somebody. Here every wait ends by itself.
    function test_Regression_stall_endsByItself() public {
        uint64 round = _open();
        _wait(COMMIT_DEADLINE);
        _stateIs(round, IRoundLedger.State.Void);
        round = _closed();
        _wait(PROPOSE_DEADLINE);
        _stateIs(round, IRoundLedger.State.Void);
        round = _proposed();
        _wait(WINDOW);
        _stateIs(round, IRoundLedger.State.Final);
    }

    /// @dev A round of the most nodes there can be is settled in one transaction below the cap of EIP-7825.
    function test_Regression_unboundedLoop_theMostScoresFitATransaction() public {
        ScoreVectorHarness harness = new ScoreVectorHarness();
        bytes memory most = new bytes(3 * 8191);
        for (uint256 i; i < 8191; ++i) {
            uint256 score = i == 0 ? SCORES - 8190 * 1220 : 1220;
            for (uint256 j; j < 3; ++j) {
                most[3 * i + j] = bytes1(uint8(score >> (16 - 8 * j)));
            }
        }
        uint256 before = gasleft();
        harness.write(most, 8191);
        // Calldata is 40 gas a byte at most (EIP-7623), and what `propose` does besides is below 200,000.
        vm.assertLe(before - gasleft() + 40 * most.length + 200_000, 1 << 24);
    }

    /// @dev Proxies of rivals could be replaced by one key. No contract here delegates, or can be destroyed.
    function test_Regression_upgrade_thereIsNone() public view {
        address[4] memory contracts = [address(token), address(registry), address(court), address(ledger)];
        for (uint256 i; i < contracts.length; ++i) {
            bytes memory code = contracts[i].code;
            for (uint256 at_; at_ < code.length; ++at_) {
                uint8 opcode = uint8(code[at_]);
                if (opcode >= 0x60 && opcode <= 0x7f) at_ += opcode - 0x5f; // PUSH and its data
                vm.assertTrue(opcode != 0xf2 && opcode != 0xf4 && opcode != 0xff); // CALLCODE, DELEGATECALL, SELFDESTRUCT
            }
        }
    }
}
