"""The settings of `ragraft serve`. Knows no server's code and no file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ragraft.config.sections import Section


class ServeConfig(Section):
    host: str = "127.0.0.1"
    """Where to listen; another address than this machine's own needs a key: ragraft serve --new-key NAME."""
    port: int = Field(8000, ge=0, le=65535)
    """0: any free one."""
    base: str | None = None
    """openai:MODEL at endpoint.url answers as base; computed here when left out."""
    tuned: str | None = None
    """openai:MODEL at endpoint.url answers as tuned (such as vLLM with an adapter); computed here when left out."""
    open_models: int = Field(3, ge=2)
    """Most models in memory at a time; the one asked longest ago makes room, and a change of models needs two."""
    candidate: str = "tuned"
    """Who gets the shares of canary and shadow: the run's own model, or one that was promoted."""
    canary: float = Field(0.0, ge=0, le=1)
    """Share of the conversations with the model in service that the candidate answers instead."""
    shadow: float = Field(0.0, ge=0, le=1)
    """Share of them that the candidate is asked too, in the background, for the log alone."""
    shadow_beside: int = Field(0, ge=0)
    """Users' answers that may be under way while the candidate is asked so; it is left when there are more."""
    at_once: int = Field(80, ge=1)
    """Most requests under way, those that wait for a place in the batch included; more are sent away with 503."""
    per_minute: int = Field(120, ge=1)
    """Requests a minute that one key may send."""
    max_body: int = Field(1_000_000, ge=1000)
    """Longest request, in bytes."""
    max_messages: int = Field(100, ge=1)
    """Most messages of a conversation."""
    retrieval: Literal["always", "never", "auto"] = "always"
    """What holds for requests that don't say: look up, answer from memory, or decide, where that is calibrated."""
    history: int = Field(3, ge=0)
    """Earlier questions with their answers that the model sees, as far as they fit."""
    query_turns: int = Field(1, ge=0)
    """Earlier questions that are looked up together with the last one."""
    max_k: int = Field(50, ge=1)
    """Most passages that a request may ask for."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may call the server, as in https://app.example; none by default."""
    workspace: bool | None = None
    """Pages over runs, lessons and traffic; null: only where no key is needed: who may ask need not read it all."""
    log: bool = True
    """Keep a row of every answer and every feedback under 90-traffic."""
    log_content: bool = True
    """Questions, answers and comments in these rows; false keeps ids, scores and times alone."""
    keep_days: int | None = Field(90, ge=1)
    """Sealed segments of the log are removed when their last row is older; null keeps all."""

    @field_validator("base", "tuned")
    @classmethod
    def _at_the_endpoint(cls, value: str | None) -> str | None:
        if value is not None and not value.removeprefix("openai:").strip():
            raise ValueError("write it as openai:MODEL")
        if value is not None and not value.startswith("openai:"):
            raise ValueError("write it as openai:MODEL; models computed here are named by model: and by training")
        return value

    @model_validator(mode="after")
    def _shadows_are_logged(self) -> ServeConfig:
        if self.shadow and not self.log:
            raise ValueError("shadow: its answers go into the log alone, and log is false; set one of them otherwise")
        return self

    @field_validator("origins")
    @classmethod
    def _whole_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            scheme, mark, host = origin.partition("://")
            if scheme not in ("http", "https") or not mark or not host or "/" in host or "*" in host:
                raise ValueError(f"{origin}: write each as https://HOST or http://HOST:PORT, without a path or a star")
        return value
