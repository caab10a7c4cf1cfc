"""Every probe: its name in the settings, who asks it, and about how much it asks of each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ragraft.methods.probing import coherence, grounding, rgb
from ragraft.methods.probing.asked import Desk
from ragraft.methods.probing.figures import Probed


@dataclass(frozen=True, slots=True)
class Probe:
    """A row of the table."""

    ask: Callable[[Desk], Probed]
    cells: int
    """How often it asks each question, about."""


PROBES: Mapping[str, Probe] = {
    "rgb": Probe(rgb.rgb, rgb.CELLS),
    "removal": Probe(grounding.removal, 1),
    "replacement": Probe(grounding.replacement, 1),
    "coherence": Probe(coherence.coherence, len(coherence.ORDERS)),
}
