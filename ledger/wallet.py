"""The wallet: one private key in an encrypted V3 keystore file (Web3 Secret Storage, version 3), and its passphrase.

The passphrase is looked for in this order, and the first source that is set counts:

1. the file named by the command's option,
2. the file named by the environment variable FAIRSHARE_PASSPHRASE_FILE,
3. the environment variable FAIRSHARE_PASSPHRASE,
4. the terminal.

A file is preferred to a variable, as a variable can be read by every process of the same user. It is never an argument
of a command, as those can be read by everyone on the machine.
"""

import getpass
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from ledger.errors import PassphraseMissing, WalletExists, WalletMissing, WalletUnreadable, WrongPassphrase
from protocol.files import write_new_private

STRONG_SCRYPT = 2**18
"""Cost of the key derivation (scrypt n, about a second and 256 MB); a lower one is for tests."""


@dataclass(frozen=True)
class Wallet:
    """A keystore file. Knowing it tells the address; the key needs the passphrase.

    Attributes:
        path: the V3 keystore file, mode 0600.
        address: EIP-55 checksum address of the key inside.
    """

    path: Path
    address: ChecksumAddress

    @classmethod
    def create(cls, path: Path, passphrase: str, key: bytes | None = None, scrypt_n: int = STRONG_SCRYPT) -> Self:
        """Encrypt a private key (32 bytes; a fresh random one by default) into a new file.

        Raises:
            PassphraseMissing: the passphrase is empty.
            WalletExists: there is a file at the path; it is left as it is.
        """
        if not passphrase:
            raise PassphraseMissing("an empty one protects nothing")
        if path.exists():
            raise WalletExists(path)
        account: LocalAccount = Account.create() if key is None else Account.from_key(key)
        keystore = Account.encrypt(account.key, passphrase, kdf="scrypt", iterations=scrypt_n)
        try:
            write_new_private(path, (json.dumps(keystore, indent=2) + "\n").encode())
        except FileExistsError as error:
            raise WalletExists(path) from error
        return cls(path, account.address)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read whose wallet a file is, without the passphrase.

        Raises:
            WalletMissing: no such file.
            WalletUnreadable: not a V3 keystore with an address.
        """
        keystore = _read(path)
        try:
            return cls(path, to_checksum_address(str(keystore["address"])))
        except (KeyError, ValueError) as error:
            raise WalletUnreadable(path, f"no address in it: {error!r}") from error

    def unlock(self, passphrase: str) -> LocalAccount:
        """Decrypt the key, which takes as long as the file's key derivation wants.

        Raises:
            WalletMissing, WalletUnreadable: the file is gone or damaged, or holds another key than its address says.
            WrongPassphrase: this passphrase does not open it.
        """
        keystore = _read(self.path)
        try:
            key = Account.decrypt(keystore, passphrase)
        except ValueError as error:
            # The only sign that eth_keyfile gives of a wrong passphrase; everything else is about the file's form.
            if "MAC mismatch" in str(error):
                raise WrongPassphrase(self.path) from error
            raise WalletUnreadable(self.path, str(error)) from error
        except (KeyError, TypeError, NotImplementedError) as error:
            raise WalletUnreadable(self.path, repr(error)) from error
        account: LocalAccount = Account.from_key(key)
        if account.address != self.address:
            raise WalletUnreadable(self.path, f"it says {self.address}, but holds the key of {account.address}")
        return account


def passphrase_is_given(file: Path | None) -> bool:
    """Whether `read_passphrase` with this file would ask nobody."""
    return file is not None or any(os.environ.get(name) for name in ("FAIRSHARE_PASSPHRASE_FILE", "FAIRSHARE_PASSPHRASE"))


def read_passphrase(
    purpose: str, file: Path | None = None, confirm: bool = False, ask: Callable[[str], str] | None = None
) -> str:
    """Find the passphrase, in the order this module's docstring gives.

    Args:
        purpose: whose passphrase it is, shown at the prompt ("the wallet node.json").
        file: the file of the command's option; its first line counts, without the line end.
        confirm: ask twice, for a new wallet.
        ask: shows a prompt and returns what was typed; by default `getpass` on the terminal, if there is one.

    Raises:
        PassphraseMissing: the source that counts has none, or there is no terminal to ask at.
    """
    if file is None and (named := os.environ.get("FAIRSHARE_PASSPHRASE_FILE")):
        file = Path(named)
    if file is not None:
        return _first_line(file)
    if passphrase := os.environ.get("FAIRSHARE_PASSPHRASE"):
        return passphrase
    if ask is None:
        if not sys.stdin.isatty():
            raise PassphraseMissing("no file or variable is set, and there is no terminal to ask at")
        ask = getpass.getpass
    passphrase = ask(f"Passphrase of {purpose}: ")
    if not passphrase:
        raise PassphraseMissing("nothing was typed")
    if confirm and ask("The same again: ") != passphrase:
        raise PassphraseMissing("the two that were typed differ")
    return passphrase


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PassphraseMissing(f"the passphrase file cannot be read ({error})") from error
    if not lines or not lines[0]:
        raise PassphraseMissing(f"the first line of the passphrase file {file} is empty")
    return lines[0]


def _read(path: Path) -> dict[str, object]:
    try:
        keystore = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise WalletMissing(path) from error
    except (OSError, ValueError) as error:
        raise WalletUnreadable(path, str(error)) from error
    if not isinstance(keystore, dict) or keystore.get("version") != 3:
        raise WalletUnreadable(path, "no version 3 in it")
    return keystore
