import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from protocol.config import FederationConfig, parse_config
from protocol.errors import ConfigError
from tests.protocol import story

TABLES = tomllib.loads(story.CONFIG)
KEYS = [(table, key) for table, values in TABLES.items() for key in values]


def as_toml(tables: dict) -> str:
    def value(found: object) -> str:
        return f'"{found}"' if isinstance(found, str) else str(found).lower()

    parts = [f"[{name}]\n" + "\n".join(f"{key} = {value(v)}" for key, v in rows.items()) for name, rows in tables.items()]
    return "\n".join(parts)


def changed(table: str, key: str, value: object) -> str:
    return as_toml({**TABLES, table: {**TABLES[table], key: value}})


def test_the_story_is_read_and_scaled():
    config = parse_config(story.CONFIG)
    assert config.recipe.learning_rate == 50_000_000
    assert config.recipe.weight_decay == 1
    assert config.pay.pool == 1000 * 10**18
    assert config.gate.norm_multiple == 10_000
    assert config.pay.z == 500
    assert config.round_seconds == 60 + 30 + 60 + 15 + 120 + 60 + 3 * 45


@given(st.permutations(list(TABLES)), st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_order_or_comments(order, random):
    shuffled = {name: dict(random.sample(list(TABLES[name].items()), len(TABLES[name]))) for name in order}
    text = "# another comment\n" + as_toml(shuffled)
    assert parse_config(text).sha256() == parse_config(story.CONFIG).sha256()


def test_the_hash_does_not_depend_on_the_spelling_of_values():
    text = story.CONFIG.replace('"0.05"', '"0.050"').replace('"10"', '"10.000"').replace("= 32", "= 0x20")
    head, table = text.split("[stake]\n")
    rows, tail = table.split("\n\n", 1)
    spelled = rows.replace("3600", "3_600").replace('"', "'")
    inline = f"stake = {{ {', '.join(reversed(spelled.splitlines()))} }}\n{head}{tail}"
    assert inline.count("stake") == 1
    assert parse_config(inline).sha256() == parse_config(story.CONFIG).sha256()


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_value_is_hashed(table: str, key: str):
    found = TABLES[table][key]
    if key == "optimizer":
        other: object = "adam"
    elif key in ("cap", "pool"):
        other = "2000"
    elif key == "proof_fee":
        other = "0.001"
    elif isinstance(found, str) and found[0].isdigit():
        other = {"norm_multiple": "1.125", "reject": "6.125", "expel": "30.125"}.get(key, "0.125")
    else:
        other = found + "x" if isinstance(found, str) else found + 1
    assert parse_config(changed(table, key, other)).sha256() != parse_config(story.CONFIG).sha256()


def test_every_key_of_the_model_is_in_the_story():
    sections: dict[str, Any] = {name: field.annotation for name, field in FederationConfig.model_fields.items()}
    assert all(isinstance(section, type) and issubclass(section, BaseModel) for section in sections.values())
    assert [(name, key) for name, section in sections.items() for key in section.model_fields] == KEYS


def test_text_that_moves_from_one_value_to_the_next_changes_the_hash():
    one = changed("federation", "name", "ab")
    moved = as_toml({**TABLES, "federation": {"name": "a", "task": "b" + TABLES["federation"]["task"]}})
    assert parse_config(one).sha256() != parse_config(moved).sha256()


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_a_missing_key_is_named(table: str, key: str):
    rows = {name: value for name, value in TABLES[table].items() if name != key}
    with pytest.raises(ConfigError, match=rf"{table}\.{key}: Field required"):
        parse_config(as_toml({**TABLES, table: rows}))


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_table_and_an_unknown_key_are_named(table: str):
    with pytest.raises(ConfigError, match=f"{table}: Field required"):
        parse_config(as_toml({name: rows for name, rows in TABLES.items() if name != table}))
    with pytest.raises(ConfigError, match=rf"{table}\.surprise: Extra"):
        parse_config(changed(table, "surprise", 1))


def test_all_faults_are_named_at_once():
    text = story.CONFIG.replace("epochs = 2", "epoch = 2").replace("batch_size = 32", "batch_size = 0") + "[ledger]\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    for key in ("recipe.epochs", "recipe.epoch", "recipe.batch_size", "ledger"):
        assert f"{key}: " in str(caught.value)


@pytest.mark.parametrize(("table", "key"), [(t, k) for t, k in KEYS if str(TABLES[t][k])[0].isdigit() and t != "federation"])
def test_no_number_is_a_float_or_a_boolean(table: str, key: str):
    for value in (0.5, True):
        with pytest.raises(ConfigError, match=rf"{table}\.{key}: "):
            parse_config(changed(table, key, value))


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("recipe", "learning_rate", 0.05, "write this decimal as a string"),
        ("recipe", "learning_rate", "0.0000000001", "more than 9 decimals"),
        ("pay", "z", "0.0005", "more than 3 decimals"),
        ("stake", "minimum", "0.0000000000000000001", "more than 18 decimals"),
        # 31 digits, which decimal.Decimal would have rounded to 28 without a word
        ("pay", "pool", "1000.0000000000000000001", "more than 18 decimals"),
        ("pay", "pool", "999.999999999999999999", "multiple of 10000000"),
        ("pay", "cap", "1" + "0" * 40, "less than"),
        ("pay", "cap", "1" * 79, "not a decimal number"),
        ("recipe", "learning_rate", "1e-3", "not a decimal number"),
        ("recipe", "learning_rate", "1e999999999", "not a decimal number"),
        ("recipe", "learning_rate", "-0.1", "not a decimal number"),
        ("recipe", "learning_rate", "NaN", "not a decimal number"),
        ("recipe", "learning_rate", "Infinity", "not a decimal number"),
        ("recipe", "learning_rate", " 1", "not a decimal number"),
        ("recipe", "learning_rate", "1_0", "not a decimal number"),
        ("recipe", "learning_rate", ".5", "not a decimal number"),
        ("recipe", "learning_rate", "", "not a decimal number"),
        ("recipe", "learning_rate", "1001", "less than or equal"),
        ("recipe", "optimizer", "rmsprop", "'sgd' or 'adam'"),
        ("recipe", "epochs", 0, "greater than 0"),
        ("rounds", "commit_seconds", 0, "greater than 0"),
        ("rounds", "commit_seconds", 10**9 + 1, "less than or equal"),
        ("rounds", "commit_seconds", "60", "valid integer"),
        ("federation", "name", "", "at least 1 character"),
        ("federation", "name", "x" * 81, "at most 80 characters"),
        ("pay", "pool", "0", "greater than 0"),
        ("pay", "pool", "1000001", "above pay.cap"),
        ("stake", "minimum", "0", "greater than 0"),
        ("stake", "proof_fee", "0.0051", "above half of the least deposit"),
        ("rounds", "maximum_pending", 256, "less than or equal to 255"),
        ("stake", "unbonding_seconds", 1920, "above 1920: all the times"),
        ("tolerance", "utility", -1, "greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_said(table: str, key: str, value: object, said: str):
    with pytest.raises(ConfigError, match=said):
        parse_config(changed(table, key, value))


def test_the_limits_themselves_are_allowed():
    assert parse_config(changed("stake", "unbonding_seconds", 1921)).stake.unbonding_seconds == 1921
    assert parse_config(changed("pay", "pool", "0.00000000001")).pay.pool == 10_000_000
    assert parse_config(changed("pay", "pool", "999999.5")).pay.pool == parse_config(story.CONFIG).pay.cap - 5 * 10**17
    assert parse_config(changed("stake", "proof_fee", "0.005")).stake.proof_fee == 5 * 10**15
    assert parse_config(changed("pay", "cap", "100000000000000000000.000000000000000001")).pay.cap == 10**38 + 1


@pytest.mark.parametrize(
    "text", ["[", "name", "a = 1\na = 2", "a = " + "[" * 5000, "a = " + "9" * 5000, "a = 2026-13-45", "a = '\x00'"]
)
def test_what_is_not_toml_is_said(text: str):
    with pytest.raises(ConfigError, match=r"federation\.toml is not valid TOML"):
        parse_config(text)


def test_an_empty_file_names_every_table():
    with pytest.raises(ConfigError) as caught:
        parse_config("")
    assert all(f"{table}: Field required" in str(caught.value) for table in TABLES)
