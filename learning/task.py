"""The task: what a federation trains. Users implement it in a file of their own."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from learning.data import Data
from learning.errors import DataError, TaskError
from learning.partition import dirichlet_shares, even_shares, parse_share

_SKEW = 0.5
_SHARES_SEED = 1


class Task(ABC):
    """What a federation trains: model, loss, score and data, in one class that every participant runs.

    Nodes train with it, the aggregator and the scorers evaluate with it, so all must read the same code: its source hash is
    in the federation's contract. It is constructed without arguments, holds no state that changes, and obeys these laws:

    `model`    a new module at every call, always the same architecture, on the CPU. Its float32 state is what travels and
               is averaged, and may be drawn at random: the caller has seeded torch. Integer state stays as it is made here,
               always the same. Sample i of the output depends on sample i of the input alone in evaluation mode.
    `loss`     a scalar, the mean over the batch, differentiable: what nodes minimise.
    `score`    one number per sample in [0, 1], higher is better: **what contributions are paid on**. Depends on nothing but
               its arguments, so that every scorer gets the same. Helpers: `learning.scores`. A task that is paid on one of these
               as it is says `score = staticmethod(soft_accuracy)`: with a model of dense and convolutional layers in a row
               its utilities are then the same on every machine, to the bit.
    `correct`  what people read as accuracy; reported, never paid on.
    `load`     the samples behind a source string: a path, or a name that the task gives to data of its own. The same string
               must give the same data, in the same order.
    `split`    disjoint shares that together are the data; the same seed gives the same shares.

    A whole task:

    >>> import torch
    >>> from learning.data import Data
    >>> from learning.scores import soft_accuracy
    >>> class Parity(Task):
    ...     '''Learns whether a number of four bits is odd.'''
    ...
    ...     def model(self):
    ...         return torch.nn.Linear(4, 2)
    ...
    ...     def loss(self, outputs, targets):
    ...         return torch.nn.functional.cross_entropy(outputs, targets)
    ...
    ...     def score(self, outputs, targets):
    ...         return soft_accuracy(outputs, targets)
    ...
    ...     def load(self, source):
    ...         numbers = torch.arange(16)
    ...         bits = numbers[:, None] >> torch.arange(4) & 1
    ...         return Data(bits.float(), numbers % 2)
    >>> from learning.parameters import initial_parameters
    >>> from learning.recipe import Recipe
    >>> from learning.training import evaluate, train
    >>> task = Parity()
    >>> data, base = task.load(None), initial_parameters(task, seed=1)
    >>> update = train(task, base, data, Recipe("sgd", learning_rate=0.5, batch_size=4, epochs=20), seed=1)
    >>> evaluate(task, {name: base[name] + update[name] for name in base}, data).accuracy
    1.0
    """

    @abstractmethod
    def model(self) -> nn.Module:
        """The architecture, with initial weights. Weights that are not to be trained have `requires_grad=False`."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch, a scalar. `outputs`: what the model returned, `targets`: the batch's targets."""

    @abstractmethod
    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Score of each sample, shape (samples,), each in [0, 1]."""

    @abstractmethod
    def load(self, source: str | None) -> Data:
        """The data behind `source`; None asks for what the task takes by default, if it has such.

        Raise `UnknownSourceError` for a name that the task does not have; `OSError` and `DataError` are reported as they are.
        """

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether each sample is right, shape (samples,), bool or a number in [0, 1].

        The default compares the index of the largest output with a class index; tasks that do not classify override it.
        """
        if outputs.ndim != 2 or targets.ndim != 1 or targets.dtype != torch.int64:
            raise TaskError(
                f"{type(self).__name__} does not classify (outputs {tuple(outputs.shape)}, targets {tuple(targets.shape)} "
                f"{targets.dtype}): implement correct(outputs, targets)"
            )
        return outputs.argmax(1) == targets

    def split(self, data: Data, parts: int, seed: int) -> tuple[Data, ...]:
        """`data` divided among `parts` nodes; used to simulate a federation from one data set.

        The default is label-skewed (Dirichlet 0.5, no share below 20 samples where there are enough) for class indices, even
        otherwise. A task overrides it where samples belong together, such as the images of one patient.
        Raises `DataError` for more parts than samples.
        """
        if data.targets.ndim == 1 and data.targets.dtype == torch.int64:
            minimum = max(1, min(20, len(data) // (2 * max(parts, 1))))
            shares = dirichlet_shares(data.targets.numpy(), parts, _SKEW, seed, minimum)
        else:
            shares = even_shares(len(data), parts, seed)
        return tuple(data.take(share) for share in shares)

    def share(self, data: Data, text: str) -> Data:
        """The share of `data` that `text` names: "3/8" is the third of eight as `split` makes them, "3/8 iid" of eight even
        ones, "" all of it. For `load`, so that one file can stand for the data of many nodes.

        Raises `DataError` for anything else, and for more shares than samples.
        """
        if not text:
            return data
        share = parse_share(text)
        if share is None:
            raise DataError(f"{text!r} is no share: write 3/8 for the third of eight, or 3/8 iid for one of eight even ones")
        if share.even:
            return data.take(even_shares(len(data), share.parts, _SHARES_SEED)[share.number - 1])
        return self.split(data, share.parts, _SHARES_SEED)[share.number - 1]
