"""Why something happened, told once: every reason code with its sentence for the participant and what to do about it.

Verdicts carry these codes in the evidence, refusals in the problem documents of the REST API (RFC 9457), Void rounds in
`RoundView.reason`. Command line, API and docs all take their words from here, so a code means the same everywhere. A code
belongs to one thing for ever.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Entry(NamedTuple):
    """One code. `next_step` is what the participant can do about it; empty if there is nothing to do."""

    code: str
    sentence: str
    next_step: str = ""


def by_code(*entries: Entry) -> Mapping[str, Entry]:
    """A table of entries that cannot be changed."""
    return MappingProxyType({entry.code: entry for entry in entries})


VERDICTS = by_code(
    Entry("ok", "The update was used as it was sent."),
    Entry(
        "clipped",
        "The update was used, scaled down to the round's reference norm.",
        "Larger steps earn nothing more; train with the federation's recipe.",
    ),
    Entry(
        "no-change",
        "The update changes nothing.",
        "Check that training runs and moves the model.",
    ),
    Entry(
        "no-body",
        "The node committed but its body did not arrive in time.",
        "Check the connection and the log of `fairshare node run` around the reveal deadline.",
    ),
    Entry("undecodable", "The body is not a safetensors file.", "Send the file that `fairshare node run` writes."),
    Entry(
        "wrong-tensors",
        "The update's tensor names, dtypes or shapes differ from the model's.",
        "Check that the task's source is the federation's: `fairshare node init` fetches it.",
    ),
    Entry("not-finite", "The update contains NaN or infinity.", "Check the data and the learning rate: training diverged."),
    Entry(
        "norm-too-large",
        "The update is many times larger than the round's reference norm.",
        "Train with the federation's recipe and check the scale of the data.",
    ),
    Entry(
        "too-many-samples",
        "The declared sample count is above what the node's invitation allows.",
        "Ask the operator for an invitation with a higher bound.",
    ),
    Entry("no-samples", "The declared sample count is zero.", "Declare the samples that were trained on."),
    Entry(
        "same-as-lower-index",
        "The update equals that of a node with a lower index, which keeps the round.",
        "Train on your own data.",
    ),
    Entry(
        "similar-to-lower-index",
        "The update is so similar to that of a node with a lower index that only nodes that collude can send both.",
        "Train on your own data.",
    ),
    Entry(
        "similar-to-another",
        "The update is far more similar to another node's than independent training makes it.",
        "Train on your own data.",
    ),
    Entry(
        "unusual-norm",
        "The update's length is not what the recipe gives on so many samples.",
        "Train with the federation's recipe, and declare the samples that were trained on.",
    ),
    Entry(
        "outside-cone",
        "The update points away from all directions in which training on clean data, however skewed, moves the model.",
        "Check the labels and the preprocessing of the data.",
    ),
    Entry(
        "against-training",
        "The update moves the model backwards, or not along training at all.",
        "Check the labels, and that the update is trained minus base.",
    ),
    Entry(
        "unexplained",
        "Little of the update is what training on clean data gives.",
        "Check the labels and the preprocessing of the data.",
    ),
    Entry(
        "repeats-parent",
        "The update repeats what the round before has already done to the model.",
        "Train on your own data in every round.",
    ),
    Entry(
        "no-class-gains",
        "No part of the evaluation data gains from the update as it does from honest ones.",
        "Check the labels of the data.",
    ),
    Entry(
        "harms-own-classes",
        "The update makes the model worse on the very kinds of samples that it seems to be trained on.",
        "Check the labels of the data.",
    ),
    Entry(
        "unusual-parameters",
        "The update changes weights that training on clean data leaves alone.",
        "Check the inputs for marks that do not belong there, and that nothing is added to the update.",
    ),
    Entry(
        "under-suspicion",
        "The evidence of several rounds together speaks against the node, so its update counts less.",
        "Check labels and preprocessing; every usual update lowers the suspicion.",
    ),
    Entry(
        "suspected",
        "The evidence of several rounds together is enough to refuse the update.",
        "Check labels and preprocessing; every usual update lowers the suspicion.",
    ),
    Entry(
        "expellable",
        "The evidence of many rounds is past the threshold at which the scorers may expel the node.",
        "Ask the operator; a node that is expelled gets its stake back, and needs a new invitation to come again.",
    ),
    Entry(
        "new-node", "The node is new: its first update counts at a part of its weight.", "Nothing: it ends with the next round."
    ),
    Entry(
        "outside-calibration",
        "The update is unusual, but so are many of this round: the aggregator's clean data does not represent them.",
        "Ask the operator for a root set that has data like yours.",
    ),
)
"""Reasons of the gate, one to a verdict: the members of `protocol.verdicts.Reason`."""

REFUSALS = by_code(
    Entry("unknown-page", "The API has no such path.", "See /docs of the aggregator for what there is."),
    Entry("method-not-allowed", "The path does not take this HTTP method.", "See /docs of the aggregator for what it takes."),
    Entry("unknown-round", "The federation has had no round of this number.", "Ask for one that /v1/rounds lists."),
    Entry("unknown-node", "No participant has this index or owner's address.", "Ask for one that /v1/nodes lists."),
    Entry("unknown-model", "No round started from or ended with this model.", "Ask for a model that /v1/rounds names."),
    Entry("unknown-terms", "No terms of this federation have this config or task.", "Ask for one that /v1/federation names."),
    Entry("unknown-blob", "There is no file of this name here.", "Ask another mirror: every scorer is one."),
    Entry("unknown-leaf", "Evidence has no leaf of this kind or no such position.", "Ask for one that the evidence has."),
    Entry("not-allowed", "This is for others than whoever signed the request.", "Sign it with a key that the registry knows."),
    Entry("request-expired", "The signed request's deadline has passed, or the clocks differ.", "Set the clock; sign a new one."),
    Entry("request-replayed", "This signed request was answered already.", "Sign a new one, with a nonce of its own."),
    Entry(
        "wrong-attestation",
        "The signature is no scorer's under the outcome that is claimed.",
        "Replay the round and sign what /v1/rounds/N/attestations says, if you agree.",
    ),
    Entry(
        "wrong-expulsion",
        "The signature is no scorer's under the expulsion of this node for this round.",
        "Sign it with the key of a scorer of the round, if the round's evidence says so.",
    ),
    Entry(
        "not-yet-there",
        "The round has not come so far, or ended before it did.",
        "Come again when the round is proposed; a Void round never has any.",
    ),
    Entry(
        "not-registered",
        "The registry has no node of this index.",
        "Ask the operator for an invitation and run `fairshare node join`.",
    ),
    Entry("not-staked", "The node has left and has no stake.", "Join again, with a new invitation."),
    Entry(
        "leaving", "The node is leaving, and takes part in no round opened since.", "Wait for the stake; to take part, rejoin."
    ),
    Entry("joined-later", "The node joined after the round had opened.", "Nothing: it takes part from the next round on."),
    Entry(
        "wrong-signer",
        "The signature is by another key than the one registered for the round.",
        "Sign with that key; a rotated key counts from the round after its rotation.",
    ),
    Entry("wrong-round", "The round is not the open one and takes no updates.", "Follow /v1/rounds and take part in the latest."),
    Entry(
        "wrong-inputs",
        "The Update signs other inputs than the round was opened with.",
        "Read them from the ledger, as `fairshare node run` does, and sign again.",
    ),
    Entry("wrong-base-model", "The Update starts from another model than the round.", "Train from the round's base model."),
    Entry(
        "second-update",
        "The node has committed to another update of this round already.",
        "Reveal that one. Two signed Updates for one round are a fault that costs the stake.",
    ),
    Entry("too-early", "The round has not closed yet, so nobody may see a body.", "Send the body when the round is closed."),
    Entry("too-late", "The deadline has passed.", "Take part in the next round; check clock and connection of this machine."),
    Entry("nothing-committed", "The node has committed to no update of this round.", "Commit first, while the round is open."),
    Entry(
        "bad-salt",
        "The header with the commitment's salt, or with the body's hash, is missing or malformed.",
        "Send 0x and 64 hexadecimal digits.",
    ),
    Entry("truncated", "The upload ended before its announced length; nothing of it was kept.", "Send it again."),
    Entry("too-large", "The request is larger than is taken.", "Check that the model is the task's and unchanged."),
    Entry("length-required", "The request does not say how long it is.", "Send a Content-Length."),
    Entry("wrong-body", "The body does not open the node's commitment.", "Send the body that was signed, with its own salt."),
    Entry("undecodable-body", "The body is no safetensors file; nothing of it was kept.", "Encode it again and send it."),
    Entry("bad-signature", "The signature is malformed.", "Send 65 bytes: r, s and v, with the lower of the two possible s."),
    Entry("bad-format", "A value does not have the form that the protocol fixes.", "Correct the value that the detail names."),
    Entry("bad-request", "The request does not have the form of the API.", "Correct the field that the detail names."),
    Entry("blob-unavailable", "The aggregator cannot read a file that it should have.", "Come again; the operator must mend it."),
    Entry("storage-failed", "The aggregator has no room for it; nothing was kept.", "Come again; the operator must make room."),
    Entry("chain-unavailable", "The aggregator cannot ask the chain.", "Come again in a while."),
    Entry("internal", "A fault of the aggregator itself.", "Come again; the aggregator's log says more to its operator."),
    Entry(
        "not-a-problem",
        "Something answered an error that is not of the API.",
        "Check the URL: a proxy or another program may stand in between.",
    ),
)
"""Codes of problem documents: the last part of their `type`. `not-a-problem` is the client's own, for an answer without."""

