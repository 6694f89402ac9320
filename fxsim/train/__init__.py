"""Training and retraining with PyTorch; the only part of fxsim that needs it."""

from fxsim.errors import MissingToolError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingToolError(
        "PyTorch is not installed; install it with: pip install 'fxsim[train]'"
    ) from None

from fxsim.train.loop import train, train_with_fisher
from fxsim.train.measure import validate
from fxsim.train.module import Network
from fxsim.train.parameters import snapshot
from fxsim.train.predict import predict
from fxsim.train.sparsify import StepRecord
from fxsim.train.stages import Progress, stages

__all__ = [
    "Network",
    "Progress",
    "StepRecord",
    "predict",
    "snapshot",
    "stages",
    "train",
    "train_with_fisher",
    "validate",
]
