"""What a node sent, as facts that replay to the bit: is it there, does it decode, does it fit the model, is it finite."""

from dataclasses import dataclass

import numpy as np

from protocol.errors import BodyError, FormatError
from protocol.parameters import Parameters, TensorLayout, model_hash, read_parameters
from protocol.verdicts import Reason


@dataclass(frozen=True)
class Inspection:
    """The facts about one body.

    `fault` is the first hard fault, None for a usable update. `fingerprint` is the update's model hash, which does not change
    with the encoding of the file; zero unless the tensors fit the model. `parameters` are there if and only if `fault` is None.
    """

    fault: Reason | None
    fingerprint: bytes
    parameters: Parameters | None


def inspect(body: bytes | None, layout: tuple[TensorLayout, ...]) -> Inspection:
    """Look at a body (None: it never came) for a model of this layout."""
    if body is None:
        return Inspection(Reason.NO_BODY, bytes(32), None)
    try:
        parameters = read_parameters(body, layout)
    except BodyError:
        return Inspection(Reason.UNDECODABLE, bytes(32), None)
    except FormatError:
        return Inspection(Reason.WRONG_TENSORS, bytes(32), None)
    fingerprint = model_hash(parameters)
    if not all(np.isfinite(array).all() for array in parameters.values()):
        return Inspection(Reason.NOT_FINITE, fingerprint, None)
    return Inspection(None, fingerprint, parameters)
