"""The 61 phone labels of TIMIT, and the 39 that they are folded to for scoring.

Lee and Hon 1989. The glottal stop ``q``, which they delete, counts as silence, so that every frame
is scored.
"""

from __future__ import annotations

import numpy as np

_PHONES = """
aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix
iy jh k kcl l m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh
"""
_SCORED_AS = """
ao:aa ax:ah ax-h:ah axr:er el:l em:m en:n eng:ng hv:hh ix:ih nx:n ux:uw zh:sh
bcl:h# dcl:h# gcl:h# pcl:h# tcl:h# kcl:h# epi:h# pau:h# q:h#
"""
_OTHERS = dict(pair.split(":") for pair in _SCORED_AS.split())

PHONES = tuple(_PHONES.split())
"""Class c is ``PHONES[c]``."""

FOLD = np.array([PHONES.index(_OTHERS.get(phone, phone)) for phone in PHONES], dtype=np.int64)
"""Class of the phone that each class is scored as, shape (61,): 39 different ones."""
FOLD.flags.writeable = False
