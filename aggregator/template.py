"""The first text of `federation.toml` and `aggregator.toml`, with what each line means for whoever edits it."""

import re
from collections.abc import Mapping
from string import Template

_FEDERATION = Template("""\
# What every member of this federation agrees on. Its hash goes on chain: run `fairshare aggregator init` on this directory again
# after editing. Times, pay but for z, and stakes are fixed by `fairshare ledger deploy`; the rest is changed later by
# `fairshare ledger announce`. Decimals are strings: no float is ever hashed.

[federation]
name = $name
task = $task                    # the Task class in the task's source

[recipe]                        # how every node trains, starting from the round's base model
optimizer = "sgd"               # "sgd" or "adam"
learning_rate = "0.1"
momentum = "0.5"                # "0" with adam
weight_decay = "0"
batch_size = 32
epochs = 1                      # passes over the node's own data in one round

[rounds]                        # the clock of a round, in seconds of the chain's clock; the ledger enforces it
minimum_commits = 2             # a round in which fewer nodes commit is abandoned
commit_seconds = 600            # to train and commit; over at once when every eligible node has committed
close_seconds = 120             # grace for the aggregator to close the round on chain
reveal_seconds = 300            # to upload the bodies; over at once when all are there
grace_seconds = 60              # for the aggregator, to include bodies that scorers forward
propose_seconds = 600           # to evaluate, attest and propose
window_seconds = 120            # from the proposal until it is Final and can be claimed, or a leaf of it is disputed
vote_seconds = 600              # in a dispute: for scorers to recompute, as long to reveal, and as long to decide
maximum_pending = 1             # so many rounds may wait to be Final at a time; 1 plays them one after the other
body_bytes = 67108864           # the largest update file that is taken

[gate]
norm_multiple = "10"            # an update this many times longer than the round's reference is rejected
virtual_nodes = 40              # honest nodes the aggregator trains itself each round, to compare with; 0: none
duplicate = "0.85"              # so similar (of 1) an update is to another one that only nodes that collude can send both
prior = "1.76"                  # nats taken off the evidence of a round, see docs/gate.md
grey = "2.285"                  # above minus so many nats the dear check is made
forgetting = "0.85"             # what a round keeps of the suspicion before it
down_weight = "4.021"           # suspicion above which an update counts less
reject_round = "3.15"           # evidence of one round above which the update is rejected
reject = "5.027"                # suspicion above which it is
expel = "14.699"                # suspicion above which the evidence says that the node can be expelled
guard = "3"                     # so far outside calibration nobody is rejected on statistics, only quarantined
quarantine_weight = "0.5"       # what the weight of the quarantined, new nodes among them, is multiplied by
# Nats of evidence per standard deviation of each statistic (of similarity: per 1); `fairshare aggregator calibrate` fits them.
weight_duplicate = "3.923"
weight_size = "1.311"
weight_cone = "0.058"
weight_affine = "0.907"
weight_fit = "0"
weight_replay = "0.524"
weight_utility = "0.27"
weight_own_classes = "0"
weight_energy = "0.663"

[contributions]
work = 10000000000000           # coalitions x parameters x samples that may be computed with more than 12 accepted nodes

[pay]
token_name = "Fairshare Contribution"
token_symbol = "FAIR"
cap = "1000000000"              # no more tokens can ever be minted
pool = "1000"                   # what the nodes of one round share
scorer_pool = "0"               # what the scorers who attested to a paying round share on top
z = "0"                         # standard errors taken off a contribution before it is paid

[stake]
minimum = "0.01"                # what a node deposits, in the chain's coin
aggregator_bond = "0.1"         # what the aggregator deposits; `fairshare ledger deploy` puts down the first bonds
scorer_bond = "0.05"            # what every scorer deposits
dispute_bond = "0.02"           # what disputing a leaf of a round's evidence takes; lost when the scorers refute it
proof_fee = "0.002"             # what proving a fault that wronged nobody earns, from the culprit's deposit
open_fee = "0"                  # what joining without an invitation costs, besides the stake
open_samples = 0                # the sample bound of nodes without an invitation; 0: nobody joins without one
unbonding_seconds = 604800      # how long deposits stay locked after leaving; above all rounds that can be pending and one more

[tolerance]                     # how far another machine's floats may be off, in units of 2^-20
statistics = 1024
utility = 4096
standard_error = 65536
contribution = 65536
""")

_AGGREGATOR = Template("""\
# Settings of this machine's aggregator. A variable FAIRSHARE_AGGREGATOR_<NAME> overrides a line for one run.

rpc_url = $rpc_url
chain_id = $chain_id

host = "127.0.0.1"              # the API speaks plain HTTP: put a TLS proxy in front before listening elsewhere
port = 8700                     # 0 takes any free one; service.json says which
database = ""                   # empty: state.sqlite in this directory; or postgresql+psycopg://…
log_level = "info"              # debug, info, warning or error
poll_seconds = 0.2              # between looks at the chain; raise it where requests are metered
memory = 512                    # MiB for each of what an evaluation holds of updates, models and activations at a time
scorers = []                    # URLs of the scorers' services: nodes are told them, to hand over what is not taken here
ray = ""                        # empty: evaluate here; or a Ray cluster ("auto", "10.0.0.5:6379"), with fairshare[ray] installed

# Written by `fairshare aggregator init`: the SHA-256 of the evaluation shards and of the aggregator's own clean data.
shards = $shards
root_set = $root_set
""")


Values = Mapping[str, str | int | list[str]]
"""Keys of a TOML file and what they are to be."""


def federation_text(name: str, task: str) -> str:
    """A new federation.toml."""
    return _FEDERATION.substitute(name=toml_value(name), task=toml_value(task))


def settings_text(values: Values) -> str:
    """A new aggregator.toml; `values` are `rpc_url`, `chain_id`, `shards` and `root_set`."""
    return _AGGREGATOR.substitute({key: toml_value(value) for key, value in values.items()})


def with_values(text: str, values: Values) -> str:
    """A TOML file with some values replaced, whatever else somebody wrote into it; lines that are gone come back at its end."""
    for key, value in values.items():
        line = f"{key} = {toml_value(value)}"
        text, found = re.subn(rf"(?m)^{key}\s*=.*$", line.replace("\\", r"\\"), text)
        if not found:
            text = f"{text.rstrip()}\n{line}\n"
    return text


def toml_value(value: str | int | list[str]) -> str:
    """A value as TOML writes it.

    >>> toml_value(['a "b"', "c"])
    '["a \\\\"b\\\\"", "c"]'
    """
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    # Control characters and quotes escaped as TOML's basic strings want them; everything else stands for itself.
    escaped = "".join(
        f"\\u{ord(character):04x}" if ord(character) < 32 or ord(character) == 127 else character
        for character in value.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
