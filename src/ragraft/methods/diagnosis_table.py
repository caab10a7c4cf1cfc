"""A diagnosis as tables and sentences, alike for the terminal and the page. Knows its record; computes no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.costs import HERE
from ragraft.methods.estimate import duration
from ragraft.methods.exam_facts import making_sentence
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, context_name, interval, model_name, plural, points

Data = Mapping[str, Any]
MEANINGS = {
    "retrieval": "the evidence was not among the passages",
    "reading": "wrong though the evidence, shown alone, holds the answer word for word",
    "distraction": "right from the evidence alone, wrong among other passages",
    "knowledge": "not in the documents, or takes more than their words",
    "form": "the right words in another form",
    "abstention": "answered where it should abstain, or abstained beside the evidence",
}
MANY = 10_000
FAR = 4
"""Times the questions of the largest small run."""
NOTHING_DONE = ("leave", "more-questions")
CENT = 0.01


def verdict_sentence(data: Data) -> str:
    """The verdict with the rule's reason, and what the first action would bring and cost."""
    decision, first = data["decision"], data["verdict"][0]
    parts = [f"Verdict: {decision['does']}.", decision["because"]]
    if decision["questions_needed"]:
        needed, asked = decision["questions_needed"], data["questions"]
        number = f"More than {MANY:,}" if needed > MANY else f"About {needed:,}"
        parts.append(f"{number} questions would tell; {asked:,} were asked.")
    if first["gain"]["value"]:
        cost = first["cost"]
        parts.append(
            f"Expected gain {interval(first['gain'], signed=True)} of 100{_measured(first)}, at most "
            f"{points(first['at_most'], signed=True)}; about {duration(60 * cost['minutes'])} of this machine and "
            f"{duration(60 * cost['effort_minutes'])} of yours."
        )
    return " ".join(part for part in parts if part)


def foretold_sentence(report: Data) -> str | None:
    """What the diagnosis expected of the method that was then used, beside what came of it; None without both."""
    method = report["facts"].get("method")
    expected = next((row for row in report["diagnosis"].get("verdict", ()) if row["action"] == method), None)
    wanted = ("f1_all", "retrieved", "tuned", "base")
    came = next(
        (row for row in report["differences"] if (row["metric"], row["context"], row["a"], row["b"]) == wanted), None
    )
    if expected is None or came is None:
        return None
    return (
        f"Foretold for {method} on the validation side: {interval(expected['gain'], signed=True)} of 100 over the "
        f"plain base; on the exam came {interval(came, signed=True)}."
    )


def loss_table(data: Data) -> Table:
    """Where the score is lost, a row a part; the parts add up to the loss."""
    loss = data["loss"]
    rows = [(part, interval(loss[part]), meaning) for part, meaning in MEANINGS.items()]
    rows.append(("all", interval(data["total_loss"]), "1 minus the score of the plain prompt with retrieved passages"))
    return Table("What is lost, of 100", ("Part", "Lost", "Meaning"), tuple(rows), tuple(_loss_notes(data)))


def advice_table(data: Data) -> Table:
    """What could be done, first choice first, with the rule that says so."""
    rows = tuple(
        (
            _action(row),
            interval(row["gain"], signed=True),
            points(row["at_most"], signed=True),
            (row["rule"] or "no rule fired") + _measured(row),
        )
        for row in data["verdict"]
    )
    columns = ("Action", "Expected gain", "At most", "Rule")
    return Table("What would pay, of 100", columns, rows, (verdict_sentence(data),))


def cost_table(data: Data) -> Table:
    """What each action would cost."""
    rows = tuple(
        (
            _action(row),
            _here(cost),
            _minutes(cost["effort_minutes"]),
            f"{cost['tokens']:,}" if cost["tokens"] else MISSING,
            f"{cost['flops']:.1e}" if cost["flops"] else MISSING,
            _hired(cost),
            f"{cost['tokens_an_answer']:+,.0f}" if cost["tokens_an_answer"] else MISSING,
        )
        for row in data["verdict"]
        for cost in [row["cost"]]
        if row["action"] not in NOTHING_DONE
    )
    columns = ("Action", "This machine", "You", "Tokens", "FLOPs", "Hired GPU", "Tokens an answer")
    return Table("What it would cost", columns, rows)


def _measured(row: Data) -> str:
    return f" (measured on {row['measured']})" if row.get("measured") else ""


def _action(row: Data) -> str:
    return f"{row['action']} ({row['setting']})" if row.get("setting") and row["rule"] else str(row["action"])


def _minutes(minutes: float) -> str:
    return duration(60 * minutes) if minutes else MISSING


