import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from learning.errors import TaskSourceError
from learning.source import TaskSource, read_task_source

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
TEXT = st.text(max_size=40).filter(lambda text: "\ud800" not in text)
SOURCES = st.builds(
    lambda entry, inner, init: TaskSource(
        entry,
        tuple(sorted({**{f"{name}.py": text.encode() for name, text in inner.items()}, "__init__.py": init.encode()}.items())),
    ),
    NAMES,
    st.dictionaries(NAMES | st.tuples(NAMES, NAMES).map("/".join), TEXT, max_size=4),
    TEXT,
)


@given(SOURCES)
def test_the_text_form_is_exact_in_any_order(source: TaskSource) -> None:
    shuffled = dict(reversed(source.texts().items()))
    again = TaskSource.from_texts(source.entry, shuffled)
    assert again == source
    assert again.sha256() == source.sha256()


@given(SOURCES, SOURCES)
def test_different_sources_have_different_hashes(one: TaskSource, other: TaskSource) -> None:
    assume(one != other)
    assert one.sha256() != other.sha256()


@given(SOURCES, st.data())
def test_every_byte_name_and_entry_changes_the_hash(source: TaskSource, choice: st.DataObject) -> None:
    texts = source.texts()
    path = choice.draw(st.sampled_from(sorted(texts)))
    hashes = {
        source.sha256(),
        TaskSource.from_texts(source.entry + "_", texts).sha256(),
        TaskSource.from_texts(source.entry, {**texts, path: texts[path] + " "}).sha256(),
        TaskSource.from_texts(source.entry, {**texts, "added_here.py": ""}).sha256(),
    }
    if path != "__init__.py":
        renamed = {("renamed_" + key if key == path else key): text for key, text in texts.items()}
        hashes.add(TaskSource.from_texts(source.entry, renamed).sha256())
        assert len(hashes) == 5
    assert len(hashes) >= 4


def test_the_hash_is_over_length_prefixed_parts() -> None:
    source = TaskSource("T", (("t.py", b"x = 1\n"),))
    parts = [b"T", b"t.py", b"x = 1\n"]
    expected = hashlib.sha256(b"fairshare/task/1" + b"".join(len(part).to_bytes(8, "big") + part for part in parts))
    assert source.sha256() == expected.digest()


@pytest.mark.parametrize(
    "path",
    [
        *("../t.py", "/t.py", "a/../t.py", "a//t.py", "./t.py", "C:/t.py", "a\\t.py", ".t.py", ".py", "a.b/t.py", "b/.py"),
        *("t.txt", "t", "t.py\n", "t\0.py", "é.py", "a b.py", "a-b.py", "1.py", ""),
    ],
)
def test_no_file_name_leaves_the_package(path: str) -> None:
    with pytest.raises(TaskSourceError, match="not the relative path of a module"):
        TaskSource.from_texts("T", {"__init__.py": "", path: ""})


@pytest.mark.parametrize("entry", ["", "a.b", "1a", "a b", "é", "a\n", "../a"])
def test_an_entry_is_the_name_of_a_class(entry: str) -> None:
    with pytest.raises(TaskSourceError, match="name of a class"):
        TaskSource.from_texts(entry, {"t.py": ""})


def test_only_one_file_or_a_package_is_a_task() -> None:
    for texts in ({}, {"a.py": "", "b.py": ""}, {"a/b.py": ""}, {"a/__init__.py": ""}):
        with pytest.raises(TaskSourceError, match="one file, or a package"):
            TaskSource.from_texts("T", texts)


def test_files_out_of_order_or_twice_are_refused() -> None:
    for paths in (("b.py", "__init__.py"), ("__init__.py", "__init__.py")):
        with pytest.raises(TaskSourceError, match="ascending"):
            TaskSource("T", tuple((path, b"") for path in paths))


def test_size_and_number_of_files_are_limited() -> None:
    TaskSource("T", (("t.py", b" " * (1 << 20)),))
    with pytest.raises(TaskSourceError, match="limits are 256"):
        TaskSource("T", (("t.py", b" " * ((1 << 20) + 1)),))
    with pytest.raises(TaskSourceError, match="257 files"):
        TaskSource.from_texts("T", {"__init__.py": "", **{f"m{number}.py": "" for number in range(256)}})


