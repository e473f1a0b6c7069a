"""A federation's terms as files: the config that a round opened with, by its hash, and what is not here of terms to come."""

from hashlib import sha256

from aggregator.blobs import BlobStore
from aggregator.errors import BlobCorrupt
from ledger.records import Announcement
from protocol.config import FederationConfig, parse_config
from protocol.errors import ConfigError
from protocol.terminal import when


def read_config(config_hash: bytes, blobs: BlobStore) -> FederationConfig:
    """The config with this hash; the blob is the text of `federation.toml`. Raises `BlobMissing`, `BlobCorrupt`."""
    encoded = blobs.get(config_hash)
    try:
        config = parse_config(encoded.decode())
    except (ConfigError, UnicodeDecodeError) as error:
        raise BlobCorrupt(config_hash, sha256(encoded).digest()) from error
    if (found := config.sha256()) != config_hash:
        raise BlobCorrupt(config_hash, found)
    return config


def lacking(announced: Announcement | None, blobs: BlobStore, directory: object) -> str | None:
    """A sentence about what is not here of announced terms, and what to do; None if nothing is."""
    if announced is None:
        return None
    terms = announced.terms
    needed = (("config", terms.config_hash), ("task", terms.task_hash))
    missing = [f"the {what} 0x{name.hex()}" for what, name in needed if not blobs.has(name)]
    if not missing:
        return None
    return (
        f"{' and '.join(missing)} of the terms that can be enacted from {when(announced.enactable_at)} on is not in {directory}: "
        "no round can be opened with them; put the federation.toml that was announced there, and run `fairshare aggregator init "
        f"{directory}`, for another task with --task"
    )
