"""`federation.toml`: what every member agrees on. It holds no addresses and no URLs, and its hash is on chain.

Decimals are strings in the file and scaled integers in memory, so that nothing that is hashed is a float.
"""

import hashlib
import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from protocol.errors import ConfigError
from protocol.shares import SCORE_TOTAL

_CONFIG_TAG = b"fairshare/config/1"
_DECIMAL = re.compile(r"([0-9]{1,78})(?:\.([0-9]+))?")


def _scaled(decimals: int) -> BeforeValidator:
    def scale(value: Any) -> int:
        if not isinstance(value, str):
            raise ValueError('write this decimal as a string, e.g. "0.1"')
        # By digits, since decimal.Decimal rounds silently to 28 of them.
        digits = _DECIMAL.fullmatch(value)
        if digits is None:
            raise ValueError(f"{value!r} is not a decimal number of 0 or more, such as 12 or 0.5")
        fraction = (digits[2] or "").rstrip("0")
        if len(fraction) > decimals:
            raise ValueError(f"{value!r} has more than {decimals} decimals")
        return int(digits[1] + fraction.ljust(decimals, "0"))

    return BeforeValidator(scale)


Billionths = Annotated[int, _scaled(9), Field(ge=0, le=10**12)]
Thousandths = Annotated[int, _scaled(3), Field(ge=0, le=10**9)]
BaseUnits = Annotated[int, _scaled(18), Field(gt=0, lt=1 << 128)]
BaseUnitsOrNone = Annotated[int, _scaled(18), Field(ge=0, lt=1 << 128)]
Seconds = Annotated[int, Field(gt=0, le=10**9)]
Count = Annotated[int, Field(gt=0, le=1 << 31)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FederationSection(_Section):
    """Who we are and what we train. `task` is the name of the Task class in the task's source."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    task: Annotated[str, Field(min_length=1, max_length=200)]


class RecipeSection(_Section):
    """How every node trains. Rates are in units of 1e-9."""

    optimizer: Literal["sgd", "adam"]
    learning_rate: Billionths
    momentum: Billionths
    weight_decay: Billionths
    batch_size: Count
    epochs: Count


class RoundsSection(_Section):
    """The clock of a round, in seconds, and the size of a body in bytes. The RoundLedger enforces the same times.

    At most `maximum_pending` rounds are neither Final nor Void at a time; 1 plays them strictly one after the other.
    """

    minimum_commits: Count
    commit_seconds: Seconds
    close_seconds: Seconds
    reveal_seconds: Seconds
    grace_seconds: Seconds
    propose_seconds: Seconds
    window_seconds: Seconds
    vote_seconds: Seconds
    maximum_pending: Annotated[int, Field(ge=1, le=255)]
    body_bytes: Count


class GateSection(_Section):
    """How the gate decides. Decimals are in thousandths.

    `norm_multiple` of the round's reference norm is the most that an update may have, at least 1. `virtual_nodes`: honest nodes
    that the aggregator trains itself each round; 0 leaves the hard checks alone. `duplicate`: similarity, 0 … 1, from which the
    higher index is a copy. Each `weight_…` is the evidence, in nats, of one standard deviation of a statistic
    (`weight_duplicate`: of 1 of similarity); `prior` nats are taken off their sum. Above −`grey` the dear check is made; above
    `reject_round` the round is lost. Summed over rounds with `forgetting`, above `down_weight` the weight falls, above `reject`
    the round is lost, above `expel` the evidence says so. A new node, and any node under suspicion while the heterogeneity is
    more than `guard` deviations outside calibration, keeps `quarantine_weight` of its weight instead.
    """

    norm_multiple: Annotated[Thousandths, Field(ge=1000)]
    virtual_nodes: Annotated[int, Field(ge=0, le=1000)]
    duplicate: Annotated[Thousandths, Field(gt=0, le=1000)]
    prior: Thousandths
    grey: Thousandths
    forgetting: Annotated[Thousandths, Field(le=1000)]
    down_weight: Thousandths
    reject_round: Thousandths
    reject: Thousandths
    expel: Thousandths
    guard: Thousandths
    quarantine_weight: Annotated[Thousandths, Field(gt=0, le=1000)]
    weight_duplicate: Thousandths
    weight_size: Thousandths
    weight_cone: Thousandths
    weight_affine: Thousandths
    weight_fit: Thousandths
    weight_replay: Thousandths
    weight_utility: Thousandths
    weight_own_classes: Thousandths
    weight_energy: Thousandths

    @property
    def weights(self) -> dict[str, int]:
        """The `weight_…` values by what follows in their names."""
        prefix = "weight_"
        return {name.removeprefix(prefix): value for name, value in self.model_dump().items() if name.startswith(prefix)}

    @model_validator(mode="after")
    def _ascending(self) -> "GateSection":
        if not self.down_weight < self.reject < self.expel:
            raise ValueError("down_weight must be below reject, and reject below expel")
        return self


class ContributionsSection(_Section):
    """How much may be computed for a round's contributions: coalitions × parameters × evaluation samples.

    All coalitions of up to 12 accepted nodes are evaluated whatever it costs; above, as many as this allows.
    """

    work: Annotated[int, Field(gt=0, le=10**18)]


class PaySection(_Section):
    """The token and what a round mints, in base units of 10^-18; `z` in thousandths of a standard error.

    `scorer_pool` comes on top of `pool` in a round that pays, in equal parts to the scorers who attested to it.
    """

    token_name: Annotated[str, Field(min_length=1, max_length=60)]
    token_symbol: Annotated[str, Field(min_length=1, max_length=12)]
    cap: BaseUnits
    pool: BaseUnits
    scorer_pool: BaseUnitsOrNone
    z: Thousandths


class StakeSection(_Section):
    """What everybody deposits, in base units of the native coin, and how long it stays locked after leaving.

    `minimum` is a node's. Who proves a fault that wronged nobody gets `proof_fee` of the culprit's deposit. A federation with
    `open_samples` above 0 is open: who pays `open_fee`, which is burned, joins without an invitation, with that sample bound.
    """

    minimum: BaseUnits
    aggregator_bond: BaseUnits
    scorer_bond: BaseUnits
    dispute_bond: BaseUnits
    proof_fee: BaseUnitsOrNone
    open_fee: BaseUnitsOrNone
    open_samples: Annotated[int, Field(ge=0, lt=1 << 32)]
    unbonding_seconds: Seconds


class ToleranceSection(_Section):
    """How far a verifier's own value may be from a published one, per toleranced leaf kind.

    `statistics`: units of 2^-20 of the statistic. `utility`: units of 2^-20 of one sample's score, over a whole shard.
    `standard_error` (each of its two parts) and `contribution` (where it was solved for): the same, after division by the round's
    denominator.
    """

    statistics: Annotated[int, Field(ge=0, le=1 << 40)]
    utility: Annotated[int, Field(ge=0, le=1 << 40)]
    standard_error: Annotated[int, Field(ge=0, le=1 << 40)]
    contribution: Annotated[int, Field(ge=0, le=1 << 40)]


class FederationConfig(_Section):
    """The whole of `federation.toml`, one attribute per table."""

    federation: FederationSection
    recipe: RecipeSection
    rounds: RoundsSection
    gate: GateSection
    contributions: ContributionsSection
    pay: PaySection
    stake: StakeSection
    tolerance: ToleranceSection

    @model_validator(mode="after")
    def _consistent(self) -> "FederationConfig":
        if self.pay.pool % SCORE_TOTAL:
            raise ValueError(f"pay.pool must be a multiple of {SCORE_TOTAL} base units, so that no reward is rounded")
        if self.pay.pool + self.pay.scorer_pool > self.pay.cap:
            raise ValueError("pay.pool and pay.scorer_pool are above pay.cap: not even one round could be paid")
        timeouts = (self.rounds.maximum_pending + 1) * self.round_seconds
        if self.stake.unbonding_seconds <= timeouts:
            raise ValueError(
                f"stake.unbonding_seconds must be above {timeouts}: all the times of a round together ({self.round_seconds}, "
                "vote_seconds three times), for one round more than rounds.maximum_pending"
            )
        most = min(self.stake.minimum, self.stake.aggregator_bond, self.stake.scorer_bond) // 2
        if self.stake.proof_fee > most:
            raise ValueError("stake.proof_fee is above half of the least deposit: accusing oneself could pay")
        return self

    @property
    def round_seconds(self) -> int:
        """All the times of a round together: the longest a round can take from open to Final, with disputes to the last."""
        r = self.rounds
        until_proposed = r.commit_seconds + r.close_seconds + r.reveal_seconds + r.grace_seconds + r.propose_seconds
        return until_proposed + r.window_seconds + 3 * r.vote_seconds

    def sha256(self) -> bytes:
        """The config hash: SHA-256 over every key (sorted, dotted) and value, all length-prefixed, integers as decimals."""
        digest = hashlib.sha256(_CONFIG_TAG)
        for key, value in sorted(_flatten(self.model_dump())):
            for part in (key, type(value).__name__, str(value)):
                encoded = part.encode()
                digest.update(len(encoded).to_bytes(4) + encoded)
        return digest.digest()


def parse_config(text: str) -> FederationConfig:
    """Read the text of a `federation.toml`.

    Raises `ConfigError` naming every key that is missing, unknown or out of range.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib lets int() refuse endless digits, and recurses into brackets
        raise ConfigError(f"federation.toml is not valid TOML: {error}; correct it there") from error
    try:
        return FederationConfig.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"federation.toml: {faults}; correct it there") from error


def _flatten(table: dict[str, Any], prefix: str = "") -> list[tuple[str, int | str]]:
    rows: list[tuple[str, int | str]] = []
    for key, value in table.items():
        dotted = f"{prefix}{key}"
        rows += _flatten(value, dotted + ".") if isinstance(value, dict) else [(dotted, value)]
    return rows
