// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

interface GasVm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory gas);
}

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

/// @notice What every step of a round costs. Run with `--isolate`, so that each call is a transaction of its own and costs
/// what a transaction does; `bench/gas.py` reads the events.
/// @dev One scorer, one attestation. The round measured follows others, so that no counter or balance is zero.
contract GasTest is CourtTest {
    event Measured(string step, uint256 nodes, uint256 gas);

    function _measured(string memory step, uint256 nodes) private {
        emit Measured(step, nodes, GasVm(address(vm)).lastCallGas().gasTotalUsed);
    }

    function setUp() public override {
        super.setUp();
        address[] memory one = new address[](1);
        one[0] = vm.addr(_scorerKey(0));
        _appoint(vm.addr(AGGREGATOR_KEY), one);
    }

    function test_measure10() public {
        _measure(10);
    }

    function test_measure100() public {
        _measure(100);
    }

    function test_measure1000() public {
        _measure(1000);
    }

    function test_measure5000() public {
        _measure(5000);
    }

    function _measure(uint256 nodes) private {
        for (uint256 i = NODES; i < nodes; ++i) {
            _joinAs(_owner(i), _key(i), _payout(i));
        }
        bytes memory vector = _vector(nodes);
        uint64 before = _settleWith(vector);
        ledger.claim(0, _one(before));

        uint64 round = _open();
        _measured("open", nodes);
        delete updates;
        for (uint32 node; node < NODES; ++node) {
            updates.push(_leafOf(_update(round, node)));
        }
        TypedData.Update memory update = _update(round, 1);
        bytes memory signed = _signUpdate(update);
        ledger.commit(update, signed);
        _measured("commit", nodes);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        (updateRoot,) = _tree(updates, 0, 13);
        vm.prank(_aggregator());
        ledger.close(round, updateRoot, 1);
        _measured("close", nodes);
        _mine(1);
        closeHash = blockhash(vm.getBlockNumber() - 1);
        _proofsOfTheUpdateTree(round, nodes);
        _honestOutcome(round);
        scores = vector;
        uint256 snapshot = vm.snapshotState();
        ledger.seal(round);
        _measured("seal", nodes);
        vm.revertToState(snapshot);
        _proposeWith(round);
        _measured("propose", nodes);
        _court(round, nodes);
        _wait(WINDOW);
        ledger.claim(0, _one(round));
        _measured("claim", nodes);
        _rivals(nodes);
    }

    /// @dev Scores that all have three non-zero bytes, which cost most.
    function _vector(uint256 nodes) private pure returns (bytes memory vector) {
        uint256 each = SCORES / nodes;
        uint256 left = SCORES;
        vector = new bytes(3 * nodes);
        for (uint256 i; i < nodes; ++i) {
            uint256 score = i + 1 == nodes ? left : each;
            left -= score;
            for (uint256 j; j < 3; ++j) {
                vector[3 * i + j] = bytes1(uint8(score >> (16 - 8 * j)));
            }
        }
    }

    function _settleWith(bytes memory vector) private returns (uint64 round) {
        round = _openAndClose();
        scores = vector;
        _proposeWith(round);
        _wait(WINDOW);
    }

    function _proposeWith(uint64 round) private {
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(header), keccak256("model"), scores);
        bytes[] memory attestations = _attest(round, proposal, 1);
        ledger.propose(round, proposal, attestations);
    }

    function _proofsOfTheUpdateTree(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        TypedData.Receipt memory receipt = TypedData.Receipt(round, 0, "promised");
        bytes memory signature = _sign(AGGREGATOR_KEY, TypedData.hash(receipt));
        bytes32[] memory siblings = _siblings(0);
        court.proveBrokenReceipt(receipt, signature, updates[0], siblings, closeHash);
        _measured("proveBrokenReceipt", nodes);
        vm.revertToState(snapshot);
        TypedData.Update memory first = _update(round, 1);
        TypedData.Update memory second = _update(round, 1);
        second.samples = 99;
        bytes memory a = _signUpdate(first);
        bytes memory b = _signUpdate(second);
        court.proveDoubleUpdate(first, a, second, b);
        _measured("proveDoubleUpdate", nodes);
        vm.revertToState(snapshot);
    }

    function _court(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        (, Trees.SumOpening memory opening) = _sumTree(0);
        court.proveWrongScore(round, header, contributions[0], opening);
        _measured("proveWrongScore", nodes);
        vm.revertToState(snapshot);
        vm.deal(STRANGER, DISPUTE_BOND);
        vm.prank(STRANGER);
        court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[0], opening);
        _measured("dispute", nodes);
        bytes memory payload = abi.encode(contributions[0]);
        address scorer = vm.addr(_scorerKey(0));
        vm.prank(scorer);
        court.sealVote(0, keccak256(abi.encode(uint256(0), scorer, payload, bytes32("salt"))));
        _measured("sealVote", nodes);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        vm.prank(scorer);
        court.revealVote(0, payload, payload, "salt");
        _measured("revealVote", nodes);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        court.decide(0);
        _measured("decide", nodes);
        vm.revertToState(snapshot);
    }

    function _rivals(uint256 nodes) private {
        address[] memory accounts = new address[](nodes);
        uint256[] memory amounts = new uint256[](nodes);
        for (uint256 i; i < nodes; ++i) {
            accounts[i] = address(uint160(uint256(keccak256(abi.encode(i)))));
            amounts[i] = 1e18 + i;
        }
        MintLoop loop = new MintLoop();
        loop.settle(accounts, amounts); // so that balances are not zero
        loop.settle(accounts, amounts);
        _measured("mint loop", nodes);
        CumulativeRoot cumulative = new CumulativeRoot();
        uint256 depth;
        while (1 << depth < nodes) {
            ++depth;
        }
        bytes32[] memory proof = new bytes32[](depth);
        for (uint256 period = 1; period <= 2; ++period) {
            bytes32 node = keccak256(bytes.concat(keccak256(abi.encode(accounts[0], period * 1e18))));
            for (uint256 i; i < depth; ++i) {
                proof[i] = keccak256(abi.encode(i));
                node =
                    node < proof[i] ? keccak256(bytes.concat(node, proof[i])) : keccak256(bytes.concat(proof[i], node));
            }
            cumulative.settle(node);
            if (period == 2) _measured("cumulative root", nodes);
            cumulative.claim(accounts[0], period * 1e18, proof);
            if (period == 2) _measured("cumulative claim", nodes);
        }
    }
}
