"""Documents that are not learned from, so that what was learned can be measured on them. Knows texts and hashes only.

Whole clusters of documents, those of one work or with shared paragraphs, as questions are clustered: a page of a
contract whose other pages were learned is no new text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ragraft.methods.clusters import Asked, make_clusters
from ragraft.methods.lots import lot
from ragraft.records import Document


def hold_out(documents: Sequence[Document], share: float, *, seed: int) -> dict[str, str]:
    """Held-out document id → its cluster, about `share` of all characters; nothing of a single cluster.

    Clusters are taken in the order of a seeded hash; one that overshoots by more than half of its size is passed over.
    """
    asked = [Asked(document.id, "", (document.id,), ()) for document in documents]
    clusters = make_clusters(asked, documents, [], largest=1.0).of
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[clusters[document.id]] += len(document.text)
    wanted, taken = share * sizes.total(), 0
    held: set[str] = set()
    for cluster in sorted(sizes, key=lambda name: (lot(f"{seed}:{name}"), name)):
        if taken + sizes[cluster] / 2 <= wanted:
            held.add(cluster)
            taken += sizes[cluster]
    return {name: cluster for name, cluster in clusters.items() if cluster in held}
