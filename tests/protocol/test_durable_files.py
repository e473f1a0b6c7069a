import stat
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.files import write_durably, write_new_private


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_new_private_file_is_for_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key"
    write_new_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new_private(path, b"other")
    assert path.read_bytes() == b"secret"
    assert list(path.parent.iterdir()) == [path]


def test_a_kill_leaves_one_of_the_two_contents(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [b"a" * 1_000_000, b"b" * 1_000_000]
    write_durably(path, contents[0])
    code = (
        "import sys; from pathlib import Path; from protocol.files import write_durably\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in (b'a', b'b'): write_durably(Path(sys.argv[1]), letter * 1_000_000)\n"
    )
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            writer.kill()
        assert path.read_bytes() in contents
