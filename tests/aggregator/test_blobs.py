import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.blobs import BlobStore
from aggregator.errors import BlobMissing, BlobTooLarge

NAME = bytes(range(32))


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "deep" / "blobs")


def files(blobs: BlobStore) -> list[str]:
    return sorted(path.name for path in blobs.path(NAME).parent.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(1 << 20)])
def test_what_was_put_is_there(blobs: BlobStore, data: bytes) -> None:
    assert not blobs.has(NAME)
    blobs.put(NAME, data)
    assert blobs.has(NAME)
    assert blobs.get(NAME) == BlobStore(blobs.path(NAME).parent).get(NAME) == data
    assert files(blobs) == [NAME.hex()]


def test_a_missing_blob_is_named(blobs: BlobStore) -> None:
    with pytest.raises(BlobMissing, match=NAME.hex()) as caught:
        blobs.get(NAME)
    assert caught.value.name == NAME


def test_a_blob_that_is_there_stays_as_it_is(blobs: BlobStore) -> None:
    blobs.put(NAME, b"first")
    blobs.put(NAME, b"second")
    assert blobs.get(NAME) == b"first"


def test_chunks_are_hashed_as_they_arrive(blobs: BlobStore) -> None:
    chunks = [b"one", b"", b"two" * 1000]
    with blobs.receive(limit=3003) as incoming:
        for chunk in chunks:
            incoming.write(chunk)
        assert (incoming.size, incoming.sha256) == (3003, hashlib.sha256(b"".join(chunks)).digest())
        assert incoming.path.read_bytes() == b"".join(chunks)
        assert not blobs.has(incoming.sha256)
        blobs.keep(incoming, incoming.sha256)
    assert blobs.get(hashlib.sha256(b"".join(chunks)).digest()) == b"".join(chunks)


@pytest.mark.parametrize("sizes", [[11], [10, 1], [1] * 11])
def test_too_much_is_refused_as_soon_as_it_arrives_and_leaves_nothing(blobs: BlobStore, sizes: list[int]) -> None:
    def arrive() -> None:
        with blobs.receive(limit=10) as incoming:
            for size in sizes:
                incoming.write(bytes(size))

    with pytest.raises(BlobTooLarge, match="more than 10 bytes"):
        arrive()
    assert files(blobs) == []


def test_exactly_the_limit_is_taken(blobs: BlobStore) -> None:
    with blobs.receive(limit=10) as incoming:
        incoming.write(bytes(10))
        blobs.keep(incoming, NAME)
    assert blobs.get(NAME) == bytes(10)


def test_what_is_not_kept_is_gone(blobs: BlobStore) -> None:
    with blobs.receive(limit=10) as incoming:
        incoming.write(b"unwanted")
    assert files(blobs) == []


def test_a_sender_that_hangs_up_leaves_nothing(blobs: BlobStore) -> None:
    def arrive() -> None:
        with blobs.receive(limit=10) as incoming:
            incoming.write(b"half")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        arrive()
    assert files(blobs) == []


def test_two_may_arrive_at_once_even_under_one_name(blobs: BlobStore) -> None:
    with blobs.receive(limit=10) as one, blobs.receive(limit=10) as other:
        one.write(b"same")
        other.write(b"same")
        blobs.keep(one, NAME)
        blobs.keep(other, NAME)
    assert blobs.get(NAME) == b"same"
    assert files(blobs) == [NAME.hex()]


WRITER = """
import sys
from pathlib import Path
from aggregator.blobs import BlobStore

blobs = BlobStore(Path(sys.argv[1]))
with blobs.receive(1 << 40) as incoming:
    for number in range(1 << 30):
        incoming.write(bytes([number % 251]) * 65536)
        if number == 40:
            print("writing", flush=True)
"""

KEEPER = """
import hashlib, itertools, sys
from pathlib import Path
from aggregator.blobs import BlobStore

blobs = BlobStore(Path(sys.argv[1]))
for number in itertools.count():
    data = number.to_bytes(8) * 20000
    blobs.put(hashlib.sha256(data).digest(), data)
    if number == 20:
        print("writing", flush=True)
"""


@pytest.mark.parametrize("script", [WRITER, KEEPER], ids=["while a blob arrives", "between many blobs"])
def test_a_kill_leaves_whole_blobs_or_none(blobs: BlobStore, script: str) -> None:
    directory = blobs.path(NAME).parent
    with subprocess.Popen([sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    kept = [name for name in files(blobs) if not name.startswith(".incoming-")]
    for name in kept:
        assert hashlib.sha256(blobs.get(bytes.fromhex(name))).hexdigest() == name
    assert len(kept) >= 20 if script is KEEPER else kept == []
    blobs.put(NAME, b"goes on")
    assert blobs.get(NAME) == b"goes on"
