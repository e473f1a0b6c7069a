// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IContributionToken} from "./interfaces/IContributionToken.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title Federation
/// @notice What a federation is deployed with and keeps for ever: the half of the round ledger that never changes.
abstract contract Federation is IRoundLedger {
    /// @inheritdoc IRoundLedger
    uint256 public constant SCORE_TOTAL = ScoreVector.TOTAL;

    IContributionToken internal immutable _token;
    INodeRegistry internal immutable _registry;
    bytes32 internal immutable _configHash;
    bytes32 internal immutable _taskHash;
    uint256 internal immutable _pool;

    /// @dev Written by the constructor only: a struct cannot be immutable, and one slot holds it.
    Timing internal _timing;

    /// @param config What the federation is deployed with. Token and registry exist already and name this contract.
    constructor(Config memory config) {
        _token = IContributionToken(config.token);
        _registry = INodeRegistry(config.registry);
        if (_token.ledger() != address(this)) revert WrongLedger(config.token, _token.ledger());
        if (_registry.ledger() != address(this)) revert WrongLedger(config.registry, _registry.ledger());
        if (config.pool == 0 || config.pool % SCORE_TOTAL != 0) revert BadPool(config.pool, SCORE_TOTAL);
        _checkTiming(config.timing, _registry.unbonding());
        _configHash = config.configHash;
        _taskHash = config.taskHash;
        _pool = config.pool;
        _timing = config.timing;
    }

    /// @inheritdoc IRoundLedger
    function federation() public view returns (bytes32) {
        return TypedData.domainSeparator(address(this));
    }

    /// @inheritdoc IRoundLedger
    function configHash() external view returns (bytes32) {
        return _configHash;
    }

    /// @inheritdoc IRoundLedger
    function taskHash() external view returns (bytes32) {
        return _taskHash;
    }

    /// @inheritdoc IRoundLedger
    function pool() external view returns (uint256) {
        return _pool;
    }

    /// @inheritdoc IRoundLedger
    function timing() external view returns (Timing memory) {
        return _timing;
    }

    /// @inheritdoc IRoundLedger
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IRoundLedger
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @dev A stake must outlast its node's last round and the one after, whatever they wait for.
    function _checkTiming(Timing memory t, uint256 unbonding) private pure {
        if (t.commitTime == 0 || t.closeTime == 0 || t.revealTime == 0 || t.proposeTime == 0 || t.window == 0) {
            revert ZeroTiming();
        }
        uint256 minimum = 2 * (uint256(t.commitTime) + t.closeTime + t.revealTime + t.proposeTime + t.window);
        if (unbonding <= minimum) revert UnbondingTooShort(unbonding, minimum);
    }
}
