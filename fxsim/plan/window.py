"""The record of a line buffer."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.windows import Windows
from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat, check_sizes


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """Configuration of a `fxsim.hw.blocks.window.Window`, a line buffer.

    Parameters
    ----------
    windows : Windows
        Sizes and order.
    format : IntFormat
        Format of a lane.
    simd : int
        Lanes of a beat of windows, one of ``windows.simd_choices()``.
    repeats : int
        How often each window is given out.
    outside : int
        Integer for pixels outside the image.

    Raises
    ------
    ConfigError
        If ``simd`` is none of the choices, or ``repeats`` is less than 1.
    """

    windows: Windows
    format: IntFormat
    simd: int
    repeats: int = 1
    outside: int = 0

    def __post_init__(self) -> None:
        if self.simd not in (choices := self.windows.simd_choices()):
            raise ConfigError(f"simd must be one of {choices}, not {self.simd}")
        check_sizes(self, "repeats")

    @property
    def i(self) -> Beat:
        """Beat that is taken: channels of a pixel."""
        return Beat(self.format, self.windows.lanes_in(self.simd))

    @property
    def o(self) -> Beat:
        """Beat that is given."""
        return Beat(self.format, self.simd)

    @property
    def pixel_words(self) -> int:
        """Beats of a pixel."""
        return self.windows.channels // self.i.lanes

    @property
    def group_words(self) -> int:
        """Beats of a pixel's channels that a window sees."""
        return self.windows.group_channels // self.i.lanes

    @property
    def taps(self) -> tuple[int, int]:
        """Rows and columns of pixels in a beat; each pixel comes from a memory of its own."""
        return self.windows.taps(self.simd)

    @property
    def banks(self) -> int:
        """Memories."""
        rows, columns = self.taps
        return rows * columns

    @property
    def line(self) -> int:
        """Words of a bank for a row of pixels, which has the padding at its ends too.

        Columns count from the left padding on, so that they are never negative.
        """
        _, columns = self.taps
        return -(-self.windows.framed_width // columns) * self.pixel_words

    @property
    def slots(self) -> int:
        """Rows of pixels that are held: a multiple of the rows of banks."""
        rows, _ = self.taps
        return -(-self.windows.stored_rows // rows) * rows

    @property
    def depth(self) -> int:
        """Words of a bank."""
        rows, _ = self.taps
        return self.slots // rows * self.line

    @property
    def beats(self) -> int:
        """Beats at each place."""
        windows = self.windows
        return windows.groups * self.repeats * (windows.size // self.simd)

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of an image before and after."""
        pixels = self.windows.height * self.windows.width
        return pixels * self.pixel_words, self.windows.places * self.beats
