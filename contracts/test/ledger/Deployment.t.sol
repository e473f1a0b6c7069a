// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributionToken} from "../../ContributionToken.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {RoundLedger} from "../../RoundLedger.sol";
import {Court} from "../../Court.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {IFederation} from "../../interfaces/IFederation.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// constructor
// ├── token, registry or court names another ledger, or registry and court do not name each other: reverts
// ├── pool zero or no multiple of SCORE_TOTAL: reverts
// ├── a timing zero: reverts
// ├── no round, or more than 255, could be pending: reverts
// ├── the cap does not fit 128 bits: reverts
// ├── unbonding not longer than all timings of one round more than can be pending: reverts
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
        vm.assertEq(ledger.timing().graceTime, 30);
        vm.assertEq(ledger.timing().proposeTime, 50);
        vm.assertEq(ledger.timing().window, 100);
        vm.assertEq(ledger.timing().voteTime, 40);
        vm.assertEq(ledger.scorerPool(), SCORER_POOL);
        vm.assertEq(ledger.maxPending(), MAX_PENDING);
        vm.assertEq(ledger.court(), address(court));
        vm.assertEq(court.ledger(), address(ledger));
        vm.assertEq(court.registry(), address(registry));
        vm.assertEq(court.disputeBond(), DISPUTE_BOND);
        vm.assertFalse(ledger.paused());
        vm.assertTrue(ledger.hasRole(ledger.GUARDIAN_ROLE(), GUARDIAN));
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

    function test_namedByOthers() public {
        IFederation.Config memory config = _config(address(token), address(registry), address(court));
        vm.expectRevert(abi.encodeWithSelector(IFederation.WrongLedger.selector, address(token), address(ledger)));
        new RoundLedger(config);

        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        config.token = address(new ContributionToken("", "", CAP, next));
        vm.expectRevert(abi.encodeWithSelector(IFederation.WrongLedger.selector, address(registry), address(ledger)));
        new RoundLedger(config);

        next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        config.token = address(new ContributionToken("", "", CAP, next));
        config.registry = address(_newRegistry(next, STRANGER, _scorers(1)));
        vm.expectRevert(abi.encodeWithSelector(IFederation.WrongLedger.selector, address(court), address(ledger)));
        new RoundLedger(config);
    }

    function test_registryAndCourtNameOthers() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 3);
        IFederation.Config memory config = _config(
            address(new ContributionToken("", "", CAP, next)),
            address(_newRegistry(next, STRANGER, _scorers(1))),
            address(new Court(next, STRANGER, 1))
        );
        vm.expectRevert(abi.encodeWithSelector(IFederation.WrongCourt.selector, config.registry, STRANGER));
        new RoundLedger(config);

        next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 3);
        config.token = address(new ContributionToken("", "", CAP, next));
        config.court = address(new Court(next, STRANGER, 1));
        config.registry = address(_newRegistry(next, config.court, _scorers(1)));
        vm.expectRevert(abi.encodeWithSelector(IFederation.WrongRegistry.selector, config.court, STRANGER));
        new RoundLedger(config);
    }

    function testFuzz_pool(uint256 pool) public {
        vm.assume(pool == 0 || pool % SCORES != 0);
        IFederation.Config memory config = _valid();
        config.pool = pool;
        _refused(config, UNBONDING, CAP, abi.encodeWithSelector(IFederation.BadPool.selector, pool, SCORES));
    }

    function test_maxPending() public {
        uint256[2] memory bad = [uint256(0), 256];
        for (uint256 i; i < bad.length; ++i) {
            IFederation.Config memory config = _valid();
            config.maxPending = bad[i];
            _refused(config, UNBONDING, CAP, abi.encodeWithSelector(IFederation.BadMaxPending.selector, bad[i]));
        }
    }

    function test_cap() public {
        uint256 cap = uint256(type(uint128).max) + 1;
        _refused(_valid(), UNBONDING, cap, abi.encodeWithSelector(IFederation.CapTooLarge.selector, cap));
    }

    function test_timing_zero() public {
        for (uint256 i; i < 7; ++i) {
            uint40[7] memory t = [uint40(1), 1, 1, 1, 1, 1, 1];
            t[i] = 0;
            IFederation.Config memory config = _valid();
            config.timing = IFederation.Timing(t[0], t[1], t[2], t[3], t[4], t[5], t[6]);
            _refused(config, UNBONDING, CAP, abi.encodeWithSelector(IFederation.ZeroTiming.selector));
        }
    }

    function test_timing_longerThanUnbonding() public {
        uint40 minimum = UNBONDING - 1;
        _refused(
            _valid(),
            minimum,
            CAP,
            abi.encodeWithSelector(IFederation.UnbondingTooShort.selector, minimum, uint256(minimum))
        );
        uint40 most = type(uint40).max;
        IFederation.Config memory config = _valid();
        config.maxPending = 255;
        config.timing = IFederation.Timing(most, most, most, most, most, most, most);
        uint256 all = 256 * 9 * uint256(most);
        _refused(config, most, CAP, abi.encodeWithSelector(IFederation.UnbondingTooShort.selector, most, all));
    }

    function test_noDisputeBond() public {
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoDisputeBond.selector));
        new Court(address(ledger), address(registry), 0);
    }

    function _valid() private pure returns (IFederation.Config memory) {
        return _config(address(0), address(0), address(0));
    }

    function _refused(IFederation.Config memory config, uint40 unbonding, uint256 cap, bytes memory reason) private {
        address ledgerAddress;
        (config.token, config.registry, config.court, ledgerAddress) = _addresses();
        new ContributionToken("", "", cap, ledgerAddress);
        vm.deal(address(this), AGGREGATOR_BOND + SCORER_BOND);
        new NodeRegistry{value: AGGREGATOR_BOND + SCORER_BOND}(
            ledgerAddress, config.court, unbonding, _amounts(), 0, AGGREGATOR, _scorers(1)
        );
        new Court(ledgerAddress, config.registry, DISPUTE_BOND);
        vm.expectRevert(reason);
        new RoundLedger(config);
    }
}
