"""A run over HTTP, in the form that clients of OpenAI's API speak. Knows HTTP; decides nothing."""

from ragraft.web.api.keys import new_key
from ragraft.web.api.server import serve_api

__all__ = ["new_key", "serve_api"]
