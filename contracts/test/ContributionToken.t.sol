// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ContributionToken} from "../ContributionToken.sol";
import {IContributionToken} from "../interfaces/IContributionToken.sol";
import {Test} from "./utils/Test.sol";

// mint
// ├── by anybody else than the ledger: reverts
// └── by the ledger
//     ├── up to the cap: mints
//     └── beyond the cap: reverts
// permit
// └── signed by the holder: sets the allowance, once
contract ContributionTokenTest is Test {
    uint256 private constant CAP = 100;
    address private constant LEDGER = address(0x1ed9e7);

    ContributionToken private token;

    function setUp() public {
        token = new ContributionToken("Contribution", "CON", CAP, LEDGER);
    }

    function test_describesItself() public view {
        vm.assertEq(token.name(), "Contribution");
        vm.assertEq(token.symbol(), "CON");
        vm.assertEq(token.decimals(), 18);
        vm.assertEq(token.cap(), CAP);
        vm.assertEq(token.ledger(), LEDGER);
    }

    function testFuzz_mint_onlyByTheLedger(address caller) public {
        vm.assume(caller != LEDGER);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IContributionToken.NotTheLedger.selector, caller, LEDGER));
        token.mint(caller, 1);
    }

    function test_mint_upToTheCap() public {
        vm.startPrank(LEDGER);
        token.mint(address(1), CAP);
        vm.assertEq(token.balanceOf(address(1)), CAP);
        vm.expectRevert(abi.encodeWithSelector(ERC20Capped.ERC20ExceededCap.selector, CAP + 1, CAP));
        token.mint(address(1), 1);
    }

    function test_permit_setsTheAllowanceOnce() public {
        address holder = vm.addr(7);
        uint256 deadline = block.timestamp;
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, holder, LEDGER, 5, 0, deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(7, digest);

        token.permit(holder, LEDGER, 5, deadline, v, r, s);
        vm.assertEq(token.allowance(holder, LEDGER), 5);
        vm.assertEq(token.nonces(holder), 1);

        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        token.permit(holder, LEDGER, 5, deadline, v, r, s);
    }
}
