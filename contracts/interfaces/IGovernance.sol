// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

/// @title IGovernance
/// @notice What the roles of a federation may do: announce a change for later rounds, which anybody enacts after a delay, and
/// pause the opening of rounds.
interface IGovernance is IAccessControl {
    /// @notice What the admin can change, for rounds opened later: announced first, enacted after a delay.
    /// @param configHash The hash of the federation's configuration.
    /// @param taskHash The hash of the task's sources.
    /// @param aggregator The account that opens and closes rounds.
    /// @param scorers The accounts whose attestations count.
    struct Terms {
        bytes32 configHash;
        bytes32 taskHash;
        address aggregator;
        address[] scorers;
    }

    /// @notice A change was announced; anybody can enact it from `enactableAt` on.
    event TermsAnnounced(Terms terms, uint40 enactableAt);

    /// @notice A change was enacted; it holds for rounds opened from now on.
    event TermsEnacted(bytes32 configHash, bytes32 taskHash, address indexed aggregator, address[] scorers);

    /// @notice No round opens until `Unpaused`; everything else goes on.
    event Paused(address indexed guardian);

    /// @notice Rounds open again.
    event Unpaused(address indexed admin);

    /// @notice Thrown when other terms are enacted than the ones announced.
    error NotAnnounced(bytes32 terms);

    /// @notice Thrown when terms are enacted before their time.
    error TooEarly(uint40 enactableAt);

    /// @notice Announces a change. Only the admin may; a new announcement replaces one that is not enacted.
    /// @return enactableAt When anybody can enact it: after the admin's delay, in seconds.
    function announce(Terms calldata terms) external returns (uint40 enactableAt);

    /// @notice Enacts the change that was announced, for rounds opened from now on. Anyone may, when it is time.
    function enact(Terms calldata terms) external;

    /// @notice Stops the opening of rounds, and nothing else. Only a guardian may.
    function pause() external;

    /// @notice Lets rounds open again. Only the admin may.
    function unpause() external;

    /// @notice The hash of the terms announced and not enacted, zero when there are none, and when they can be enacted.
    function announced() external view returns (bytes32 terms, uint40 enactableAt);

    /// @notice Whether no round may open.
    function paused() external view returns (bool);

    /// @notice The hash of the federation's configuration, for the next round.
    function configHash() external view returns (bytes32);

    /// @notice The hash of the task's sources, for the next round.
    function taskHash() external view returns (bytes32);

    /// @notice The role that may pause the opening of rounds.
    // forge-lint: disable-next-line(mixed-case-function)
    function GUARDIAN_ROLE() external view returns (bytes32);

    /// @notice The role whose signed invitations the registry accepts.
    // forge-lint: disable-next-line(mixed-case-function)
    function OPERATOR_ROLE() external view returns (bytes32);
}
