// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Proofs} from "./Proofs.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {Recomputation} from "./libraries/Recomputation.sol";
import {Trees} from "./libraries/Trees.sol";

/// @title Court
/// @notice Proofs of faults, and the disputes that scorers decide.
contract Court is Proofs {
    // ------------------------------------------------------------------------------------------------- immutables

    uint256 private immutable _disputeBond;

    // ---------------------------------------------------------------------------------------------------- storage

    Dispute[] private _disputes;
    mapping(bytes32 leaf => bool) private _disputed;
    mapping(uint256 dispute => mapping(address scorer => Vote)) private _votes;
    mapping(uint256 dispute => mapping(address scorer => bytes32)) private _sealed;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @param ledger_ The round ledger, deployed after this contract; its constructor checks that it is named here.
    /// @param registry_ The registry.
    /// @param disputeBond_ The bond of a dispute, in wei.
    constructor(address ledger_, address registry_, uint256 disputeBond_) Proofs(ledger_, registry_) {
        if (disputeBond_ == 0) revert NoDisputeBond();
        _disputeBond = disputeBond_;
    }

    // ----------------------------------------------------------------------------------------------------- anyone

    /// @inheritdoc ICourt
    function dispute(
        uint64 round,
        Evidence.Header calldata header,
        uint32 kind,
        uint32 position,
        bytes calldata payload,
        bytes32[] calldata siblings
    ) external payable returns (uint256) {
        if (kind == 0 || kind > Evidence.KINDS || kind == Evidence.CONTRIBUTION) revert BadKind(kind);
        _proposed(round, header);
        uint256 depth = Evidence.isList(kind) ? Trees.LIST_DEPTH : Trees.NODE_DEPTH;
        bytes32 leaf = Trees.leaf(_ledger.federation(), kind, position, payload);
        _same(Trees.root(leaf, position, siblings, depth), header.roots[kind - 1]);
        uint256[2] memory tolerances = [uint256(0), 0];
        if (kind == Evidence.STATISTICS) tolerances[0] = header.tolerances[0];
        if (kind == Evidence.UTILITY) tolerances[0] = header.tolerances[1];
        // Residual and spread are of sums over the shards, of which the gain has two; misses are relative, as statistics are.
        if (kind == Evidence.ESTIMATE) tolerances = [uint256(header.tolerances[4] / 2), header.tolerances[0]];
        return _file(round, kind, position, payload, tolerances);
    }

    /// @inheritdoc ICourt
    function disputeContribution(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external payable returns (uint256) {
        _contribution(round, header, leaf, opening);
        uint256[2] memory tolerances = [uint256(0), 0];
        if (header.denominator == Evidence.SOLVED) tolerances[0] = header.tolerances[3] * Evidence.SOLVED;
        // A denominator that is too large for the product to fit tolerates everything, as it does off chain.
        unchecked {
            tolerances[1] =
                header.denominator > type(uint128).max ? type(uint256).max : header.tolerances[2] * header.denominator;
        }
        return _file(round, uint32(Evidence.CONTRIBUTION), leaf.node, abi.encode(leaf), tolerances);
    }

    /// @inheritdoc ICourt
    function decide(uint256 number) external {
        Dispute storage d = _dispute(number);
        if (d.verdict != Verdict.None) revert AlreadyDecided(number);
        uint256 start = d.filedAt + 2 * uint256(_ledger.timing().voteTime);
        if (block.timestamp < start) revert OutOfTime(start, type(uint256).max);
        uint256 honest = _registry.scorersAt(d.round).length / 3 + 1; // f + 1
        bool forIt = d.votesFor >= honest;
        bool againstIt = d.votesAgainst >= honest;
        (Verdict verdict, uint256 refund) = (Verdict.Undecided, _disputeBond / 2);
        if (againstIt && !forIt) (verdict, refund) = (Verdict.Upheld, _disputeBond);
        if (forIt && !againstIt) (verdict, refund) = (Verdict.Dismissed, 0);
        d.verdict = verdict;
        emit DisputeDecided(number, d.round, verdict, refund);
        if (verdict == Verdict.Dismissed) _ledger.dismiss(d.round);
        else _ledger.annul(d.round);
        if (refund != 0) _registry.credit{value: refund}(d.challenger);
        // Coins at the zero address are nobody's.
        if (refund != _disputeBond) Address.sendValue(payable(address(0)), _disputeBond - refund);
    }

    // ---------------------------------------------------------------------------------------------------- scorers

    /// @inheritdoc ICourt
    function sealVote(uint256 number, bytes32 sealed_) external {
        Dispute storage d = _dispute(number);
        _during(d.filedAt, 0);
        if ((_registry.bondedAt(d.round) >> _registry.scorerIndexAt(d.round, msg.sender)) & 1 == 0) {
            revert NoVote(msg.sender);
        }
        if (_votes[number][msg.sender] != Vote.None) revert AlreadyVoted(number, msg.sender);
        _votes[number][msg.sender] = Vote.Sealed;
        _sealed[number][msg.sender] = sealed_;
        emit VoteSealed(number, msg.sender);
    }

    /// @inheritdoc ICourt
    function revealVote(uint256 number, bytes calldata payload, bytes calldata recomputed, bytes32 salt) external {
        Dispute storage d = _dispute(number);
        _during(d.filedAt, 1);
        bytes32 hashed = keccak256(payload);
        if (hashed != d.payloadHash) revert WrongPayload(hashed, d.payloadHash);
        bytes32 sealed_ = keccak256(abi.encode(number, msg.sender, recomputed, salt));
        if (_votes[number][msg.sender] != Vote.Sealed || _sealed[number][msg.sender] != sealed_) {
            revert NotTheSealedVote(number, msg.sender);
        }
        bool agrees = Recomputation.agrees(d.kind, payload, recomputed, d.tolerances);
        if (agrees) ++d.votesFor;
        else ++d.votesAgainst;
        Vote vote = agrees ? Vote.For : Vote.Against;
        _votes[number][msg.sender] = vote;
        emit VoteRevealed(number, msg.sender, vote, recomputed);
    }

    /// @inheritdoc ICourt
    function proveContradiction(uint256 number, address scorer) external {
        uint64 round = _dispute(number).round;
        // One bit of a set, which the ledger wrote.
        // slither-disable-next-line incorrect-equality
        bool attested = (_ledger.roundOf(round).signers >> _registry.scorerIndexAt(round, scorer)) & 1 == 1;
        if (!attested || _votes[number][scorer] != Vote.Against) revert NotAFault();
        _convict(Fault.Contradiction, round, scorer);
        _registry.slashBond(scorer, msg.sender, false);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc ICourt
    function disputeOf(uint256 number) external view returns (Dispute memory) {
        return _dispute(number);
    }

    /// @inheritdoc ICourt
    function voteOf(uint256 number, address scorer) external view returns (Vote) {
        return _votes[number][scorer];
    }

    /// @inheritdoc ICourt
    function disputeCount() external view returns (uint256) {
        return _disputes.length;
    }

    /// @inheritdoc ICourt
    function disputeBond() external view returns (uint256) {
        return _disputeBond;
    }

    /// @inheritdoc ICourt
    function ledger() external view returns (address) {
        return address(_ledger);
    }

    /// @inheritdoc ICourt
    function registry() external view returns (address) {
        return address(_registry);
    }

    // ---------------------------------------------------------------------------------------------------- private

    /// @dev Takes the bond and makes the round wait. The leaf is opened already.
    function _file(uint64 round, uint32 kind, uint32 position, bytes memory payload, uint256[2] memory tolerances)
        private
        returns (uint256 number)
    {
        if (msg.value != _disputeBond) revert WrongDisputeBond(msg.value, _disputeBond);
        bytes32 leaf = keccak256(abi.encode(round, kind, position));
        if (_disputed[leaf]) revert AlreadyDisputed(round, kind, position);
        _disputed[leaf] = true;
        number = _disputes.length;
        uint40 filedAt = SafeCast.toUint40(block.timestamp);
        _disputes.push(
            Dispute({
                round: round,
                challenger: msg.sender,
                filedAt: filedAt,
                votesFor: 0,
                votesAgainst: 0,
                verdict: Verdict.None,
                kind: kind,
                position: position,
                tolerances: tolerances,
                payloadHash: keccak256(payload)
            })
        );
        emit DisputeFiled(number, round, msg.sender, kind, position, payload);
        _ledger.suspend(round);
    }

    function _dispute(uint256 number) private view returns (Dispute storage) {
        if (number >= _disputes.length) revert UnknownDispute(number);
        return _disputes[number];
    }

    /// @dev The step-th step of a dispute lasts from `start` to before `end`.
    function _during(uint40 filedAt, uint256 step) private view {
        uint256 voteTime = _ledger.timing().voteTime;
        uint256 start = filedAt + step * voteTime;
        uint256 end = start + voteTime;
        if (block.timestamp < start || block.timestamp >= end) revert OutOfTime(start, end);
    }
}
