import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import PassphraseMissing, WalletExists, WalletMissing, WalletUnreadable, WrongPassphrase
from ledger.wallet import STRONG_SCRYPT, Wallet, read_passphrase

CHEAP = 2
KEY = bytes(31) + b"\x2a"

# From the definition of the format (Web3 Secret Storage, test vector "Scrypt").
VECTOR = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "address": "008aeeda4d805471df9b2a5b0f38a0c3bcba786b",
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
VECTOR_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


@pytest.fixture(autouse=True)
def _no_passphrase_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE", raising=False)
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE_FILE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.json"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.binary(min_size=32, max_size=32).filter(lambda key: 0 < key[0] < 255), passphrase=st.text(min_size=1))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, key: bytes, passphrase: str) -> None:
    path = tmp_path_factory.mktemp("wallet") / "wallet.json"
    created = Wallet.create(path, passphrase, key, CHEAP)
    opened = Wallet.open(path)
    assert opened == created
    assert bytes(opened.unlock(passphrase).key) == key
    assert opened.address == Account.from_key(key).address


def test_a_keystore_of_the_standard_opens(path: Path) -> None:
    path.write_text(json.dumps(VECTOR))
    assert Wallet.open(path).unlock("testpassword").key.hex().removeprefix("0x") == VECTOR_KEY


def test_the_key_is_not_in_the_file_and_fresh_by_default(tmp_path: Path) -> None:
    one = Wallet.create(tmp_path / "one", "secret", KEY, CHEAP)
    assert KEY.hex() not in one.path.read_text()
    two, three = (Wallet.create(tmp_path / name, "secret", scrypt_n=CHEAP) for name in ("two", "three"))
    assert len({one.address, two.address, three.address}) == 3


def test_the_default_cost_is_that_of_the_standard(path: Path) -> None:
    Wallet.create(path, "secret", KEY)
    crypto = json.loads(path.read_text())["crypto"]
    assert (crypto["kdf"], crypto["kdfparams"]["n"]) == ("scrypt", STRONG_SCRYPT) == ("scrypt", 262_144)


def test_the_file_is_its_owners_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    wallet = Wallet.create(tmp_path / "new" / "wallet.json", "secret", KEY, CHEAP)
    assert wallet.path.stat().st_mode & 0o777 == 0o600
    assert list(wallet.path.parent.iterdir()) == [wallet.path]


def test_a_file_is_never_overwritten(path: Path) -> None:
    Wallet.create(path, "secret", KEY, CHEAP)
    before = path.read_bytes()
    with pytest.raises(WalletExists, match=r"wallet\.json exists and is not overwritten"):
        Wallet.create(path, "other", scrypt_n=CHEAP)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_appears_in_the_meantime_is_not_overwritten_either(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypt: Callable[..., Any] = Account.encrypt

    def slow_encrypt(*arguments: Any, **named: Any) -> Any:
        path.write_text("another process was faster")
        return encrypt(*arguments, **named)

    monkeypatch.setattr(Account, "encrypt", slow_encrypt)
    with pytest.raises(WalletExists):
        Wallet.create(path, "secret", KEY, CHEAP)
    assert path.read_text() == "another process was faster"
    assert list(path.parent.iterdir()) == [path]


def test_a_wrong_passphrase_is_told_with_the_next_step(path: Path) -> None:
    wallet = Wallet.create(path, "secret", KEY, CHEAP)
    with pytest.raises(WrongPassphrase, match=r"does not open .*wallet\.json; try again"):
        wallet.unlock("Secret")


def test_an_empty_passphrase_is_refused(path: Path) -> None:
    with pytest.raises(PassphraseMissing):
        Wallet.create(path, "", KEY, CHEAP)
    assert not path.exists()


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(WalletMissing, match=r"no wallet at .*wallet\.json"):
        Wallet.open(path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 4}', '{"version": 3}', '{"version": 3, "address": "0x12"}', "\udcff"]
)
def test_what_is_no_keystore_is_told(path: Path, content: str) -> None:
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(WalletUnreadable, match=r"wallet\.json is not an encrypted V3 keystore"):
        Wallet.open(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"crypto": {}},
        {"crypto": None},
        {"crypto": {**VECTOR["crypto"], "kdf": "md5"}},  # type: ignore[dict-item]
        {"crypto": {**VECTOR["crypto"], "ciphertext": "xyz"}},  # type: ignore[dict-item]
        {"crypto": {**VECTOR["crypto"], "kdfparams": {"n": 3}}},  # type: ignore[dict-item]
    ],
)
def test_a_damaged_keystore_is_told_when_it_is_unlocked(path: Path, damage: dict[str, Any]) -> None:
    path.write_text(json.dumps({**VECTOR, **damage}))
    with pytest.raises(WalletUnreadable, match=r"wallet\.json"):
        Wallet.open(path).unlock("testpassword")


def test_an_address_that_is_not_the_keys_is_told(path: Path) -> None:
    Wallet.create(path, "secret", KEY, CHEAP)
    other = Account.from_key(VECTOR_KEY).address
    path.write_text(json.dumps({**json.loads(path.read_text()), "address": other}))
    with pytest.raises(WalletUnreadable, match=f"it says {other}, but holds the key of"):
        Wallet.open(path).unlock("secret")


# --- the passphrase


def typed(*answers: str) -> Callable[[str], str]:
    waiting = list(answers)
    return lambda prompt: waiting.pop(0)


def never(prompt: str) -> str:
    raise AssertionError(f"asked: {prompt}")


def test_sources_are_read_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option, named = tmp_path / "option", tmp_path / "named"
    option.write_text("by option\n")
    named.write_text("by named file\r\nsecond line")
    assert read_passphrase("it", ask=typed("by hand")) == "by hand"
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "by variable")
    assert read_passphrase("it", ask=never) == "by variable"
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE_FILE", str(named))
    assert read_passphrase("it", ask=never) == "by named file"
    assert read_passphrase("it", option, ask=never) == "by option"


def test_the_prompt_says_what_for() -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "secret"

    read_passphrase("the wallet x", ask=ask)
    assert prompts == ["Passphrase of the wallet x: "]


def test_a_new_passphrase_is_asked_for_twice() -> None:
    assert read_passphrase("it", confirm=True, ask=typed("secret", "secret")) == "secret"
    with pytest.raises(PassphraseMissing, match="differ"):
        read_passphrase("it", confirm=True, ask=typed("secret", "Secret"))


def test_a_source_that_is_set_but_has_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\nsecret\n")
    with pytest.raises(PassphraseMissing, match=r"first line of the passphrase file .*empty is empty"):
        read_passphrase("it", empty, ask=never)
    with pytest.raises(PassphraseMissing, match="cannot be read"):
        read_passphrase("it", tmp_path / "missing", ask=never)
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "secret")
    with pytest.raises(PassphraseMissing, match="cannot be read"):
        read_passphrase("it", ask=never)
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE_FILE")
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE")
    with pytest.raises(PassphraseMissing, match="nothing was typed"):
        read_passphrase("it", ask=typed(""))


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "stdin").open("w+") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(PassphraseMissing, match=r"no terminal .*FAIRSHARE_PASSPHRASE_FILE"):
            read_passphrase("it")
