"""Everything that can go wrong on Python's side of the chain, as one family.

LedgerError
├── ChainUnavailable         nothing answers at the URL
├── WrongChain               another chain id, or another genesis, than expected
├── ChainRefused             the node answered a question with an error
├── BlockMissing             the chain has no such block, or not any more
├── NotLocalChain            a command of the local chain was pointed at some other chain
├── TransactionRefused       the chain would not take the transaction (nonce, funds, gas, chain id)
├── StillPending             a transaction was sent and is not mined yet
├── Reverted                 a contract said no, by one of its errors
├── DeploymentMismatch       the code at an address is not the code of the artifact
├── DeploymentExists         the federation is deployed on this chain already
├── DeploymentMissing        no file says where the federation is deployed
├── NeverJoined              an address owns no node of the federation
├── GovernanceError          the terms or the roles of a federation cannot be changed so: see `ledger.governance_errors`
├── JournalUnreadable        the file of transactions under way is damaged
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
    ├── WrongPassphrase      the passphrase does not open the wallet
    └── WrongWallet          the wallet is somebody else's than the one needed

Each error carries the values it speaks of, and its sentence ends with the next step.
"""

from pathlib import Path

from protocol.terminal import ExitCodes


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


class ChainRefused(LedgerError):
    """The node answered a question with an error that is no contract's."""

    def __init__(self, what: str, reason: str):
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: the chain's node answered with an error ({reason}); check that it is in sync, or use another")


class BlockMissing(LedgerError):
    """The chain has no block with this number: not yet, or not any more after a rollback."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(f"the chain has no block {number}; wait for it, or check whether the chain was rolled back")


class NotLocalChain(LedgerError):
    """A command that only makes sense on the local chain was pointed at some other chain."""

    def __init__(self, url: str, reason: str):
        self.url = url
        self.reason = reason
        super().__init__(
            f"{url} is not the local chain of this faucet: {reason}; "
            "name the directory of the chain that answers there by --chain-home, as `fairshare ledger chain --home` did"
        )


class TransactionRefused(LedgerError):
    """The chain would not take a transaction; nothing was mined and no nonce was used."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


class StillPending(LedgerError):
    """A transaction was handed to the chain and is not mined yet. Its `tx_hash` has 32 bytes."""

    def __init__(self, what: str, tx_hash: bytes, waited: float):
        self.what = what
        self.tx_hash = tx_hash
        self.waited = waited
        super().__init__(
            f"{what}: transaction 0x{tx_hash.hex()} is still pending after {waited:.0f} s; "
            "it is safe to do the same again, nothing is sent twice"
        )


class Reverted(LedgerError):
    """A contract reverted.

    `name` and `arguments` are the contract error's, as the ABI decodes them; an error that no known ABI has is
    named by its 4-byte selector. `data` is the revert data as it came: selector, then ABI-encoded arguments.
    `tx_hash` (32 bytes) is the transaction that was mined all the same, or None when none was sent.
    """

    def __init__(self, name: str, arguments: tuple[object, ...], data: bytes, sentence: str = "", tx_hash: bytes | None = None):
        self.name = name
        self.arguments = arguments
        self.data = data
        self.tx_hash = tx_hash
        shown = ", ".join(str(argument) for argument in arguments)
        super().__init__(sentence or f"the contract refused: {name}({shown}); see the reason codes for what to do")


class DeploymentMismatch(LedgerError):
    """The code at an address is not what the artifact says."""

    def __init__(self, contract: str, address: str, reason: str):
        self.contract = contract
        self.address = address
        self.reason = reason
        super().__init__(f"{address} is not this version's {contract}: {reason}; check the deployment file and the chain")


class DeploymentExists(LedgerError):
    """The federation has live contracts on this chain; another deployment would be another federation."""

    def __init__(self, path: Path, ledger: str):
        self.path = path
        self.ledger = ledger
        super().__init__(f"{path} names a living federation at {ledger}; use it, or move the file away to found another one")


class DeploymentMissing(LedgerError):
    """No file says where the federation's contracts are on the chain."""

    def __init__(self, path: Path, reason: str):
        self.path = path
        self.reason = reason
        super().__init__(f"no deployment at {path}: {reason}; run `fairshare ledger deploy` first, or name ledger and chain id")


class NeverJoined(LedgerError):
    """The address owns no node of this federation."""

    def __init__(self, owner: str, ledger: str):
        self.owner = owner
        self.ledger = ledger
        super().__init__(f"{owner} never joined the federation at {ledger}; check the address, which is a node's owner's")


class JournalUnreadable(LedgerError):
    """The file that remembers transactions under way holds something else."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(
            f"{path} is no journal of transactions; restore it, or delete it when no transaction is under way any more"
        )


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
            f"no faucet file at {path} ({reason}); name the directory of the local chain by --chain-home, or get coin of "
            "another chain from whoever has it"
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


class WrongWallet(WalletError):
    """The wallet at the path holds another key than the one needed."""

    def __init__(self, path: Path, found: str, needed: str):
        self.path = path
        self.found = found
        self.needed = needed
        super().__init__(f"{path} is the wallet of {found}, but {needed} is needed; put that account's wallet there")


LEDGER_EXIT_CODES: ExitCodes = {
    WalletError: 20,
    WalletExists: 21,
    WalletMissing: 22,
    WalletUnreadable: 23,
    PassphraseMissing: 24,
    WrongPassphrase: 25,
    WrongWallet: 26,
    LedgerError: 30,
    ChainUnavailable: 31,
    WrongChain: 32,
    NotLocalChain: 33,
    TransactionRefused: 34,
    Reverted: 35,
    DeploymentMismatch: 36,
    LocalChainError: 37,
    StillPending: 38,
    DeploymentExists: 39,
}
"""Exit codes of commands that use the chain, for `protocol.terminal.expecting`."""
