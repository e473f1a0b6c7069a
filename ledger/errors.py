"""Everything that can go wrong on Python's side of the chain, as one family.

LedgerError
├── ChainUnavailable         nothing answers at the URL
├── WrongChain               another chain id, or another genesis, than expected
├── NotLocalChain            a command of the local chain was pointed at some other chain
├── TransactionRefused       the chain would not take the transaction (nonce, funds, gas, chain id)
├── Reverted                 a contract said no, by one of its errors
├── DeploymentMismatch       the code at an address is not the code of the artifact
├── LocalChainError          the local chain cannot be served
│   ├── DatabaseInUse        another process serves this database
│   ├── NotAChainDatabase    the file holds something else
│   ├── PortInUse            another program listens on the port
│   └── FaucetUnreadable     there is no faucet file at the path
└── WalletError
    ├── WalletExists         a wallet file is never overwritten
    ├── WalletMissing        no file at the path
    ├── WalletUnreadable     the file is no V3 keystore
    ├── PassphraseMissing    no source gave a passphrase
    └── WrongPassphrase      the passphrase does not open the wallet

Each error carries the values it speaks of, and its sentence ends with the next step.
"""

from pathlib import Path


class LedgerError(Exception):
    """Base of all errors of this package."""


class ChainUnavailable(LedgerError):
    """Nothing answers at the URL."""

    def __init__(self, url: str, reason: str):
        self.url = url
        self.reason = reason
        super().__init__(f"no chain answers at {url} ({reason}); start one with `fairshare ledger chain` or check the URL")


class WrongChain(LedgerError):
    """What was found (in a file or behind a URL) belongs to another chain than the one expected."""

    def __init__(self, place: str, expected: int, found: int):
        self.place = place
        self.expected = expected
        self.found = found
        super().__init__(
            f"{place} is of chain {found}, but chain {expected} is expected; check the URL, the file and the chain id"
        )


class NotLocalChain(LedgerError):
    """A command that only makes sense on the local chain was pointed at some other chain."""

    def __init__(self, url: str, reason: str):
        self.url = url
        self.reason = reason
        super().__init__(
            f"{url} is not the local chain of this faucet: {reason}; "
            "funds come only from the faucet of a chain started with `fairshare ledger chain`"
        )


class TransactionRefused(LedgerError):
    """The chain would not take a transaction; nothing was mined and no nonce was used."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


class Reverted(LedgerError):
    """A contract reverted.

    `name` and `arguments` are the contract error's, as the ABI decodes them; an error that no known ABI has is
    named by its 4-byte selector. `data` is the revert data as it came: selector, then ABI-encoded arguments.
    """

    def __init__(self, name: str, arguments: tuple[object, ...], data: bytes):
        self.name = name
        self.arguments = arguments
        self.data = data
        super().__init__(f"the contract refused: {name}({', '.join(str(argument) for argument in arguments)})")


class DeploymentMismatch(LedgerError):
    """The code at an address is not what the artifact says."""

    def __init__(self, contract: str, address: str, reason: str):
        self.contract = contract
        self.address = address
        self.reason = reason
        super().__init__(f"{address} is not this version's {contract}: {reason}; check the deployment file and the chain")


class LocalChainError(LedgerError):
    """The local chain cannot be served."""


class DatabaseInUse(LocalChainError):
    """Another process has the chain's database open."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(f"another process serves the chain in {path}; stop it, or use another database file")


class NotAChainDatabase(LocalChainError):
    """The file cannot be opened as the database of a local chain."""

    def __init__(self, path: Path, reason: str):
        self.path = path
        self.reason = reason
        super().__init__(f"{path} is not the database of a local chain ({reason}); use another path")


class PortInUse(LocalChainError):
    """The port cannot be bound."""

    def __init__(self, port: int, reason: str):
        self.port = port
        self.reason = reason
        super().__init__(f"cannot listen on 127.0.0.1:{port} ({reason}); use another port, or 0 for any free one")


class FaucetUnreadable(LocalChainError):
    """The faucet's file is missing or not one."""

    def __init__(self, path: Path, reason: str):
        self.path = path
        self.reason = reason
        super().__init__(
            f"no faucet file at {path} ({reason}); it lies beside the chain's database, written when the chain starts"
        )


class WalletError(LedgerError):
    """Something about a wallet file or its passphrase."""


class WalletExists(WalletError):
    """There is a file already where a new wallet should go."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(f"{path} exists and is not overwritten, as it may hold the only copy of a key; use another path")


class WalletMissing(WalletError):
    """There is no wallet file."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(f"no wallet at {path}; create one, or check the path")


class WalletUnreadable(WalletError):
    """The file is not an encrypted V3 keystore."""

    def __init__(self, path: Path, reason: str):
        self.path = path
        self.reason = reason
        super().__init__(f"{path} is not an encrypted V3 keystore ({reason}); restore it from a copy")


class PassphraseMissing(WalletError):
    """No source gave a passphrase."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(f"no passphrase: {reason}; set FAIRSHARE_PASSPHRASE_FILE or FAIRSHARE_PASSPHRASE, or run on a terminal")


class WrongPassphrase(WalletError):
    """The passphrase does not open the wallet."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(
            f"the passphrase does not open {path}; try again, and check FAIRSHARE_PASSPHRASE_FILE and FAIRSHARE_PASSPHRASE, "
            "which are read before anyone is asked"
        )
