"""Pieces of a long benchmark, kept on disk, so that it can be stopped and go on.

A piece is found again under its name and the sources that it depends on: change those, and it is measured anew.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import OUT
from protocol.files import write_durably

_ROOT = Path(__file__).parent.parent


def source_hash(*places: str) -> str:
    """Eight bytes, as hex, over every Python file at or under `places` (relative to the repository)."""
    digest = hashlib.sha256()
    for place in places:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def piece(name: str, version: str, measure: Callable[[], Any]) -> Any:
    """What `measure` returned the last time under this name and version, or what it returns now. Anything JSON can carry."""
    path = _path(name, version)
    if path.exists():
        return json.loads(path.read_text())
    found = measure()
    write_durably(path, json.dumps(found).encode())
    return json.loads(path.read_text())


def has_piece(name: str, version: str) -> bool:
    """Whether `piece` would find it."""
    return _path(name, version).exists()


def _path(name: str, version: str) -> Path:
    return OUT / "pieces" / f"{_safe(name)}-{version}.json"


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._=" else "-" for letter in name)
