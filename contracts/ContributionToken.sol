// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IContributionToken} from "./interfaces/IContributionToken.sol";

/// @title ContributionToken
/// @notice What nodes earn. Without owner, pause or any other way in than the ledger's `mint`.
contract ContributionToken is IContributionToken, ERC20Capped, ERC20Permit {
    address private immutable _ledger;

    /// @param name_ The token's name.
    /// @param symbol_ The token's symbol.
    /// @param cap_ The highest supply there can ever be, in base units.
    /// @param ledger_ The round ledger, deployed after this contract; its constructor checks that it is named here.
    constructor(string memory name_, string memory symbol_, uint256 cap_, address ledger_)
        ERC20(name_, symbol_)
        ERC20Capped(cap_)
        ERC20Permit(name_)
    {
        // The ledger's constructor checks that the token names it, so a wrong address is a token that nobody uses.
        // slither-disable-next-line missing-zero-check
        _ledger = ledger_;
    }

    /// @inheritdoc IContributionToken
    function mint(address to, uint256 amount) external {
        if (msg.sender != _ledger) revert NotTheLedger(msg.sender, _ledger);
        _mint(to, amount);
    }

    /// @inheritdoc IContributionToken
    function ledger() external view returns (address) {
        return _ledger;
    }

    /// @inheritdoc IContributionToken
    function cap() public view override(IContributionToken, ERC20Capped) returns (uint256) {
        return super.cap();
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Capped) {
        super._update(from, to, value);
    }
}
