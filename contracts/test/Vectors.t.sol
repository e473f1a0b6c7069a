// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {ScoreVectorHarness} from "./ScoreVector.t.sol";
import {Test} from "./utils/Test.sol";

/// @notice The test vectors that the Python side is checked against too, for everything that the contracts hash.
contract VectorsTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("../protocol/vectors.json");
        vm.chainId(_number(".domain.chain_id"));
    }

    function test_domain() public view {
        vm.assertEq(TypedData.DOMAIN_TYPEHASH, _bytes32(".domain.type_hash"));
        vm.assertEq(_federation(), _bytes32(".domain.separator"));
    }

    function test_update() public view {
        string memory key = ".typed_data.update.message";
        TypedData.Update memory update = TypedData.Update({
            round: uint64(_number(key, ".round")),
            inputs: _bytes32(key, ".inputs"),
            node: uint32(_number(key, ".node")),
            baseModel: _bytes32(key, ".baseModel"),
            parameters: _bytes32(key, ".parameters"),
            samples: uint32(_number(key, ".samples"))
        });
        _isSigned(".typed_data.update", TypedData.UPDATE_TYPEHASH, TypedData.hash(update));
    }

    function test_receipt() public view {
        string memory key = ".typed_data.receipt.message";
        TypedData.Receipt memory receipt = TypedData.Receipt({
            round: uint64(_number(key, ".round")), node: uint32(_number(key, ".node")), leaf: _bytes32(key, ".leaf")
        });
        _isSigned(".typed_data.receipt", TypedData.RECEIPT_TYPEHASH, TypedData.hash(receipt));
    }

    function test_attestation() public view {
        string memory key = ".typed_data.attestation.message";
        TypedData.Attestation memory attestation = TypedData.Attestation({
            round: uint64(_number(key, ".round")),
            seed: _bytes32(key, ".seed"),
            evidenceRoot: _bytes32(key, ".evidenceRoot"),
            scoresHash: _bytes32(key, ".scoresHash"),
            modelHash: _bytes32(key, ".modelHash")
        });
        _isSigned(".typed_data.attestation", TypedData.ATTESTATION_TYPEHASH, TypedData.hash(attestation));
    }

    function test_request() public view {
        string memory key = ".typed_data.request.message";
        TypedData.Request memory request = TypedData.Request({
            method: vm.parseJsonString(json, string.concat(key, ".method")),
            path: vm.parseJsonString(json, string.concat(key, ".path")),
            bodyHash: _bytes32(key, ".bodyHash"),
            nonce: _bytes32(key, ".nonce"),
            deadline: uint40(_number(key, ".deadline"))
        });
        _isSigned(".typed_data.request", TypedData.REQUEST_TYPEHASH, TypedData.hash(request));
    }

    function test_invitation() public view {
        string memory key = ".typed_data.invitation.message";
        TypedData.Invitation memory invitation = TypedData.Invitation({
            owner: vm.parseJsonAddress(json, string.concat(key, ".owner")),
            maxSamples: uint32(_number(key, ".maxSamples")),
            nonce: _bytes32(key, ".nonce"),
            deadline: uint40(_number(key, ".deadline"))
        });
        _isSigned(".typed_data.invitation", TypedData.INVITATION_TYPEHASH, TypedData.hash(invitation));
    }

    function test_expulsion() public view {
        string memory key = ".typed_data.expulsion.message";
        TypedData.Expulsion memory expulsion =
            TypedData.Expulsion(uint64(_number(key, ".round")), uint32(_number(key, ".node")));
        _isSigned(".typed_data.expulsion", TypedData.EXPULSION_TYPEHASH, TypedData.hash(expulsion));
    }

    function test_inputs() public view {
        bytes32[] memory shards = vm.parseJsonBytes32Array(json, ".inputs.shards");
        vm.assertEq(keccak256(abi.encode(shards)), _bytes32(".inputs.shards_hash"));
        TypedData.Inputs memory inputs = TypedData.Inputs({
            protocolVersion: uint32(_number(".inputs.protocol_version")),
            parent: uint64(_number(".inputs.parent")),
            configHash: _bytes32(".inputs.config_hash"),
            taskHash: _bytes32(".inputs.task_hash"),
            baseModel: _bytes32(".inputs.base_model"),
            parentEvidence: _bytes32(".inputs.parent_evidence"),
            shards: _bytes32(".inputs.shards_hash"),
            rootSet: _bytes32(".inputs.root_set")
        });
        vm.assertEq(TypedData.hash(inputs), _bytes32(".inputs.digest"));
    }

    function test_seed() public view {
        vm.assertEq(
            TypedData.seed(
                _bytes32(".seed.federation"),
                uint64(_number(".seed.round")),
                _bytes32(".seed.update_root"),
                _bytes32(".seed.close_block_hash")
            ),
            _bytes32(".seed.seed")
        );
    }

    function test_scores() public {
        ScoreVectorHarness vector = new ScoreVectorHarness();
        uint256 cases;
        for (string memory key = _scoresCase(0); vm.keyExistsJson(json, key); key = _scoresCase(++cases)) {
            bytes memory packed = vm.parseJsonBytes(json, string.concat(key, ".packed"));
            vm.assertEq(keccak256(packed), _bytes32(key, ".hash"));
            uint256[] memory scores = vm.parseJsonUintArray(json, string.concat(key, ".scores"));
            address pointer = vector.write(packed, scores.length);
            for (uint256 i; i < scores.length; ++i) {
                vm.assertEq(vector.scoreAt(pointer, i), scores[i]);
            }
        }
        vm.assertGt(cases, 1);
    }

    function _scoresCase(uint256 i) private pure returns (string memory) {
        return string.concat(".scores[", vm.toString(i), "]");
    }

    function _isSigned(string memory key, bytes32 typeHash, bytes32 structHash) private view {
        vm.assertEq(typeHash, _bytes32(key, ".type_hash"));
        vm.assertEq(structHash, _bytes32(key, ".struct_hash"));
        bytes32 digest = MessageHashUtils.toTypedDataHash(_federation(), structHash);
        vm.assertEq(digest, _bytes32(key, ".digest"));
        bytes memory signature = vm.parseJsonBytes(json, string.concat(key, ".signature"));
        vm.assertEq(ECDSA.recover(digest, signature), vm.parseJsonAddress(json, string.concat(key, ".signer")));
    }

    function _federation() private view returns (bytes32) {
        return TypedData.domainSeparator(vm.parseJsonAddress(json, ".domain.ledger"));
    }

    function _number(string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, key);
    }

    function _number(string memory key, string memory field) private view returns (uint256) {
        return _number(string.concat(key, field));
    }

    function _bytes32(string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, key);
    }

    function _bytes32(string memory key, string memory field) private view returns (bytes32) {
        return _bytes32(string.concat(key, field));
    }
}
