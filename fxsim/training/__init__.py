"""Training and retraining with PyTorch; the only part of fxsim that needs it."""

from fxsim.errors import MissingToolError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingToolError(
        "PyTorch is not installed; install it with: pip install 'fxsim[train]'"
    ) from None

from fxsim.training.loop import train, train_with_fisher
from fxsim.training.measure import validate
from fxsim.training.module import Network
from fxsim.training.parameters import snapshot
from fxsim.training.predict import predict
from fxsim.training.sparsify import StepRecord
from fxsim.training.stages import Progress, stages

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
