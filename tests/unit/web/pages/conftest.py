"""The service without a model, as the API's own tests have it, with a chat's page before it."""

from __future__ import annotations

from tests.unit.web.api.conftest import Served, Serves, served, serves

__all__ = ["Served", "Serves", "served", "serves"]
