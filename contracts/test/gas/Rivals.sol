// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @notice The rival that pays every node in the round's own transaction.
contract MintLoop is ERC20("Loop", "LOOP") {
    function settle(address[] calldata nodes, uint256[] calldata amounts) external {
        for (uint256 i; i < nodes.length; ++i) {
            _mint(nodes[i], amounts[i]);
        }
    }
}

/// @notice The rival that stores a root of cumulative earnings and has every claim prove its part.
contract CumulativeRoot is ERC20("Root", "ROOT") {
    bytes32 public root;
    mapping(address account => uint256) public claimed;

    function settle(bytes32 root_) external {
        root = root_;
    }

    function claim(address account, uint256 cumulative, bytes32[] calldata proof) external {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
        require(MerkleProof.verifyCalldata(proof, root, leaf));
        uint256 amount = cumulative - claimed[account];
        claimed[account] = cumulative;
        _mint(account, amount);
    }
}
