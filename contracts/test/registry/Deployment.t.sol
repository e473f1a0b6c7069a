// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BondRegistry} from "../../BondRegistry.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {IBondRegistry} from "../../interfaces/IBondRegistry.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// constructor
// ├── the first officers and their bonds: told by events, for round 1
// ├── scorers not 3f + 1 between 1 and 31: reverts
// ├── a scorer zero, named twice or the aggregator, or an aggregator zero: reverts
// ├── another value than the first bonds: reverts
// ├── a prover's fee above half of the least stake or bond: reverts
// └── otherwise: the scorers have their indices, the quorum is 2f + 1
contract RegistryDeploymentTest is BaseTest {
    function test_settings() public view {
        vm.assertEq(registry.ledger(), address(ledger));
        vm.assertEq(registry.minimumStake(), STAKE);
        vm.assertEq(registry.unbonding(), UNBONDING);
        vm.assertEq(registry.MAX_NODES(), 8191);
        vm.assertEq(registry.nodeCount(), 0);
    }

    /// @dev The first bonds count from the first round on, and the events say so.
    function test_firstBonds_areTold() public {
        address[] memory scorers = _scorers(4);
        vm.expectEmit();
        emit IOfficers.AggregatorAppointed(AGGREGATOR, 1);
        vm.expectEmit();
        emit IOfficers.ScorersAppointed(scorers, 1);
        vm.expectEmit();
        emit IBondRegistry.BondDeposited(AGGREGATOR, AGGREGATOR_BOND, 1);
        for (uint256 i; i < 4; ++i) {
            vm.expectEmit();
            emit IBondRegistry.BondDeposited(scorers[i], SCORER_BOND, 1);
        }
        _newRegistry(address(ledger), address(court), scorers);
    }

    function test_scorers_haveTheirIndices() public {
        address[] memory scorers = _scorers(4);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(registry.scorerIndexAt(1, scorers[i]), i);
        }
        vm.expectRevert(abi.encodeWithSelector(IOfficers.NotAScorer.selector, STRANGER));
        registry.scorerIndexAt(1, STRANGER);
    }

    function test_scorers_are3fPlus1AndTheQuorum2fPlus1() public {
        for (uint256 count; count <= 34; ++count) {
            address[] memory scorers = _scorers(count);
            if (count % 3 == 1 && count <= 31) {
                NodeRegistry fitting = _newRegistry(address(ledger), address(court), scorers);
                uint256 f = (count - 1) / 3;
                vm.assertEq(fitting.scorersAt(1).length, 3 * f + 1);
                vm.assertEq(fitting.quorumAt(1), 2 * f + 1);
                vm.assertEq(fitting.bondedAt(1), (uint256(1) << count) - 1);
            } else {
                _refused(scorers, abi.encodeWithSelector(IOfficers.BadScorerCount.selector, count));
            }
        }
    }

    function test_scorers_zeroOrTwice() public {
        address[] memory scorers = _scorers(4);
        scorers[3] = scorers[1];
        _refused(scorers, abi.encodeWithSelector(IOfficers.BadScorer.selector, scorers[1]));
        scorers[3] = address(0);
        _refused(scorers, abi.encodeWithSelector(IOfficers.BadScorer.selector, address(0)));
        scorers[3] = AGGREGATOR;
        _refused(scorers, abi.encodeWithSelector(IOfficers.BadScorer.selector, AGGREGATOR));
    }

    function test_aggregator_zero() public {
        vm.deal(address(this), AGGREGATOR_BOND + SCORER_BOND);
        vm.expectRevert(abi.encodeWithSelector(IOfficers.BadAggregator.selector, address(0)));
        new NodeRegistry{value: AGGREGATOR_BOND + SCORER_BOND}(
            address(ledger), address(court), UNBONDING, _amounts(), 0, address(0), _scorers(1)
        );
    }

    function test_firstBonds_notExactly() public {
        uint256 bonds = AGGREGATOR_BOND + SCORER_BOND;
        vm.deal(address(this), 2 * bonds);
        for (uint256 sent = bonds - 1; sent <= bonds + 1; sent += 2) {
            vm.expectRevert(abi.encodeWithSelector(IBondRegistry.WrongBond.selector, sent, bonds));
            new NodeRegistry{value: sent}(
                address(ledger), address(court), UNBONDING, _amounts(), 0, AGGREGATOR, _scorers(1)
            );
        }
    }

    function test_proofFee_wouldPayTheAccused() public {
        BondRegistry.Amounts memory amounts = _amounts();
        amounts.proofFee = STAKE / 2 + 1;
        vm.deal(address(this), AGGREGATOR_BOND + SCORER_BOND);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.ProofFeeTooHigh.selector, STAKE / 2 + 1, STAKE / 2));
        new NodeRegistry{value: AGGREGATOR_BOND + SCORER_BOND}(
            address(ledger), address(court), UNBONDING, amounts, 0, AGGREGATOR, _scorers(1)
        );
    }

    function _refused(address[] memory scorers, bytes memory reason) private {
        uint256 bonds = AGGREGATOR_BOND + scorers.length * SCORER_BOND;
        vm.deal(address(this), bonds);
        vm.expectRevert(reason);
        new NodeRegistry{value: bonds}(address(ledger), address(court), UNBONDING, _amounts(), 0, AGGREGATOR, scorers);
    }
}
