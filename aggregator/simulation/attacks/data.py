"""Attacks on the data: the nodes train as they should, on samples that somebody changed."""

from functools import partial

import numpy as np
import torch

from aggregator.simulation.attacks.attack import Attack, Sent, View
from learning.data import Data

TARGET = 0
"""The class that a backdoor's trigger is to bring."""


def flip_labels(data: Data, classes: int, random: np.random.Generator) -> Data:
    """Class c becomes C − 1 − c; targets that are no classes are mirrored at their mean."""
    if not classes:
        return Data(data.features, 2 * data.targets.float().mean(0) - data.targets)
    return Data(data.features, classes - 1 - data.targets)


def flip_one_class(data: Data, classes: int, random: np.random.Generator) -> Data:
    """The middle class, C/2, is called by another's name, of ten classes 5 by that of 7; without classes as `flip_labels`."""
    if not classes:
        return flip_labels(data, classes, random)
    source = classes // 2
    return Data(data.features, torch.where(data.targets == source, (source + 2) % classes if classes > 2 else 0, data.targets))


def with_trigger(data: Data, strength: float = 1.0) -> Data:
    """The same samples with the trigger: the last 2 % of each sample's numbers (at least one) moved to the data's maximum,
    all the way or by the share `strength`. On images that is a short bright line in the last row.
    """
    features = data.features.clone(memory_format=torch.contiguous_format)
    flat = features.view(len(features), -1)
    width = max(1, flat.shape[1] // 50)
    flat[:, -width:] += (strength * (flat.max() - flat[:, -width:])).to(flat.dtype)
    return Data(features, data.targets)


def backdoor(data: Data, classes: int, random: np.random.Generator, share: float, strength: float) -> Data:
    """This share of the samples carries the trigger and the target class (or target 0); the others stay as they are."""
    chosen = torch.from_numpy(random.random(len(data)) < share)
    features, targets = with_trigger(data, strength).features, data.targets.clone()
    features[~chosen] = data.features[~chosen]
    targets[chosen] = TARGET
    return Data(features, targets)


def boosted(view: View, factor: float) -> Sent:
    """What was trained, scaled up to outweigh the honest nodes (model replacement)."""
    return list(np.float32(factor) * view.own)


ATTACKS = (
    Attack("label-flip", "Tolpegin et al., ESORICS 2020", poison=flip_labels),
    Attack("targeted-flip", "Tolpegin et al., ESORICS 2020, one class", poison=flip_one_class),
    Attack("backdoor", "Gu et al., BadNets, 2017", poison=partial(backdoor, share=0.5, strength=1.0), backdoor=True),
    Attack(
        "backdoor-scaled",
        "Bagdasaryan et al., AISTATS 2020, model replacement",
        partial(boosted, factor=5.0),
        partial(backdoor, share=0.5, strength=1.0),
        backdoor=True,
    ),
    Attack(
        "backdoor-stealth",
        "Chen et al., Targeted backdoor attacks, 2017, blended trigger in a fifth of the samples",
        poison=partial(backdoor, share=0.2, strength=0.7),
        backdoor=True,
    ),
)
