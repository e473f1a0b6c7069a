// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title IContributionToken
/// @notice The federation's reward: an ERC-20 with permit (ERC-2612), 18 decimals and a cap, minted by the round ledger.
interface IContributionToken is IERC20Metadata, IERC20Permit {
    /// @notice Thrown when anybody else than the ledger mints.
    error NotTheLedger(address caller, address ledger);

    /// @notice Mints `amount` base units to `to`. Only the ledger may; at most `cap` exists at any time.
    /// @param to The receiving account.
    /// @param amount The amount in base units.
    function mint(address to, uint256 amount) external;

    /// @notice The ledger that alone may mint.
    function ledger() external view returns (address);

    /// @notice The highest supply there can ever be, in base units.
    function cap() external view returns (uint256);
}
