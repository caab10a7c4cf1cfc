"""How many questions `ragraft serve` answers: 64 clients at a time, 8 at a time, and batches against one by one.

    python -m benchmarks.serving [--quick] [--model SOURCE] [--json FILE]

Writes a made-up corpus, indexes it, starts the server as a process of its own and asks it from this one. Prompts hold
about 900 tokens and answers at most 40, of the embedded model as it is (--model: another). `batching` asks the same
number of questions one by one and then 16 at a time, once all on different documents and once all on the same ones;
the shared ones are compared with different ones asked one by one, since that is what they would cost without sharing.
`load` keeps 64 clients asking for two minutes (--quick: 20 seconds): every answer that is neither 200 nor an honest
429 or 503 with Retry-After is a failure, and the benchmark fails with it. Memory is the server's peak. Linux and macOS.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import quantiles
from typing import Any

from ragraft.config import DEFAULT_MODEL

RAGRAFT = (sys.executable, "-c", "from ragraft.cli import main; main()")
CHUNKS_EACH = 4
"""Chunks of a document, all of which a question about it is shown."""
WORDS = 155
"""In a chunk: with the model's tokens for made-up names, four of them are about 900 tokens."""
CLIENTS, FEWER, BATCH = 64, 8, 16
HONEST = (429, 503)
PATIENCE = 600.0
PACKAGES = ("ragraft", "fastapi", "torch", "transformers", "uvicorn")
VOCABULARY = (
    "tower lamp harbour granite keeper winter light ship stone water road island morning letter north wall door year "
    "village boat storm glass fire house wind rope hill field market bridge river the of and in was with for by on at"
)


@dataclass(frozen=True, slots=True)
class Called:
    """One request as its client saw it."""

    status: int
    seconds: float
    first: float = 0.0
    """Until the first words came."""
    tokens: int = 0
    read: int = 0
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A measured load."""

    name: str
    clients: int
    seconds: float
    statuses: dict[str, int]
    answers_a_second: float
    tokens_a_second: float
    prompt_tokens: float
    """In the mean."""
    latency: dict[str, float] = field(default_factory=dict)
    first_words: dict[str, float] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ragraft-serving-") as name:
        site = Path(name)
        number = options.questions or (8 if options.quick else 32)
        write_site(site, options.model, documents=max(4 * number, 24), settings=options.set)
        subprocess.run([*RAGRAFT, "index", str(site / "ragraft.yaml")], check=True, stdout=subprocess.DEVNULL)
        with server(site) as port:
            rows = measure(port, number, seconds=options.seconds or (20.0 if options.quick else 120.0), site=site)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    ratios = batching(rows)
    failed = [row.name for row in rows if not honest(row)]
    for line in (*map(line_of, rows), *(f"{key}: {value:.2f}" for key, value in ratios.items())):
        print(line)
    print(f"peak memory of the largest process: {peak / 2**30:.2f} GiB")
    if options.json:
        data = {"rows": [asdict(row) for row in rows], "batching": ratios, "peak_bytes": peak, **_facts(options)}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if failed:
        print(f"failed requests in: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measure(port: int, number: int, *, seconds: float, site: Path) -> list[Row]:
    """All loads, one after the other, each on questions that were not asked before."""
    names = json.loads((site / "names.json").read_text("utf-8"))
    fresh = (question(name) for name in names)
    shared = question_maker(names[-1])
    ask(port, question(names[-2]))  # the first answer opens what is opened late
    rows = [
        fixed("distinct, one by one", port, list(itertools.islice(fresh, number)), clients=1),
        fixed("distinct, together", port, list(itertools.islice(fresh, number)), clients=BATCH),
        fixed("shared, one by one", port, list(itertools.islice(shared, number)), clients=1),
        fixed("shared, together", port, list(itertools.islice(shared, number)), clients=BATCH),
    ]
    mixed = itertools.cycle([question(name) for name in names])
    rows.append(sustained("eight clients", port, mixed, clients=FEWER, seconds=seconds / 2))
    rows.append(sustained("load", port, mixed, clients=CLIENTS, seconds=seconds))
    return rows


def batching(rows: Sequence[Row]) -> dict[str, float]:
    """Throughput in a batch against that of different questions one by one."""
    rate = {row.name: row.answers_a_second for row in rows}
    alone = rate["distinct, one by one"]
    return {
        "batching on distinct prompts": rate["distinct, together"] / alone,
        "batching on shared passages": rate["shared, together"] / alone,
        "shared passages one by one": rate["shared, one by one"] / alone,
    }


def fixed(name: str, port: int, questions: Sequence[str], *, clients: int) -> Row:
    """So many questions, from so many clients."""
    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        called = list(pool.map(lambda one: ask(port, one), questions))
    return row_of(name, clients, time.monotonic() - began, called)


def sustained(name: str, port: int, questions: Iterator[str], *, clients: int, seconds: float) -> Row:
    """Clients that ask for so long, each again as soon as it is answered; one sent away waits as it is told to."""
    called: list[Called] = []
    began = time.monotonic()
    taking = threading.Lock()

    def client() -> None:
        while time.monotonic() - began < seconds:
            with taking:
                one = next(questions)
            called.append(answer := ask(port, one))
            if answer.status in HONEST:
                time.sleep(1.0)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return row_of(name, clients, time.monotonic() - began, called)


def ask(port: int, text: str) -> Called:
    """One streamed chat completion; status 0 where the connection fails."""
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            response.read()
            told = response.getheader("Retry-After") is not None
            return Called(response.status, time.monotonic() - began, retry_after=told)
        return _read(response, began)
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return Called(0, time.monotonic() - began)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, began: float) -> Called:
    first, usage = 0.0, {"completion_tokens": 0, "prompt_tokens": 0}
    for line in response:
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        chunk = json.loads(line.removeprefix(b"data: "))
        spoken = any(choice["delta"].get("content") for choice in chunk["choices"])
        first = first or (time.monotonic() - began if spoken else 0.0)
        usage = chunk.get("usage") or usage
    seconds = time.monotonic() - began
    return Called(200, seconds, first or seconds, usage["completion_tokens"], usage["prompt_tokens"])


def row_of(name: str, clients: int, seconds: float, called: Sequence[Called]) -> Row:
    """What a load's clients saw, summed up."""
    answered = [one for one in called if one.status == http.HTTPStatus.OK]
    dishonest = sum(one.status in HONEST and not one.retry_after for one in called)
    statuses = Counter(str(one.status) for one in called)
    if dishonest:
        statuses["without Retry-After"] = dishonest
    return Row(
        name=name,
        clients=clients,
        seconds=seconds,
        statuses=dict(statuses),
        answers_a_second=len(answered) / seconds,
        tokens_a_second=sum(one.tokens for one in answered) / seconds,
        prompt_tokens=sum(one.read for one in answered) / max(len(answered), 1),
        latency=percentiles([one.seconds for one in answered]),
        first_words=percentiles([one.first for one in answered]),
    )


