"""Pages of a user's own machine: looking at proposed questions. Knows HTTP and pages; decides nothing."""

from ragraft.web.server import serve

__all__ = ["serve"]
