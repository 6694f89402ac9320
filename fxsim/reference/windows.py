"""Windows of an image, in the order of the stream."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Windows


def windows_of(
    windows: Windows, image: Sequence[int], outside: int, group: int = 0
) -> list[list[int]]:
    """Windows of one group, row by row; pixels outside the image are ``outside``."""
    depth, found = windows.group_channels, []
    down, across = windows.stride
    for row in range(windows.rows):
        for column in range(windows.columns):
            window = []
            for ky in range(windows.kernel[0]):
                for kx in range(windows.kernel[1]):
                    y = row * down - windows.padding.top + ky
                    x = column * across - windows.padding.left + kx
                    for c in range(group * depth, (group + 1) * depth):
                        inside = 0 <= y < windows.height and 0 <= x < windows.width
                        place = (y * windows.width + x) * windows.channels + c
                        window.append(image[place] if inside else outside)
            found.append(window)
    return found
