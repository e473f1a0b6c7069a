"""Running a message without a transaction: what stands behind eth_call and eth_estimateGas.

Gas costs nothing here (the caller gives a state whose base fee is 0, as geth does), so that an account without coin
can ask. Value is not free: who sends more than it has is refused.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

from eth.abc import SignedTransactionAPI, StateAPI
from eth.exceptions import Revert, VMError
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address

from ledger.chain.transactions import least_gas
from ledger.errors import TransactionRefused


class Message(NamedTuple):
    """What is run. `to` is empty to run `data` as init code; `gas` None means as much as there is."""

    sender: bytes
    to: bytes
    value: int
    data: bytes
    gas: int | None


class Execution(NamedTuple):
    """How a message ended.

    `failure` is None on success, otherwise what went wrong, in words. `output` is what was returned; of a revert, its
    data. `gas_used` is counted before refunds, so it is the least that had to be offered.
    """

    output: bytes
    gas_used: int
    failure: str | None
    reverted: bool


def run(message: Message, state: StateAPI) -> Execution:
    """Run a message on a state, which is used up by it.

    Raises:
        TransactionRefused: the value is more than the sender has, or the gas less than any transaction needs.
    """
    sender = Address(message.sender)
    gas = min(message.gas or state.gas_limit, state.gas_limit)
    unsigned = PragueVM.create_unsigned_transaction(
        nonce=state.get_nonce(sender),
        gas_price=0,
        gas=gas,
        to=Address(message.to),
        value=message.value,
        data=message.data,
    )
    # Acts as a signed one, but for the signature.
    transaction = cast(SignedTransactionAPI, SpoofTransaction(unsigned, from_=sender))
    if gas < (least := least_gas(transaction)):
        raise TransactionRefused(f"intrinsic gas too low: have {gas}, want {least}")
    if (balance := state.get_balance(sender)) < message.value:
        raise TransactionRefused(
            f"insufficient funds for transfer: address 0x{sender.hex()} has {balance} wei, the value is {message.value}"
        )
    computation = state.apply_transaction(transaction)
    gas_used = max(gas - computation.get_gas_remaining(), least)
    if computation.is_success:
        return Execution(computation.output, gas_used, None, False)
    return Execution(computation.output, gas_used, _in_words(computation.error), isinstance(computation.error, Revert))


def estimate(message: Message, fresh_state: Callable[[], StateAPI]) -> Execution:
    """Find the least gas with which a message succeeds, to 0.5 %: the `gas_used` of what is returned.

    A message that fails even with all the gas there is comes back as that failure.

    Raises:
        TransactionRefused: as `run`.
    """
    limit = fresh_state().gas_limit
    most = min(message.gas or limit, limit)
    generous = run(message._replace(gas=most), fresh_state())
    if generous.failure is not None:
        return generous

    def enough(gas: int) -> bool:
        return run(message._replace(gas=gas), fresh_state()).failure is None

    # What it used is mostly enough; not where an inner call may take only 63/64 of what is left (EIP-150).
    low, high = generous.gas_used - 1, generous.gas_used
    while not enough(high):
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return generous._replace(gas_used=high)


def _in_words(error: VMError) -> str:
    if isinstance(error, Revert):
        return "execution reverted"
    return f"execution failed, {type(error).__name__}: {error}"
