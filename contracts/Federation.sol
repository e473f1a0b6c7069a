// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IContributionToken} from "./interfaces/IContributionToken.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IFederation} from "./interfaces/IFederation.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title Federation
/// @notice What a federation is deployed with and keeps for ever: the half of the round ledger that never changes.
abstract contract Federation is IFederation {
    /// @inheritdoc IFederation
    uint256 public constant SCORE_TOTAL = ScoreVector.TOTAL;

    IContributionToken internal immutable _token;
    INodeRegistry internal immutable _registry;
    address internal immutable _court;
    uint256 internal immutable _cap;
    uint256 internal immutable _pool;
    uint256 internal immutable _scorerPool;
    uint256 internal immutable _maxPending;

    // A struct cannot be immutable.
    uint40 internal immutable _commitTime;
    uint40 internal immutable _closeTime;
    uint40 internal immutable _revealTime;
    uint40 internal immutable _graceTime;
    uint40 internal immutable _proposeTime;
    uint40 internal immutable _window;
    uint40 internal immutable _voteTime;

    /// @param config What the federation is deployed with. Token, registry and court exist already and name this contract.
    constructor(Config memory config) {
        _token = IContributionToken(config.token);
        _registry = INodeRegistry(config.registry);
        _court = config.court;
        if (_token.ledger() != address(this)) revert WrongLedger(config.token, _token.ledger());
        if (_registry.ledger() != address(this)) revert WrongLedger(config.registry, _registry.ledger());
        if (ICourt(_court).ledger() != address(this)) revert WrongLedger(_court, ICourt(_court).ledger());
        if (_registry.court() != _court) revert WrongCourt(config.registry, _registry.court());
        if (ICourt(_court).registry() != config.registry) revert WrongRegistry(_court, ICourt(_court).registry());
        if (config.pool == 0 || config.pool % SCORE_TOTAL != 0) revert BadPool(config.pool, SCORE_TOTAL);
        if (config.maxPending == 0 || config.maxPending > type(uint8).max) revert BadMaxPending(config.maxPending);
        _checkTiming(config.timing, config.maxPending, _registry.unbonding());
        _cap = _token.cap();
        if (_cap > type(uint128).max) revert CapTooLarge(_cap);
        _pool = config.pool;
        _scorerPool = config.scorerPool;
        _maxPending = config.maxPending;
        _commitTime = config.timing.commitTime;
        _closeTime = config.timing.closeTime;
        _revealTime = config.timing.revealTime;
        _graceTime = config.timing.graceTime;
        _proposeTime = config.timing.proposeTime;
        _window = config.timing.window;
        _voteTime = config.timing.voteTime;
    }

    /// @inheritdoc IFederation
    function federation() public view returns (bytes32) {
        return TypedData.domainSeparator(address(this));
    }

    /// @inheritdoc IFederation
    function pool() external view returns (uint256) {
        return _pool;
    }

    /// @inheritdoc IFederation
    function scorerPool() external view returns (uint256) {
        return _scorerPool;
    }

    /// @inheritdoc IFederation
    function maxPending() external view returns (uint256) {
        return _maxPending;
    }

    /// @inheritdoc IFederation
    function timing() external view returns (Timing memory) {
        return Timing(_commitTime, _closeTime, _revealTime, _graceTime, _proposeTime, _window, _voteTime);
    }

    /// @inheritdoc IFederation
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IFederation
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @inheritdoc IFederation
    function court() external view returns (address) {
        return _court;
    }

    /// @dev A stake must outlast all rounds that can be pending when its node leaves, and one more, whatever they wait for.
    /// Disputes are filed within the window and last three steps from then, however many there are.
    function _checkTiming(Timing memory t, uint256 pending, uint256 unbonding) private pure {
        if (
            t.commitTime == 0 || t.closeTime == 0 || t.revealTime == 0 || t.graceTime == 0 || t.proposeTime == 0
                || t.window == 0 || t.voteTime == 0
        ) {
            revert ZeroTiming();
        }
        uint256 round = uint256(t.commitTime) + t.closeTime + t.revealTime + t.graceTime + t.proposeTime + t.window + 3
            * uint256(t.voteTime);
        uint256 minimum = (pending + 1) * round;
        if (unbonding <= minimum) revert UnbondingTooShort(unbonding, minimum);
    }
}
