"""From py-evm's blocks, transactions, receipts and logs to the objects on the wire."""

from typing import Any, cast

import rlp
from eth.abc import BlockAPI, BlockHeaderAPI
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_utils.crypto import keccak

from ledger.chain import wire
from ledger.chain.engine import Mined
from ledger.chain.logs import Found
from ledger.chain.transactions import base_fee_of, kind_of, price_paid


def block_of(block: BlockAPI, pending: bool) -> wire.Block:
    """Describe a block, its transactions by hash. A pending block's hash is null: it is not settled."""
    return wire.Block(
        **_header_fields(block.header, pending),
        size=len(rlp.encode(block)),
        transactions=[transaction.hash for transaction in block.transactions],
    )


def full_block_of(block: BlockAPI, pending: bool, mined: Mined | None) -> wire.FullBlock:
    """Describe a block with its transaction, if there is one, in full."""
    return wire.FullBlock(
        **_header_fields(block.header, pending),
        size=len(rlp.encode(block)),
        transactions=[transaction_of(mined)] if mined else [],
    )


def transaction_of(mined: Mined) -> wire.Transaction:
    """Describe a mined transaction."""
    header, transaction, _ = mined
    kind = kind_of(transaction)
    chain_id = transaction.chain_id
    assert chain_id is not None, "transactions without a chain id are refused"
    # Typed transactions carry the parity itself, legacy ones a v that has the chain id in it (EIP-155).
    v = transaction.y_parity if kind else chain_id * 2 + 35 + transaction.y_parity
    return wire.Transaction(
        hash=transaction.hash,
        type=kind,
        nonce=transaction.nonce,
        block_hash=header.hash,
        block_number=header.block_number,
        transaction_index=0,
        sender=transaction.sender,
        to=transaction.to or None,
        value=transaction.value,
        gas=transaction.gas,
        gas_price=price_paid(transaction, header),
        max_fee_per_gas=transaction.max_fee_per_gas if kind == 2 else None,
        max_priority_fee_per_gas=transaction.max_priority_fee_per_gas if kind == 2 else None,
        access_list=[
            wire.AccessListEntry(address=address, storage_keys=[slot.to_bytes(32, "big") for slot in slots])
            for address, slots in transaction.access_list
        ]
        if kind
        else None,
        input=transaction.data,
        chain_id=chain_id,
        v=v,
        y_parity=transaction.y_parity if kind else None,
        r=transaction.r,
        s=transaction.s,
    )


def receipt_of(mined: Mined) -> wire.Receipt:
    """Describe how a mined transaction went."""
    header, transaction, receipt = mined
    return wire.Receipt(
        transaction_hash=transaction.hash,
        transaction_index=0,
        block_hash=header.hash,
        block_number=header.block_number,
        sender=transaction.sender,
        to=transaction.to or None,
        contract_address=None if transaction.to else _created(transaction.sender, transaction.nonce),
        # A block has one transaction, so what it used in total is what this one used.
        cumulative_gas_used=receipt.gas_used,
        gas_used=receipt.gas_used,
        effective_gas_price=price_paid(transaction, header),
        logs=[log_of(Found(mined, position, log)) for position, log in enumerate(receipt.logs)],
        logs_bloom=receipt.bloom.to_bytes(256, "big"),
        type=kind_of(transaction),
        # Since Byzantium (EIP-658) the field of the state root holds the status.
        status=int.from_bytes(receipt.state_root, "big"),
    )


def log_of(found: Found) -> wire.Log:
    """Describe one event."""
    header, transaction, _ = found.mined
    return wire.Log(
        address=found.log.address,
        topics=[topic.to_bytes(32, "big") for topic in found.log.topics],
        data=found.log.data,
        block_number=header.block_number,
        block_hash=header.hash,
        block_timestamp=header.timestamp,
        transaction_hash=transaction.hash,
        transaction_index=0,
        log_index=found.position,
    )


def _header_fields(header: BlockHeaderAPI, pending: bool) -> dict[str, Any]:
    return {
        "number": header.block_number,
        "hash": None if pending else header.hash,
        "parent_hash": header.parent_hash,
        "nonce": header.nonce,
        "sha3_uncles": header.uncles_hash,
        "logs_bloom": header.bloom.to_bytes(256, "big"),
        "transactions_root": header.transaction_root,
        "state_root": header.state_root,
        "receipts_root": header.receipt_root,
        "miner": header.coinbase,
        "difficulty": header.difficulty,
        "extra_data": header.extra_data,
        "gas_limit": header.gas_limit,
        "gas_used": header.gas_used,
        "timestamp": header.timestamp,
        "mix_hash": header.mix_hash,
        "base_fee_per_gas": base_fee_of(header),
        "withdrawals_root": header.withdrawals_root,
        "blob_gas_used": header.blob_gas_used,
        "excess_blob_gas": header.excess_blob_gas,
        "parent_beacon_block_root": header.parent_beacon_block_root,
        "requests_hash": cast(PragueBlockHeader, header).requests_hash,
    }


def _created(sender: bytes, nonce: int) -> bytes:
    """Return the address of a contract created by a transaction (Yellow Paper, eq. 88)."""
    return bytes(keccak(rlp.encode([sender, nonce]))[-20:])
