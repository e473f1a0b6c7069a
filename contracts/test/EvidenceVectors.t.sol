// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Evidence} from "../libraries/Evidence.sol";
import {Trees} from "../libraries/Trees.sol";
import {Test} from "./utils/Test.sol";

/// @notice The test vectors of the evidence, which the Python side is checked against too: leaves, trees, header.
contract EvidenceVectorsTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("../protocol/vectors.json");
    }

    function test_leaves() public view {
        uint256 found;
        for (string memory key = _item(".leaves", 0); vm.keyExistsJson(json, key); key = _item(".leaves", ++found)) {
            bytes memory payload = vm.parseJsonBytes(json, string.concat(key, ".payload"));
            uint256 kind = _number(key, ".kind");
            bytes32 leaf = Trees.leaf(_bytes32(".update_tree.federation"), kind, _number(key, ".position"), payload);
            vm.assertEq(leaf, _bytes32(string.concat(key, ".hash")));
        }
        vm.assertGt(found, Evidence.KINDS);
    }

    function test_updateTree() public view {
        uint256 found;
        string memory list = ".update_tree.proofs";
        for (string memory key = _item(list, 0); vm.keyExistsJson(json, key); key = _item(list, ++found)) {
            bytes32[] memory siblings = vm.parseJsonBytes32Array(json, string.concat(key, ".siblings"));
            bytes32 leaf = _bytes32(string.concat(key, ".leaf"));
            vm.assertEq(
                Trees.root(leaf, _number(key, ".position"), siblings, Trees.NODE_DEPTH), _bytes32(".update_tree.root")
            );
        }
        vm.assertGt(found, 2);
    }

    function test_sumTree() public view {
        uint256 found;
        string memory list = ".sum_tree.proofs";
        for (string memory key = _item(list, 0); vm.keyExistsJson(json, key); key = _item(list, ++found)) {
            (bytes32 root, uint256 total, bool addsUp) =
                Trees.sumRoot(_bytes32(string.concat(key, ".leaf")), _number(key, ".position"), _opening(key));
            vm.assertEq(root, _bytes32(".sum_tree.root"));
            vm.assertEq(total, _number(".sum_tree", ".total"));
            vm.assertTrue(addsUp);
        }
        vm.assertGt(found, 2);
    }

    function _opening(string memory key) private view returns (Trees.SumOpening memory opening) {
        bytes32[] memory siblings = vm.parseJsonBytes32Array(json, string.concat(key, ".siblings"));
        uint256[] memory sums = vm.parseJsonUintArray(json, string.concat(key, ".sibling_sums"));
        uint256 own = _number(key, ".sum");
        for (uint256 height; height < 13; ++height) {
            opening.sums[height] = own;
            opening.siblings[height] = Trees.SumNode(siblings[height], sums[height]);
            own += sums[height];
        }
    }

    function test_header() public view {
        Evidence.Header memory header;
        string memory key = ".evidence";
        header.version = uint32(_number(key, ".version"));
        header.federation = _bytes32(".evidence.federation");
        header.round = uint64(_number(key, ".round"));
        header.inputs = _bytes32(".evidence.inputs");
        header.seed = _bytes32(".evidence.seed");
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".evidence.roots");
        vm.assertEq(roots.length, Evidence.KINDS);
        for (uint256 i; i < roots.length; ++i) {
            header.roots[i] = roots[i];
        }
        header.totalBasis = _number(key, ".total_basis");
        header.utilityEmpty = vm.parseJsonInt(json, ".evidence.utility_empty");
        header.utilityAll = vm.parseJsonInt(json, ".evidence.utility_all");
        header.zThousandths = uint32(_number(key, ".z_thousandths"));
        header.denominator = _number(key, ".denominator");
        uint256[] memory tolerances = vm.parseJsonUintArray(json, ".evidence.tolerances");
        for (uint256 i; i < 5; ++i) {
            header.tolerances[i] = uint64(tolerances[i]);
        }
        header.codeVersion = _bytes32(".evidence.code_version");
        vm.assertEq(Evidence.hash(header), _bytes32(".evidence.root"));
        vm.assertEq(header.roots[Evidence.CONTRIBUTION - 1], _bytes32(".sum_tree.root"));
        vm.assertEq(header.roots[Evidence.UPDATE - 1], _bytes32(".update_tree.root"));
    }

    function _item(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    function _number(string memory key, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(key, field));
    }

    function _bytes32(string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, key);
    }
}
