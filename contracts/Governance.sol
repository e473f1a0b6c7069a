// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IGovernance} from "./interfaces/IGovernance.sol";
import {Rounds} from "./Rounds.sol";

/// @title Governance
/// @notice What the roles of a federation may do: announce a change for later rounds, and pause the opening of rounds.
/// @dev Nothing here reaches a round that is open, a score, a claim, a stake or a bond.
abstract contract Governance is Rounds, AccessControlDefaultAdminRules {
    /// @inheritdoc IGovernance
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @inheritdoc IGovernance
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    // ---------------------------------------------------------------------------------------------------- storage

    bytes32 internal _configHash;
    bytes32 internal _taskHash;
    bytes32 private _announced;
    uint40 private _enactableAt;

    /// @param config What the federation is deployed with.
    constructor(Config memory config) AccessControlDefaultAdminRules(config.adminDelay, config.admin) {
        _grantRole(OPERATOR_ROLE, config.operator);
        _grantRole(GUARDIAN_ROLE, config.guardian);
        _configHash = config.configHash;
        _taskHash = config.taskHash;
    }

    /// @inheritdoc IGovernance
    function announce(Terms calldata terms) external onlyRole(DEFAULT_ADMIN_ROLE) returns (uint40 enactableAt) {
        enactableAt = _now() + SafeCast.toUint40(defaultAdminDelay());
        _announced = keccak256(abi.encode(terms));
        _enactableAt = enactableAt;
        emit TermsAnnounced(terms, enactableAt);
    }

    /// @inheritdoc IGovernance
    function enact(Terms calldata terms) external {
        bytes32 hashed = keccak256(abi.encode(terms));
        if (hashed != _announced) revert NotAnnounced(hashed);
        if (block.timestamp < _enactableAt) revert TooEarly(_enactableAt);
        _announced = 0;
        _enactableAt = 0;
        _configHash = terms.configHash;
        _taskHash = terms.taskHash;
        emit TermsEnacted(terms.configHash, terms.taskHash, terms.aggregator, terms.scorers);
        _registry.appoint(terms.aggregator, terms.scorers);
    }

    /// @inheritdoc IGovernance
    function pause() external onlyRole(GUARDIAN_ROLE) {
        _paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IGovernance
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _paused = false;
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IGovernance
    function announced() external view returns (bytes32 terms, uint40 enactableAt) {
        return (_announced, _enactableAt);
    }

    /// @inheritdoc IGovernance
    function paused() external view returns (bool) {
        return _paused;
    }

    /// @inheritdoc IGovernance
    function configHash() external view returns (bytes32) {
        return _configHash;
    }

    /// @inheritdoc IGovernance
    function taskHash() external view returns (bytes32) {
        return _taskHash;
    }

    function _now() internal view returns (uint40) {
        return SafeCast.toUint40(block.timestamp);
    }
}
