"""The errors that fxsim raises on purpose.

Each message names the thing, the constraint and the value.
"""


class FxsimError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line."""


class ConfigError(FxsimError, ValueError):
    """A parameter breaks a constraint."""


class ArgumentError(FxsimError, TypeError):
    """An argument of a public function has the wrong type."""


class RangeError(FxsimError, ValueError):
    """An integer, or a width computed from integers, leaves the range that was promised for it."""


class SpecError(FxsimError, ValueError):
    """A specification file is malformed; the message ends with the file and the key path."""


class FileError(FxsimError):
    """A file is missing, truncated, hostile or not what its name says."""


class UnwrittenError(FileError):
    """Results are there, but could not be moved into their folder; says what is in the way."""


class MissingDataError(FileError):
    """Files of a data set are not on this machine; says which, and where they were looked for."""


class MissingToolError(FxsimError):
    """A program or an optional Python package is missing or too old; says what to do."""


class FxsimWarning(UserWarning):
    """Base of what is worth knowing but stops nothing; the command line prints it as one line."""


class CacheWarning(FxsimWarning):
    """Something in the cache is damaged, or the cache cannot be kept; says what is done."""


class CalibrationWarning(FxsimWarning):
    """Calibration samples and a format do not suit each other; says where and what to do."""


class RetrainedWarning(FxsimWarning):
    """Retrained parameters are left aside; says what they were retrained for."""


class LayoutWarning(FxsimWarning):
    """A checkpoint does not say in which order its weights are."""


class PrecisionWarning(FxsimWarning):
    """A quantization loses more than its word lengths promise; says where, and the remedy."""


class MismatchError(FxsimError):
    """Two computations of one network differ."""
