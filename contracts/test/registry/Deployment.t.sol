// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeRegistry} from "../../NodeRegistry.sol";
import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// constructor
// ├── scorers not 3f + 1 between 1 and 31: reverts
// ├── a scorer zero or named twice: reverts
// └── otherwise: the scorers have their indices, the quorum is 2f + 1
contract RegistryDeploymentTest is BaseTest {
    function test_settings() public view {
        vm.assertEq(registry.ledger(), address(ledger));
        vm.assertEq(registry.minimumStake(), STAKE);
        vm.assertEq(registry.unbonding(), UNBONDING);
        vm.assertEq(registry.MAX_NODES(), 8191);
        vm.assertEq(registry.nodeCount(), 0);
    }

    function test_scorers_haveTheirIndices() public {
        address[] memory scorers = _scorers(4);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(registry.scorerIndex(scorers[i]), i);
        }
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotAScorer.selector, STRANGER));
        registry.scorerIndex(STRANGER);
    }

    function test_scorers_are3fPlus1AndTheQuorum2fPlus1() public {
        for (uint256 count; count <= 34; ++count) {
            address[] memory scorers = _scorers(count);
            if (count % 3 == 1 && count <= 31) {
                NodeRegistry fitting = new NodeRegistry(address(ledger), STAKE, UNBONDING, scorers);
                uint256 f = (count - 1) / 3;
                vm.assertEq(fitting.scorerCount(), 3 * f + 1);
                vm.assertEq(fitting.quorum(), 2 * f + 1);
            } else {
                vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadScorerCount.selector, count));
                new NodeRegistry(address(ledger), STAKE, UNBONDING, scorers);
            }
        }
    }

    function test_scorers_zeroOrTwice() public {
        address[] memory scorers = _scorers(4);
        scorers[3] = scorers[1];
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadScorer.selector, scorers[1]));
        new NodeRegistry(address(ledger), STAKE, UNBONDING, scorers);
        scorers[3] = address(0);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.BadScorer.selector, address(0)));
        new NodeRegistry(address(ledger), STAKE, UNBONDING, scorers);
    }
}
