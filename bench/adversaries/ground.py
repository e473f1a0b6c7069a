"""Contracts on a local chain with two nodes and nothing else, deployed once and copied for each adversary of the chain alone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.deployment import Deployment
from protocol.config import parse_config
from tests.support.chain import CONFIG, LocalChain, LocalFederation, founding


@dataclass(frozen=True)
class Ground:
    """A federation of CONFIG with these scorers, on disk; "owner 0" and "owner 1" have joined."""

    directory: Path
    scorers: tuple[str, ...]
    deployment: Deployment

    @contextmanager
    def copied(self, directory: Path) -> Iterator[LocalFederation]:
        """The same on a chain of its own."""
        shutil.copytree(self.directory, directory)
        with self.served(directory) as federation:
            yield federation

    @contextmanager
    def served(self, directory: Path) -> Iterator[LocalFederation]:
        """A copy that is there already."""
        config = parse_config(CONFIG)
        with LocalChain(directory) as chain:
            yield LocalFederation(chain, config, founding(config, scorers=self.scorers), self.deployment)


def ground(directory: Path, scorers: tuple[str, ...] = ("scorer",)) -> Ground:
    """Deploy, and have two nodes join."""
    config = parse_config(CONFIG)
    with LocalChain(directory) as chain:
        federation = LocalFederation.deployed(chain, config, founding(config, scorers=scorers))
        for number in range(2):
            federation.join(number)
        return Ground(directory, scorers, federation.deployment)
