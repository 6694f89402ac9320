"""Console of rich that shows text and obeys none of it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from fxsim.names import printable


class Screen(Console):
    """Plain text: neither markup nor escape sequences in it count, whoever wrote it.

    All that rich prints becomes segments here; those with escapes of rich's own are marked so.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Segments of something, with escapes in place of what is not printable."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text, keep="\n"), segment.style)