def honest(row: Row) -> bool:
    """Whether each request was answered, or sent away with the time to come back."""
    return all(status in ("200", *map(str, HONEST)) for status in row.statuses) and "200" in row.statuses


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th; nothing of fewer than two values."""
    if len(values) <= 1:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def line_of(row: Row) -> str:
    """A row as text."""
    told = " ".join(f"{key} {value:.2f}" for key, value in row.latency.items())
    statuses = ", ".join(f"{number} × {status}" for status, number in sorted(row.statuses.items()))
    return (
        f"{row.name}: {row.clients} clients, {row.answers_a_second:.2f} answers/s, {row.tokens_a_second:.1f} tokens/s, "
        f"prompts of {row.prompt_tokens:.0f}, seconds {told or '-'} ({statuses})"
    )


def write_site(site: Path, model: str, *, documents: int, settings: Sequence[str]) -> None:
    """Documents of four chunks each on places that stand nowhere else, so that a question finds exactly its own."""
    draw = random.Random(0)
    names = [
        f"{''.join(draw.choices('bdfgklmnprstvz', k=3))}{''.join(draw.choices('aeiou', k=2))}{number}"
        for number in range(documents)
    ]
    rows = [{"id": name, "title": name, "text": _text(draw, name)} for name in names]
    (site / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (site / "names.json").write_text(json.dumps(names), encoding="utf-8")
    config: dict[str, Any] = {
        "name": "serving",
        "documents": "documents.jsonl",
        "model": model,
        "embedder": "hashing",
        "ingest": {"drop_duplicates": False},
        "index": {"store": "memory", "chunk_tokens": 240},
        # Full text alone: the made-up names decide, and all questions on a place find the same passages in one order.
        "retrieve": {"k": CHUNKS_EACH, "dense_weight": 0},
        "prompt": {"answer_tokens": 40},
    }
    for setting in settings:
        key, _, value = setting.partition("=")
        section, _, name = key.partition(".")
        config[section] = {**config.get(section, {}), name: json.loads(value)} if name else json.loads(value)
    (site / "ragraft.yaml").write_text(json.dumps(config), encoding="utf-8")


def _text(draw: random.Random, name: str) -> str:
    def sentence() -> str:
        return f"{name} {' '.join(draw.choices(VOCABULARY.split(), k=14))}."

    return "\n\n".join(" ".join(sentence() for _ in range(WORDS // 15)) for _ in range(CHUNKS_EACH))


def question(name: str) -> str:
    """A question on a place."""
    return f"What do the documents say about {name}?"


def question_maker(name: str) -> Iterator[str]:
    """Ever other questions on one place."""
    return (f"What do the documents say about {name}, reader {number}?" for number in itertools.count(1))


@contextmanager
def server(site: Path) -> Iterator[int]:
    """A server of its own process; its port."""
    process = subprocess.Popen(
        [*RAGRAFT, "serve", "--port", "0", str(site / "ragraft.yaml")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"the server did not start: {line or 'see above'}")
        yield int(line.partition("http://")[2].partition("/")[0].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _facts(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "benchmark": "serving",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": options.model,
        "quick": options.quick,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "load": os.getloadavg()[0]},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer questions and shorter loads, at most five minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write rows and facts here")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="SOURCE", help="another model than the embedded one")
    parser.add_argument("--questions", type=int, metavar="N", help="in each of the four batching rows (32; quick: 8)")
    parser.add_argument("--seconds", type=float, help="that 64 clients ask (120; quick: 20)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="a setting of the run")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