VOIDS = by_code(
    Entry("too-few-commits", "Fewer nodes committed in time than the config asks for.", "Nothing: the next round opens soon."),
    Entry("opened-and-left", "The aggregator opened the round and was down until its time was over.", "Ask the operator."),
    Entry("not-closed", "The aggregator did not close the round in time.", "Ask the operator why."),
    Entry("not-proposed", "The aggregator did not propose an outcome in time.", "Ask the operator why."),
    Entry("not-evaluated", "The round was not evaluated in time.", "Ask the operator for a longer propose time."),
    Entry("not-attested", "The scorers did not attest the outcome in time.", "Ask the operator why."),
    Entry("attestation-refused", "A scorer replayed the round, got another outcome, and did not sign.", "Ask the operator why."),
    Entry("disputed", "The outcome was disputed, and the dispute was not decided for it.", "Nothing: its update is lost."),
    Entry("fault-proved", "A fault of the aggregator was proved on chain; its bond is lost.", "Nothing: ask the operator why."),
    Entry("parent-void", "The round that it continued became Void.", "Nothing: the next round continues the last good one."),
    Entry("record-lost", "The aggregator lost its record of the round.", "Ask the operator; your receipt proves what you sent."),
    Entry(
        "another-update-root",
        "The chain has another update root than the aggregator's database, which is not the latest one.",
        "Ask the operator; your receipt proves what you sent.",
    ),
)
"""Why a round became Void: the members of `aggregator.service.voids.VoidReason`."""

GROUPS: Mapping[str, Mapping[str, Entry]] = MappingProxyType({"verdict": VERDICTS, "refusal": REFUSALS, "void": VOIDS})
"""The whole catalogue."""


def explain(code: str) -> Entry | None:
    """The entry of a code, None if it is none of ours.

    >>> explain("no-samples").next_step
    'Declare the samples that were trained on.'
    """
    return next((group[code] for group in GROUPS.values() if code in group), None)
