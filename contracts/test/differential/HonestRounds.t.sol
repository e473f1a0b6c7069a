// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributionToken} from "../../ContributionToken.sol";
import {Court} from "../../Court.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {RoundLedger} from "../../RoundLedger.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {IFederation} from "../../interfaces/IFederation.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {FileVm} from "./Differential.t.sol";

interface BlockVm {
    function setBlockhash(uint256 number, bytes32 hash) external;
}

/// @notice Honest rounds, settled each in a federation of its own: whatever is tried with whatever leaf, nothing is provable.
/// @dev `tests/contracts/test_honest_rounds.py` makes the rounds with the evidence code of the aggregator, and runs this.
contract HonestRoundsTest is BaseTest {
    /// @param node Its index; its key is one more.
    /// @param maxSamples What its invitation says; zero for an index that nobody has.
    /// @param committed Whether it committed, and then to this update with this signature.
    /// @param onChain Whether it did so on chain; otherwise `receipt` is the aggregator's signature.
    /// @param slot What the update tree has at its place, and `siblings` the path from there.
    /// @param plays Whether it has a contribution leaf, and then `leaf`; `opening` is of its place in any case.
    struct Node {
        uint32 node;
        uint32 maxSamples;
        bool committed;
        bool onChain;
        TypedData.Update update;
        bytes signature;
        bytes receipt;
        bytes32 slot;
        bytes32[] siblings;
        bool plays;
        Evidence.Contribution leaf;
        Trees.SumOpening opening;
    }

    /// @dev A leaf to be disputed, and its path.
    struct Leaf {
        uint32 kind;
        uint32 position;
        bytes payload;
        bytes32[] path;
    }

    /// @param early Whether it closes before its deadline, everybody having committed.
    struct Case {
        bytes32[5] hashes; // config, task, genesis model, shards, root set
        bytes32 updateRoot;
        bytes32 closeBlockHash;
        bool early;
        Node[] nodes;
        Evidence.Header header;
        bytes32 modelHash;
        bytes scores;
        Leaf disputed;
    }

    /// @dev What `tests/support` uses: the ledger's address is the first that this account deploys to.
    address private constant DEPLOYER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
    uint256 private constant AGGREGATOR_KEY = uint256(keccak256("fairshare test key: aggregator"));
    uint64 private constant ROUND = 7;

    /// @dev What forge prints.
    event log_named_uint(string what, uint256 number);

    uint256 private _tried;

    function setUp() public override {}

    function test_honestRounds_nothingIsProvable() public {
        string memory directory = FileVm(address(vm)).envString("CASES");
        uint256 tried;
        for (uint256 i; i < FileVm(address(vm)).envUint("FILES"); ++i) {
            // A call of its own frees the memory of every file.
            tried += this.checkFile(string.concat(directory, "/honest-", vm.toString(i)));
        }
        emit log_named_uint("proofs refused", tried);
    }

    function checkFile(string calldata path) external returns (uint256 tried) {
        Case[] memory cases = abi.decode(FileVm(address(vm)).readFileBinary(path), (Case[]));
        for (uint256 i; i < cases.length; ++i) {
            uint256 before = vm.snapshotState();
            tried += this.check(cases[i]);
            vm.revertToState(before);
        }
    }

    function check(Case calldata c) external returns (uint256) {
        _deploy(c);
        _close(c);
        _tryCommitments(c);
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(c.header), c.modelHash, c.scores);
        ledger.propose(ROUND, proposal, _attest(ROUND, proposal, QUORUM));
        _tryCommitments(c);
        _tryPay(c);
        _disputeInVain(c);
        vm.warp(ledger.roundOf(ROUND).deadline);
        _stateIs(ROUND, IRoundLedger.State.Final);
        _tryCommitments(c);
        _tryPay(c);
        (uint256 bond,) = registry.bondOf(_aggregator());
        vm.assertEq(bond, AGGREGATOR_BOND);
        return _tried;
    }

    // --------------------------------------------------------------------------------------------------- settling

    function _deploy(Case calldata c) private {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        address ledgerAddress = vm.computeCreateAddress(DEPLOYER, 0);
        address courtAddress = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        token = new ContributionToken("Contribution", "CON", 10 * RESERVED, ledgerAddress);
        vm.deal(address(this), BONDS + 2 * DISPUTE_BOND);
        registry = new NodeRegistry{value: BONDS}(
            ledgerAddress, courtAddress, UNBONDING, _amounts(), 0, _aggregator(), _scorers(4)
        );
        court = new Court(ledgerAddress, address(registry), DISPUTE_BOND);
        IFederation.Config memory config = _config(address(token), address(registry), courtAddress);
        (config.configHash, config.taskHash, config.genesisModel) = (c.hashes[0], c.hashes[1], c.hashes[2]);
        vm.prank(DEPLOYER);
        ledger = new RoundLedger(config);
        for (uint256 i; i < c.nodes.length; ++i) {
            if (c.nodes[i].maxSamples != 0) _joinWith(c.nodes[i]);
        }
    }

    function _joinWith(Node calldata node) private {
        address owner = _owner(node.node);
        TypedData.Invitation memory invitation = _invitation(owner, node.maxSamples);
        bytes memory signature = _signInvitation(OPERATOR_KEY, invitation);
        vm.deal(owner, STAKE);
        vm.prank(owner);
        registry.join{value: STAKE}(vm.addr(node.node + 1), _payout(node.node), invitation, signature);
    }

    function _aggregator() internal pure override returns (address) {
        return vm.addr(AGGREGATOR_KEY);
    }

    /// @dev Opens and closes the round, the seventh; those before it are given up.
    function _close(Case calldata c) private {
        vm.startPrank(_aggregator());
        for (uint64 round = 1; round < ROUND; ++round) {
            ledger.open(0, c.hashes[3], c.hashes[4]);
            ledger.abandon(round);
        }
        ledger.open(0, c.hashes[3], c.hashes[4]);
        vm.assertEq(ledger.roundOf(ROUND).inputs, c.header.inputs);
        uint32 commits;
        for (uint256 i; i < c.nodes.length; ++i) {
            if (!c.nodes[i].onChain) continue;
            ledger.commit(c.nodes[i].update, c.nodes[i].signature);
            ++commits;
        }
        if (!c.early) vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        ledger.close(ROUND, c.updateRoot, commits);
        vm.stopPrank();
        BlockVm(address(vm)).setBlockhash(vm.getBlockNumber(), c.closeBlockHash);
        _mine(1);
        vm.assertEq(_seed(ROUND), c.header.seed);
    }

    /// @dev Every scorer recomputes what was published: the bonds are lost, and nobody contradicts itself.
    function _disputeInVain(Case calldata c) private {
        uint256 disputes = 1;
        court.dispute{value: DISPUTE_BOND}(
            ROUND, c.header, c.disputed.kind, c.disputed.position, c.disputed.payload, c.disputed.path
        );
        bytes[2] memory payloads = [c.disputed.payload, bytes("")];
        for (uint256 i; i < c.nodes.length && disputes == 1; ++i) {
            if (!c.nodes[i].plays) continue;
            court.disputeContribution{value: DISPUTE_BOND}(ROUND, c.header, c.nodes[i].leaf, c.nodes[i].opening);
            payloads[disputes++] = abi.encode(c.nodes[i].leaf);
        }
        uint256 filed = vm.getBlockTimestamp();
        address[] memory scorers = registry.scorersAt(ROUND);
        for (uint256 step; step < 2; ++step) {
            for (uint256 number; number < disputes; ++number) {
                for (uint256 i; i < 4; ++i) {
                    vm.prank(scorers[i]);
                    if (step == 1) {
                        court.revealVote(number, payloads[number], payloads[number], bytes32(i));
                    } else {
                        court.sealVote(number, keccak256(abi.encode(number, scorers[i], payloads[number], bytes32(i))));
                    }
                }
            }
            vm.warp(filed + (step + 1) * VOTE);
        }
        for (uint256 number; number < disputes; ++number) {
            court.decide(number);
            vm.assertEq(uint256(court.disputeOf(number).verdict), uint256(ICourt.Verdict.Dismissed));
            for (uint256 i; i < 4; ++i) {
                _refused(abi.encodeCall(ICourt.proveContradiction, (number, scorers[i])), ICourt.NotAFault.selector);
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------- trying

    /// @dev Everything that is proved from the update tree, with every slot; with those of other nodes too.
    function _tryCommitments(Case calldata c) private {
        for (uint256 i; i < c.nodes.length; ++i) {
            Node calldata a = c.nodes[i];
            _refused(
                abi.encodeCall(ICourt.proveMissingCommit, (ROUND, a.node, a.slot, a.siblings, c.closeBlockHash)),
                ICourt.NotAFault.selector
            );
            _refused(
                abi.encodeCall(ICourt.proveEarlyClose, (ROUND, a.node, a.siblings, c.closeBlockHash)),
                a.committed
                    ? ICourt.WrongRoot.selector
                    : c.early ? ICourt.NotEligible.selector : ICourt.NotAFault.selector
            );
            if (!a.committed) continue;
            _refused(
                abi.encodeCall(
                    ICourt.proveForgedUpdate, (ROUND, a.node, a.update, a.signature, a.siblings, c.closeBlockHash)
                ),
                ICourt.NotAFault.selector
            );
            if (!a.onChain) {
                _refused(
                    abi.encodeCall(
                        ICourt.proveBrokenReceipt,
                        (a.update, a.signature, a.receipt, a.slot, a.siblings, c.closeBlockHash)
                    ),
                    ICourt.NotAFault.selector
                );
            }
            for (uint256 j; j < c.nodes.length; ++j) {
                Node calldata b = c.nodes[j];
                if (!b.committed) continue;
                _refused(
                    abi.encodeCall(ICourt.proveDoubleUpdate, (a.update, a.signature, b.update, b.signature)),
                    i == j ? ICourt.NotAFault.selector : ICourt.DifferentSubjects.selector
                );
                if (i == j) continue;
                _refused(
                    abi.encodeCall(
                        ICourt.proveForgedUpdate, (ROUND, a.node, b.update, b.signature, a.siblings, c.closeBlockHash)
                    ),
                    ICourt.WrongRoot.selector
                );
            }
        }
    }

    /// @dev Everything that is proved from header and contribution leaves, with every leaf and every place.
    function _tryPay(Case calldata c) private {
        _refused(
            abi.encodeCall(ICourt.proveWrongHeader, (ROUND, c.header, c.updateRoot, c.closeBlockHash)),
            ICourt.NotAFault.selector
        );
        for (uint256 i; i < c.nodes.length; ++i) {
            Node calldata a = c.nodes[i];
            _refused(
                abi.encodeCall(ICourt.proveUnfoundedScore, (ROUND, c.header, a.node, a.opening)),
                a.plays ? ICourt.WrongRoot.selector : ICourt.NotAFault.selector
            );
            for (uint256 j; j < c.nodes.length && a.plays; ++j) {
                bytes4 reason = i == j ? ICourt.NotAFault.selector : ICourt.WrongRoot.selector;
                Trees.SumOpening calldata opening = c.nodes[j].opening;
                _refused(abi.encodeCall(ICourt.proveWrongBasis, (ROUND, c.header, a.leaf, opening)), reason);
                _refused(abi.encodeCall(ICourt.proveWrongScore, (ROUND, c.header, a.leaf, opening)), reason);
                _refused(abi.encodeCall(ICourt.proveWrongTotal, (ROUND, c.header, a.leaf, opening)), reason);
            }
        }
    }

    function _refused(bytes memory proof, bytes4 reason) private {
        (bool proved, bytes memory answer) = address(court).call(proof);
        vm.assertFalse(proved);
        vm.assertEq(bytes32(bytes4(answer)), bytes32(reason));
        ++_tried;
    }
}
