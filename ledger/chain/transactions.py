"""Which signed transactions the local chain takes, and why it refuses the others.

py-evm executes what it is given: it never looks at the chain id (so a transaction signed for another chain would be
mined, a replay), knows the calldata floor only when it is too late, and says of the rest that it is invalid. The rules
here are those of a node, in sentences that say what would have been taken.
"""

from typing import cast

import rlp
from eth.abc import BlockHeaderAPI, SignedTransactionAPI, StateAPI
from eth.constants import GAS_TX
from eth.exceptions import PyEVMError
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.constants import STANDARD_TOKEN_COST, TOTAL_COST_FLOOR_PER_TOKEN
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from ledger.errors import TransactionRefused

# Legacy, EIP-2930 and EIP-1559. Blobs need a sidecar that nobody keeps here, delegated accounts nobody uses.
_TYPES = (0, 1, 2)


def decode(raw: bytes) -> SignedTransactionAPI:
    """Read a signed transaction from its wire form (EIP-2718 envelope, or RLP for a legacy one).

    Raises:
        TransactionRefused: it is no transaction, badly signed, or of a type not supported.
    """
    try:
        transaction = PragueVM.get_transaction_builder().decode(raw)
        if (kind := kind_of(transaction)) not in _TYPES:
            raise TransactionRefused(f"transactions of type {kind} are not supported on the local chain")
        transaction.validate()
    except (rlp.exceptions.RLPException, PyEVMError, ValidationError, BadSignature, IndexError) as error:
        raise TransactionRefused(f"not a valid signed transaction: {error}") from error
    return transaction


def check(transaction: SignedTransactionAPI, chain_id: int, state: StateAPI, header: BlockHeaderAPI) -> None:
    """Return only if the block with this header, on this state, can take the transaction.

    Raises:
        TransactionRefused: another chain's, or wrong nonce, or too little gas, fee or coin.
    """
    if transaction.chain_id != chain_id:
        found = "none (it is not replay-protected, EIP-155)" if transaction.chain_id is None else transaction.chain_id
        raise TransactionRefused(f"invalid chain id: this chain is {chain_id}, the transaction has {found}")
    sender, gas = transaction.sender, transaction.gas
    nonce = state.get_nonce(sender)
    if transaction.nonce < nonce:
        raise TransactionRefused(f"nonce too low: next nonce is {nonce}, the transaction has {transaction.nonce}")
    if transaction.nonce > nonce:
        raise TransactionRefused(
            f"nonce too high: next nonce is {nonce}, the transaction has {transaction.nonce}, "
            "and nothing that cannot be mined at once is kept"
        )
    if gas < (least := least_gas(transaction)):
        raise TransactionRefused(f"intrinsic gas too low: have {gas}, want {least}")
    if gas > header.gas_limit:
        raise TransactionRefused(f"exceeds block gas limit: have {gas}, the limit is {header.gas_limit}")
    fee, base_fee = transaction.max_fee_per_gas, base_fee_of(header)
    if fee < base_fee:
        raise TransactionRefused(f"max fee per gas less than block base fee: {fee} < {base_fee}")
    if fee < transaction.max_priority_fee_per_gas:
        raise TransactionRefused(
            f"max priority fee per gas higher than max fee per gas: {transaction.max_priority_fee_per_gas} > {fee}"
        )
    cost = transaction.value + gas * fee
    if (balance := state.get_balance(sender)) < cost:
        raise TransactionRefused(
            f"insufficient funds for gas * price + value: address 0x{sender.hex()} has {balance} wei and needs {cost}"
        )


def least_gas(transaction: SignedTransactionAPI) -> int:
    """Return the gas a transaction must offer whatever it does: intrinsic gas, or the calldata floor (EIP-7623)."""
    zeros = transaction.data.count(0)
    tokens = zeros + STANDARD_TOKEN_COST * (len(transaction.data) - zeros)
    return max(transaction.intrinsic_gas, GAS_TX + TOTAL_COST_FLOOR_PER_TOKEN * tokens)


def kind_of(transaction: SignedTransactionAPI) -> int:
    """Return the EIP-2718 type; 0 for a legacy transaction."""
    return int(getattr(transaction, "type_id", None) or 0)


def price_paid(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """Return what a unit of gas cost in the block with this header, in wei (EIP-1559)."""
    return min(transaction.max_fee_per_gas, base_fee_of(header) + transaction.max_priority_fee_per_gas)


def base_fee_of(header: BlockHeaderAPI) -> int:
    """Return the base fee of a block in wei; all blocks here have one (EIP-1559)."""
    return cast(int, header.base_fee_per_gas)