def curve_table(data: Data) -> Table:
    """What small runs gained, and what all questions are expected to; no rows without any."""
    curve = data.get("curve") or {}
    title, columns = "What small runs gained, of 100", ("Questions learned", "Gain over the plain base", "The curve")
    if not curve:
        return Table(title, columns, ())
    if curve["action"] is None:
        return Table(title, columns, (), ("No small runs were made for a learning curve: no rule wants tuning.",))
    rows = [
        (str(row["questions"]), interval(row["gain"], signed=True), points(row["fitted"], signed=True))
        for row in curve["points"]
    ]
    rows.append((f"{curve['questions']} (all)", MISSING, interval(curve["foretold"], signed=True)))
    notes = [
        f"Each is one run of {curve['action']}, asked with retrieved passages. The interval is that of other "
        "questions; another seed of training would move each point, too."
    ]
    largest = max(row["questions"] for row in curve["points"])
    if curve["questions"] > FAR * largest:
        notes.append(
            f"The largest run learned {largest} of {curve['questions']} questions, so the curve is drawn out far: a "
            "model that begins to learn can look as if it never would (diagnose.curve)."
        )
    if curve["bounded"]:
        notes.append("The curve went beyond what the oracle arms allow, and is cut off there.")
    return Table(title, columns, tuple(rows), tuple(notes))


def condition_table(data: Data) -> Table:
    """The score under every condition that was asked."""
    rows = tuple(
        (
            f"{model_name(row['model'])}: {context_name(row['context'])}",
            interval(row["metrics"].get("f1")),
            interval(row["metrics"].get("f1_all")),
            interval(row["metrics"].get("over_refusal")),
            interval(row["metrics"].get("refusal_without_evidence")),
        )
        for row in data["conditions"]
    )
    columns = ("Condition", "Score, answerable", "All questions", "Abstains beside evidence", "Abstains without")
    return Table("What was asked, of 100", columns, rows)


def search_table(data: Data) -> Table:
    """What search finds by depth, then what other settings would show."""
    rows = [
        (f"first {row['k']}", interval(row["recall"]), interval(row["full recall"]), interval(row["sufficient"]), "")
        for row in data["retrieval"]["by_depth"]
    ]
    rows += [
        (row["setting"], MISSING, interval(row["evidence shown"]), MISSING, interval(row["change"], signed=True))
        for row in data["retrieval"]["settings"]
    ]
    columns = ("Search", "Any evidence", "All evidence", "Suffices", "Against today")
    return Table("What search brings, of 100 questions", columns, tuple(rows))


def diagnosis_tables(data: Data) -> tuple[Table, ...]:
    """As they are printed."""
    makers = (condition_table, search_table, loss_table, curve_table, cost_table, advice_table)
    found = [make(data) for make in makers]
    return tuple(table for table in found if table.rows or table.notes)


def _loss_notes(data: Data) -> list[str]:
    precision, label = data["precision"], making_sentence(data["made_by"], "validation")
    reached, wanted = precision["reached"], precision["wanted"]
    notes = [f"Asked: {plural(data['questions'], 'validation question')} in {plural(data['clusters'], 'cluster')}."]
    if reached is not None and reached > wanted:
        notes.append(
            f"The loss is known to ±{points(reached)}; for ±{points(wanted)} about {precision['questions_needed']:,} "
            "questions are needed (diagnose.precision, diagnose.max_questions)."
        )
    if label:
        notes.append(f"{label[:1].upper()}{label[1:]}.")
    if not data["examples"]:
        notes.append("There are no questions to draw examples from, so nothing was asked with examples.")
    if data["without_evidence"]:
        notes.append(f"{plural(data['without_evidence'], 'question')} have answers that no document was found to hold.")
    return [*notes, *_language(data["language"]), *_forms(data["form"]), *_calibration(data["calibration"])]


def _language(language: Data) -> list[str]:
    return [
        f"{measure[:1].upper()}{measure[1:]}: documents {language[measure]['documents']['value']:.2f}, general text "
        f"{language[measure]['general text']['value']:.2f}; ratio {_ratio(language[measure]['ratio'])}."
        for measure in ("bits per byte", "tokens a word")
        if measure in language
    ]


def _ratio(figure: Data) -> str:
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _forms(form: Data) -> list[str]:
    told = ", ".join(f"{model_name(model).lower()} {interval(found['valid'])}" for model, found in form.items())
    return [f"Answers in the form asked for, of 100: {told}."] if told else []


def _calibration(found: Data) -> list[str]:
    if not found:
        return []
    area = found["auroc"]
    says = f"; a right answer is surer than a wrong one in {interval(area)} of 100 pairs" if area else ""
    return [f"Confidence against correctness: calibration error {interval(found['ece'])} of 100{says}."]


def _here(cost: Data) -> str:
    """Minutes of this machine, with its money where it has a price."""
    paid = cost["money"].get(HERE)
    return _minutes(cost["minutes"]) + (f", {_paid(paid, cost)}" if paid else "")


def _hired(cost: Data) -> str:
    """Money and minutes on the named machines, from the cheapest to the dearest and from the fastest to the slowest."""
    hired: Sequence[float] = [price for name, price in cost["money"].items() if name != HERE]
    if not hired or not cost["flops"]:
        return MISSING
    low, high = min(hired), max(hired)
    money = f"{low:.2f} to {_paid(high, cost)}" if high >= CENT else _paid(high, cost)
    minutes = [60 * one for one in cost.get("minutes_on", {}).values()]
    return f"{money}, {duration(min(minutes))} to {duration(max(minutes))}" if minutes else money


def _paid(money: float, cost: Data) -> str:
    return f"{money:.2f} {cost['currency']}" if money >= CENT else f"under 0.01 {cost['currency']}"
