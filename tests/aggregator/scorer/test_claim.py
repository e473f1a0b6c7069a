"""`fairshare scorer claim`: the scorer's part of a Final round, once."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from aggregator.scorer.cli import app
from aggregator.scorer.home import ScorerHome, ScorerSettings
from ledger.rewards import scorer_rounds
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.files import write_durably
from tests.support.chain import COIN, CONFIG, PASSPHRASE, LocalChain, LocalFederation, account, founding


def test_a_scorer_claims_what_its_attestations_earned_once(chain: LocalChain, tmp_path: Path) -> None:
    config = parse_config(CONFIG.replace('scorer_pool = "0"', 'scorer_pool = "100"'))
    federation = LocalFederation.deployed(chain, config, founding(config))
    scorer, home = account("scorer").address, ScorerHome(tmp_path / "scorer")
    Wallet.create(home.key, PASSPHRASE, bytes(account("scorer").key), scrypt_n=2)
    settings = ScorerSettings(ledger=federation.client.ledger_address, rpc_url=chain.url, chain_id=chain.chain_id)
    write_durably(home.settings_file, settings.text().encode())

    def claim() -> dict[str, Any]:
        told = CliRunner().invoke(app, ["claim", "--home", str(home.path), "--json"], env={"FAIRSHARE_PASSPHRASE": PASSPHRASE})
        assert told.exit_code == 0, told.stderr
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    federation.join(0)
    federation.play(())  # pays no node, and so no scorer
    assert claim()["rounds"] == []
    federation.play((10_000_000,))
    assert scorer_rounds(federation.client, account("stranger").address) == ()
    assert claim() == {"schema_version": 1, "scorer": scorer, "rounds": [2], "claimed": str(100 * COIN)}
    assert federation.client.balance(scorer) == 100 * COIN
    assert claim()["claimed"] == "0"
