// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributionToken} from "../../ContributionToken.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {RoundLedger} from "../../RoundLedger.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// constructor
// ├── token or registry names another ledger: reverts
// ├── pool zero or no multiple of SCORE_TOTAL: reverts
// ├── a timing zero: reverts
// ├── unbonding not longer than twice all timings: reverts
// └── otherwise: round 0 is Final with the genesis model, the roles are granted
contract LedgerDeploymentTest is BaseTest {
    function test_settings() public view {
        vm.assertEq(ledger.token(), address(token));
        vm.assertEq(ledger.registry(), address(registry));
        vm.assertEq(ledger.configHash(), keccak256("config"));
        vm.assertEq(ledger.taskHash(), keccak256("task"));
        vm.assertEq(ledger.pool(), POOL);
        vm.assertEq(ledger.reserved(), 0);
        vm.assertEq(ledger.SCORE_TOTAL(), SCORES);
        vm.assertEq(ledger.timing().commitTime, 100);
        vm.assertEq(ledger.timing().closeTime, 50);
        vm.assertEq(ledger.timing().revealTime, 200);
        vm.assertEq(ledger.timing().proposeTime, 50);
        vm.assertEq(ledger.timing().window, 100);
        vm.assertTrue(ledger.hasRole(ledger.AGGREGATOR_ROLE(), AGGREGATOR));
        vm.assertTrue(ledger.hasRole(ledger.OPERATOR_ROLE(), vm.addr(OPERATOR_KEY)));
        vm.assertEq(ledger.defaultAdmin(), ADMIN);
        vm.assertEq(ledger.defaultAdminDelay(), 1 days);
    }

    function test_genesis() public view {
        IRoundLedger.Round memory genesis = ledger.roundOf(0);
        _stateIs(0, IRoundLedger.State.Final);
        vm.assertEq(genesis.modelHash, GENESIS_MODEL);
        vm.assertEq(genesis.evidenceRoot, 0);
        vm.assertEq(genesis.scores, address(0));
        vm.assertEq(genesis.openedAt, vm.getBlockTimestamp());
        vm.assertEq(ledger.lastRound(), 0);
        vm.assertEq(ledger.latestFinal(), 0);
    }

    function test_federation_differsByChainAndLedger() public {
        bytes32 here = ledger.federation();
        vm.assertEq(here, TypedData.domainSeparator(address(ledger)));
        vm.assertTrue(here != TypedData.domainSeparator(address(registry)));
        vm.chainId(31_338);
        vm.assertTrue(here != ledger.federation());
    }

    function test_namedByAnotherLedger() public {
        IRoundLedger.Config memory config = _config(address(token), address(registry));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongLedger.selector, address(token), address(ledger)));
        new RoundLedger(config);

        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        config.token = address(new ContributionToken("", "", CAP, next));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongLedger.selector, address(registry), address(ledger)));
        new RoundLedger(config);
    }

    function testFuzz_pool(uint256 pool) public {
        vm.assume(pool == 0 || pool % SCORES != 0);
        _refused(pool, _timing(), UNBONDING, abi.encodeWithSelector(IRoundLedger.BadPool.selector, pool, SCORES));
    }

    function test_timing_zero() public {
        bytes memory reason = abi.encodeWithSelector(IRoundLedger.ZeroTiming.selector);
        _refused(POOL, IRoundLedger.Timing(0, 1, 1, 1, 1), UNBONDING, reason);
        _refused(POOL, IRoundLedger.Timing(1, 0, 1, 1, 1), UNBONDING, reason);
        _refused(POOL, IRoundLedger.Timing(1, 1, 0, 1, 1), UNBONDING, reason);
        _refused(POOL, IRoundLedger.Timing(1, 1, 1, 0, 1), UNBONDING, reason);
        _refused(POOL, IRoundLedger.Timing(1, 1, 1, 1, 0), UNBONDING, reason);
    }

    function test_timing_longerThanUnbonding() public {
        _refused(POOL, _timing(), 1000, abi.encodeWithSelector(IRoundLedger.UnbondingTooShort.selector, 1000, 1000));
        uint40 most = type(uint40).max;
        uint256 minimum = 10 * uint256(most);
        _refused(
            POOL,
            IRoundLedger.Timing(most, most, most, most, most),
            most,
            abi.encodeWithSelector(IRoundLedger.UnbondingTooShort.selector, most, minimum)
        );
    }

    function _timing() private pure returns (IRoundLedger.Timing memory) {
        return _config(address(0), address(0)).timing;
    }

    function _refused(uint256 pool, IRoundLedger.Timing memory timing, uint40 unbonding, bytes memory reason) private {
        (address tokenAddress, address registryAddress, address ledgerAddress) = _addresses();
        IRoundLedger.Config memory config = _config(tokenAddress, registryAddress);
        config.pool = pool;
        config.timing = timing;
        new ContributionToken("", "", CAP, ledgerAddress);
        new NodeRegistry(ledgerAddress, STAKE, unbonding, _scorers(1));
        vm.expectRevert(reason);
        new RoundLedger(config);
    }
}