def test_text_that_is_not_utf8_is_refused_both_ways() -> None:
    with pytest.raises(TaskSourceError, match=r"t.py is not UTF-8.*at byte 1"):
        TaskSource("T", (("t.py", b"#\xe9"),))
    with pytest.raises(TaskSourceError, match="cannot be encoded"):
        TaskSource.from_texts("T", {"t.py": "\ud800"})


def test_digits_is_read_from_its_own_package() -> None:
    source = read_task_source("digits")
    assert source.entry == "Digits"
    assert source.is_package
    assert [path for path, _ in source.files] == ["__init__.py"]
    assert read_task_source("learning.tasks.digits:Digits") == source


def test_a_file_is_read_byte_for_byte(tmp_path: Path) -> None:
    content = "# ünï\r\nx = 1\n".encode()
    (tmp_path / "mine.py").write_bytes(content)
    source = read_task_source(f"{tmp_path}/mine.py:Mine")
    assert source == TaskSource("Mine", (("mine.py", content),))
    assert not source.is_package


def _package(folder: Path) -> None:
    for path in ("__init__.py", "b.py", "inner/a.py", "inner/__init__.py"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"# {path}")
    for path in ("data.csv", ".hidden/x.py", ".ipynb_checkpoints/b.py", "not-a-module.py", "__pycache__/b.pyc"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")


def test_a_package_is_every_module_in_its_folder_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path / "mypackage")
    source = read_task_source(f"{tmp_path}/mypackage:Mine")
    assert [path for path, _ in source.files] == ["__init__.py", "b.py", "inner/__init__.py", "inner/a.py"]
    monkeypatch.chdir(tmp_path)
    assert read_task_source("mypackage:Mine") == source
    assert read_task_source("mypackage.inner:Mine").texts() == {
        "__init__.py": "# inner/__init__.py",
        "a.py": "# inner/a.py",
    }
    assert read_task_source("mypackage.b:Mine").texts() == {"b.py": "# b.py"}


def test_a_package_on_pythons_path_is_found_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("raise SystemExit('ran')")
    (tmp_path / "loud" / "inner.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(read_task_source("loud:Mine").files) == 2
    assert len(read_task_source("loud.inner:Mine").files) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", r"names no task: use a built-in one \(.*digits.*\)"),
        ("", "names no task"),
        ("digits:", "names no task"),
        (":Name", "names no task"),
        ("no_such_package:Name", "no Python package 'no_such_package'"),
        ("learning.nothing:Name", "no Python package"),
        ("sys:Name", "no Python package"),
        ("nowhere/file.py:Name", "cannot be read .No such file"),
        ("nowhere/folder:Name", "cannot be read .No such file"),
    ],
)
def test_nothing_there_says_what_to_name_instead(name: str, message: str) -> None:
    with pytest.raises(TaskSourceError, match=message):
        read_task_source(name)


def test_a_folder_that_is_no_package_says_so(tmp_path: Path) -> None:
    with pytest.raises(TaskSourceError, match=r"has no __init__\.py"):
        read_task_source(f"{tmp_path}:Name")


def test_a_file_whose_name_cannot_be_imported_says_how_to_name_it(tmp_path: Path) -> None:
    (tmp_path / "my-task.py").touch()
    with pytest.raises(TaskSourceError, match="name it with letters, digits and _"):
        read_task_source(f"{tmp_path}/my-task.py:Name")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_circle_of_links_does_not_hang(tmp_path: Path) -> None:
    _package(tmp_path / "mypackage")
    (tmp_path / "mypackage" / "again").symlink_to(tmp_path / "mypackage")
    assert len(read_task_source(f"{tmp_path}/mypackage:Mine").files) == 4


def test_reading_and_showing_a_task_needs_no_torch() -> None:
    code = "import sys; from learning.source import read_task_source as r; r('digits').texts(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
