"""Coin for the local chain: a file with the key of the account that was funded at genesis, and `fund`, which spends it.

The file is the right to the coin, so it is readable by its owner alone. It names its chain by id and genesis hash;
`fund` checks both against the chain behind the URL, so it cannot sign for anything but the chain that made the file.
"""

import os
import secrets
from pathlib import Path
from typing import Self

from eth_account import Account
from eth_utils.address import to_checksum_address
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import TxParams, Wei

from ledger.chain.engine import Engine
from ledger.chain.methods import CLIENT_VERSION
from ledger.chain.wire import Word
from ledger.connection import provider_at
from ledger.errors import FaucetUnreadable, NotLocalChain, TransactionRefused

_ATTEMPTS = 20


def faucet_path(database: Path) -> Path:
    """Return where the faucet's file of a chain database lies: beside it."""
    return database.with_name(database.name + ".faucet.json")


class FaucetFile(BaseModel):
    """The faucet's file: which chain it is for, and the private key (32 bytes) that holds its coin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_id: int
    genesis_hash: Word
    private_key: Word = Field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            FaucetUnreadable: it is not there, or not a faucet's file.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise FaucetUnreadable(path, (error.strerror or str(error)).lower()) from error
        except ValidationError as error:
            raise FaucetUnreadable(path, "it is something else") from error

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Describe the faucet of an open chain."""
        return cls(chain_id=engine.chain_id, genesis_hash=engine.genesis_hash, private_key=engine.faucet_key)

    def write(self, path: Path) -> None:
        """Put the file in place at once and whole, mode 0600; a former one is replaced."""
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
        temporary.replace(path)


def fund(url: str, faucet: Path, address: str, amount: int) -> str:
    """Send `amount` wei from the local chain's faucet to an address and return the transaction's hash, mined.

    Raises:
        ChainUnavailable: nothing answers at the URL.
        FaucetUnreadable: there is no faucet file at the path.
        NotLocalChain: what answers is not the chain that the faucet file belongs to.
        TransactionRefused: the faucet is empty.
    """
    file = FaucetFile.read(faucet)
    web3 = Web3(provider_at(url, file.chain_id))
    _check_chain(web3, file, url)
    return _send(web3, file, address, amount)


def _check_chain(web3: Web3, file: FaucetFile, url: str) -> None:
    if (name := web3.client_version) != CLIENT_VERSION:
        raise NotLocalChain(url, f"{name} answers, and not {CLIENT_VERSION}")
    if (chain_id := web3.eth.chain_id) != file.chain_id:
        raise NotLocalChain(url, f"its chain id is {chain_id}, the faucet is of chain {file.chain_id}")
    if (genesis := bytes(web3.eth.get_block(0)["hash"])) != file.genesis_hash:
        raise NotLocalChain(url, f"its genesis is 0x{genesis.hex()}, the faucet's 0x{file.genesis_hash.hex()}")


def _send(web3: Web3, file: FaucetFile, address: str, amount: int) -> str:
    account = Account.from_key(file.private_key)
    to = to_checksum_address(address)
    for _ in range(_ATTEMPTS):
        try:
            transaction: TxParams = {
                "chainId": file.chain_id,
                "nonce": web3.eth.get_transaction_count(account.address),
                "to": to,
                "value": Wei(amount),
                "gas": web3.eth.estimate_gas({"from": account.address, "to": to, "value": Wei(amount)}),
                "gasPrice": web3.eth.gas_price,
            }
            return web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction).to_0x_hex()
        except Web3RPCError as error:
            reason = (error.rpc_response or {}).get("error", {}).get("message", str(error))
            if "nonce too low" not in reason:
                raise TransactionRefused(reason) from error
            # Another process took the nonce between our question and our transaction.
    raise TransactionRefused(f"the faucet is too busy: {_ATTEMPTS} attempts lost their nonce to others")
