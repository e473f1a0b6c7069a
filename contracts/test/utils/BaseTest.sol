// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {BondRegistry} from "../../BondRegistry.sol";
import {ContributionToken} from "../../ContributionToken.sol";
import {Court} from "../../Court.sol";
import {NodeRegistry} from "../../NodeRegistry.sol";
import {RoundLedger} from "../../RoundLedger.sol";
import {IFederation} from "../../interfaces/IFederation.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {Test} from "./Test.sol";

/// @notice A deployed federation with four scorers (f = 1), and the people who act in it.
abstract contract BaseTest is Test {
    uint256 internal constant SCORES = 10_000_000;
    uint256 internal constant POOL = 1000e18;
    uint256 internal constant STAKE = 1 ether;
    uint256 internal constant SCORER_POOL = 3e18;
    uint256 internal constant RESERVED = POOL + SCORER_POOL;
    uint256 internal constant CAP = 4 * RESERVED;
    uint256 internal constant AGGREGATOR_BOND = 5 ether;
    uint256 internal constant SCORER_BOND = 2 ether;
    uint256 internal constant BONDS = AGGREGATOR_BOND + 4 * SCORER_BOND;
    uint256 internal constant DISPUTE_BOND = 0.3 ether;
    uint256 internal constant PROOF_FEE = 0.1 ether;
    uint256 internal constant OPEN_FEE = 0.2 ether;
    uint256 internal constant MAX_PENDING = 2;
    uint40 internal constant COMMIT_TIME = 100;
    uint40 internal constant COMMIT_DEADLINE = 150;
    uint40 internal constant PROPOSE_DEADLINE = 280;
    uint40 internal constant WINDOW = 100;
    uint40 internal constant VOTE = 40;
    uint40 internal constant UNBONDING = 3 * (100 + 50 + 200 + 30 + 50 + 100 + 3 * 40) + 1;
    uint256 internal constant OPERATOR_KEY = 0x0b;
    uint256 internal constant QUORUM = 3;
    address internal constant ADMIN = address(0xad);
    address internal constant AGGREGATOR = address(0xa9);
    address internal constant GUARDIAN = address(0x6a);
    address internal constant STRANGER = address(0x57);
    bytes32 internal constant GENESIS_MODEL = keccak256("genesis");
    bytes32 internal constant SHARDS = keccak256("shards");
    bytes32 internal constant ROOT_SET = keccak256("root set");
    bytes32 internal constant UPDATE_ROOT = keccak256("updates");

    ContributionToken internal token;
    NodeRegistry internal registry;
    Court internal court;
    RoundLedger internal ledger;
    uint256 private _invitations;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        (address tokenAddress, address registryAddress, address courtAddress, address ledgerAddress) = _addresses();
        token = new ContributionToken("Contribution", "CON", CAP, ledgerAddress);
        registry = _newRegistry(ledgerAddress, courtAddress, _scorers(4));
        court = new Court(ledgerAddress, registryAddress, DISPUTE_BOND);
        ledger = new RoundLedger(_config(tokenAddress, registryAddress, courtAddress));
    }

    // ------------------------------------------------------------------------------------------------- deployment

    /// @dev The addresses that the four contracts will have when this contract creates them next.
    function _addresses() internal view returns (address, address, address, address) {
        uint256 nonce = vm.getNonce(address(this));
        return (
            vm.computeCreateAddress(address(this), nonce),
            vm.computeCreateAddress(address(this), nonce + 1),
            vm.computeCreateAddress(address(this), nonce + 2),
            vm.computeCreateAddress(address(this), nonce + 3)
        );
    }

    function _amounts() internal pure virtual returns (BondRegistry.Amounts memory) {
        return BondRegistry.Amounts(STAKE, AGGREGATOR_BOND, SCORER_BOND, PROOF_FEE, OPEN_FEE);
    }

    /// @dev A registry whose first bonds this contract puts down. It is open when `_openSamples` says so.
    function _newRegistry(address ledger_, address court_, address[] memory scorers) internal returns (NodeRegistry) {
        uint256 bonds = AGGREGATOR_BOND + scorers.length * SCORER_BOND;
        vm.deal(address(this), bonds);
        return
            new NodeRegistry{value: bonds}(ledger_, court_, UNBONDING, _amounts(), _openSamples(), AGGREGATOR, scorers);
    }

    /// @dev The sample bound of nodes without an invitation; zero for a federation that is not open.
    function _openSamples() internal pure virtual returns (uint32) {
        return 0;
    }

    function _config(address token_, address registry_, address court_)
        internal
        pure
        returns (IFederation.Config memory)
    {
        return IFederation.Config({
            token: token_,
            registry: registry_,
            court: court_,
            admin: ADMIN,
            operator: vm.addr(OPERATOR_KEY),
            guardian: GUARDIAN,
            adminDelay: 1 days,
            configHash: keccak256("config"),
            taskHash: keccak256("task"),
            genesisModel: GENESIS_MODEL,
            pool: POOL,
            scorerPool: SCORER_POOL,
            maxPending: MAX_PENDING,
            timing: IFederation.Timing({
                commitTime: COMMIT_TIME,
                closeTime: 50,
                revealTime: 200,
                graceTime: 30,
                proposeTime: 50,
                window: WINDOW,
                voteTime: VOTE
            })
        });
    }

    /// @dev The private key of the i-th of the four scorers, by ascending address.
    function _scorerKey(uint256 i) internal pure returns (uint256) {
        return _sortedKeys(4)[i];
    }

    function _scorers(uint256 count) internal pure returns (address[] memory scorers) {
        scorers = new address[](count);
        for (uint256 i; i < count; ++i) {
            scorers[i] = vm.addr(0x5c0 + i);
        }
    }

    function _sortedKeys(uint256 count) internal pure returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            uint256 key = 0x5c0 + i;
            uint256 at_ = i;
            for (; at_ > 0 && vm.addr(keys[at_ - 1]) > vm.addr(key); --at_) {
                keys[at_] = keys[at_ - 1];
            }
            keys[at_] = key;
        }
    }

    // ------------------------------------------------------------------------------------------------------ nodes

    function _owner(uint256 i) internal pure returns (address) {
        return address(uint160(0x1000000 + i));
    }

    function _payout(uint256 i) internal pure returns (address) {
        return address(uint160(0x2000000 + i));
    }

    function _key(uint256 i) internal pure returns (address) {
        return address(uint160(0x3000000 + i));
    }

    function _invitation(address owner, uint32 maxSamples) internal returns (TypedData.Invitation memory) {
        return TypedData.Invitation(
            owner, maxSamples, keccak256(abi.encode(++_invitations)), uint40(vm.getBlockTimestamp() + 1 days)
        );
    }

    function _signInvitation(uint256 key, TypedData.Invitation memory invitation) internal view returns (bytes memory) {
        return _sign(key, TypedData.hash(invitation));
    }

    /// @dev Joins as owner i with its own key and payout, as the i-th node when called in order.
    function _join(uint256 i) internal returns (uint32) {
        return _joinAs(_owner(i), _key(i), _payout(i));
    }

    function _joinAs(address owner, address key, address payout) internal returns (uint32) {
        TypedData.Invitation memory invitation = _invitation(owner, 100);
        bytes memory signature = _signInvitation(OPERATOR_KEY, invitation);
        vm.deal(owner, owner.balance + STAKE);
        vm.prank(owner);
        return registry.join{value: STAKE}(key, payout, invitation, signature);
    }

    function _joinMany(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            _join(i);
        }
    }

    // ----------------------------------------------------------------------------------------------------- rounds

    /// @dev Who opens and closes rounds.
    function _aggregator() internal pure virtual returns (address) {
        return AGGREGATOR;
    }

    function _open() internal returns (uint64 round) {
        uint64 parent = ledger.tip();
        vm.prank(_aggregator());
        return ledger.open(parent, SHARDS, ROOT_SET);
    }

    function _close(uint64 round) internal {
        vm.prank(_aggregator());
        ledger.close(round, UPDATE_ROOT, 0);
    }

    /// @dev Opens and closes a round and mines the block that makes its seed known.
    function _openAndClose() internal returns (uint64 round) {
        round = _open();
        _close(round);
        _mine(1);
    }

    function _proposal(bytes memory scores) internal pure returns (IRoundLedger.Proposal memory) {
        return IRoundLedger.Proposal(keccak256("evidence"), keccak256("model"), scores);
    }

    function _propose(uint64 round, bytes memory scores) internal {
        IRoundLedger.Proposal memory proposal = _proposal(scores);
        ledger.propose(round, proposal, _attest(round, proposal, QUORUM));
    }

    /// @dev A whole round, Final at the end.
    function _settle(bytes memory scores) internal returns (uint64 round) {
        round = _openAndClose();
        _propose(round, scores);
        _wait(WINDOW);
    }

    /// @dev A round that timed out.
    function _void() internal returns (uint64 round) {
        round = _open();
        _wait(COMMIT_DEADLINE);
    }

    /// @dev The attestations of the first `count` scorers, by ascending address.
    function _attest(uint64 round, IRoundLedger.Proposal memory proposal, uint256 count)
        internal
        view
        returns (bytes[] memory attestations)
    {
        bytes32 structHash = TypedData.hash(
            TypedData.Attestation(
                round, _seed(round), proposal.evidenceRoot, keccak256(proposal.scores), proposal.modelHash
            )
        );
        attestations = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            attestations[i] = _sign(_scorerKey(i), structHash);
        }
    }

    /// @dev The seed that a closed round will have.
    function _seed(uint64 round) internal view returns (bytes32) {
        IRoundLedger.Round memory r = ledger.roundOf(round);
        return keccak256(abi.encode(ledger.federation(), round, r.updateRoot, blockhash(r.closeBlock)));
    }

    function _stateIs(uint64 round, IRoundLedger.State state) internal view {
        vm.assertEq(uint256(ledger.stateOf(round)), uint256(state));
        vm.assertEq(uint256(ledger.roundOf(round).state), uint256(state));
    }

    // ------------------------------------------------------------------------------------------------------ other

    /// @dev Packed scores of these shares of the whole, the last node getting what is left.
    function _scores(uint24 first, uint24 second) internal pure returns (bytes memory) {
        return abi.encodePacked(first, second, uint24(SCORES - first - second));
    }

    function _sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, MessageHashUtils.toTypedDataHash(ledger.federation(), structHash));
        return abi.encodePacked(r, s, v);
    }

    function _wait(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
        _mine(1);
    }

    function _mine(uint256 blocks) internal {
        vm.roll(vm.getBlockNumber() + blocks);
    }

    function _one(uint64 round) internal pure returns (uint64[] memory rounds) {
        rounds = new uint64[](1);
        rounds[0] = round;
    }
}
