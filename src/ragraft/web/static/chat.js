// The chat: questions, answers while they are written, the passages that they rest on. Text never becomes markup.
import { marked } from "./marks.js";
import { Fault, answerTo, call, posted } from "./stream.js";

const byId = (id) => document.getElementById(id);
const page = byId("main").dataset;
const field = byId("question");
const KEPT = `ragraft ${page.run}`;
/** Each `{question, retrieval, answers: [{model, text, state, fault, rests, rating}]}`; in the browser's tab alone. */
let turns = [];
let writing = null;
let cameFrom = null;
/** Nobody has scrolled since the last question. */
let followed = true;

// What is asked

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(field.value.trim());
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("ask").requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && writing) writing.abort();
  else if (event.key === "Escape" && event.target.closest?.(".passages") && cameFrom?.isConnected) cameFrom.focus();
  else if (event.key === "/" && !event.target.closest?.("input, textarea, select")) {
    event.preventDefault();
    field.focus();
  }
});

byId("stop").addEventListener("click", () => writing?.abort());
byId("anew").addEventListener("click", anew);
byId("leave")?.addEventListener("submit", () => sessionStorage.clear());
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => ask(example.textContent));
}

async function ask(question) {
  if (!question) return;
  if (writing) return say("An answer is being written; Escape stops it");
  const names = byId("beside").checked ? [byId("model").value, byId("other").value] : [byId("model").value];
  const turn = { question, retrieval: byId("retrieval").value, answers: names.map(unanswered) };
  turns.push(turn);
  field.value = "";
  const drawn = drawTurn(turn);
  followed = true;
  drawn.scrollIntoView({ block: "start" });
  await write(turn, turn.answers);
  if (followed) drawn.scrollIntoView({ block: "start" });
}

const unanswered = (model) => ({ model, text: "", state: "writing", fault: "", rests: null, rating: "" });

/** Have these answers of a turn written, all at once. */
async function write(turn, answers) {
  writing = new AbortController();
  busy(true);
  say(answers.length > 1 ? "Both answers are being written" : "The answer is being written");
  await Promise.all(answers.map((answer) => writeOne(turn, answer, writing.signal)));
  writing = null;
  busy(false);
  keep();
  const states = new Set(answers.map((answer) => answer.state));
  say(states.has("failed") ? "Failed" : states.has("stopped") ? "Stopped" : "Answered");
}

async function writeOne(turn, answer, signal) {
  const place = elementOf(turn, answer);
  Object.assign(answer, unanswered(answer.model));
  drawAnswer(turn, answer);
  const messages = [...before(turn, answer.model), { role: "user", content: turn.question }];
  // What is left out the server decides, for each model by itself.
  const body = { model: answer.model, messages, ...(turn.retrieval && { ragraft: { retrieval: turn.retrieval } }) };
  try {
    answer.rests = await answerTo(body, signal, (piece) => {
      answer.text += piece;
      const text = place.querySelector(".text");
      text.textContent = answer.text;
      // Of two that are written, the first one that still is stays in sight.
      const first = turn.answers.find((one) => one.state === "writing") === answer;
      if (followed && first) text.scrollIntoView({ block: "nearest" });
    });
    answer.text = answer.rests.answer;
    answer.state = "done";
  } catch (error) {
    answer.state = error.name === "AbortError" ? "stopped" : "failed";
    answer.fault = error instanceof Fault ? error.message : String(error);
    if (answer.state === "failed" && !(error instanceof Fault)) console.error(error);
  }
  drawAnswer(turn, answer);
}

/** The exchanges before a turn, as this model remembers them: with its own answers where it gave one. */
function before(turn, model) {
  const told = turns.slice(0, turns.indexOf(turn)).flatMap((one) => {
    const done = one.answers.filter((answer) => answer.state === "done");
    const answer = done.find((each) => each.model === model) ?? done[0];
    return answer ? [[{ role: "user", content: one.question }, { role: "assistant", content: answer.text }]] : [];
  });
  return Number(page.earlier) ? told.slice(-Number(page.earlier)).flat() : [];
}

// What is shown

function drawTurn(turn) {
  const drawn = byId("turn").content.firstElementChild.cloneNode(true);
  drawn.querySelector(".question").textContent = turn.question;
  const answers = drawn.querySelector(".answers");
  answers.classList.toggle("two", turn.answers.length > 1);
  byId("log").append(drawn);
  const asked = drawn.querySelector(".question");
  if (asked.scrollHeight > asked.clientHeight) asked.tabIndex = 0; // a long one is scrolled by keys, too
  byId("empty").hidden = true;
  byId("anew").hidden = false;
  for (const answer of turn.answers) {
    answers.append(newAnswer(turn, answer));
    drawAnswer(turn, answer);
  }
  return drawn;
}

function newAnswer(turn, answer) {
  const drawn = byId("answer").content.firstElementChild.cloneNode(true);
  drawn.classList.add(answer.model === "base" ? "before" : "after");
  drawn.setAttribute("aria-label", `Answer of ${answer.model}`);
  drawn.querySelector(".model").textContent = answer.model;
  drawn.querySelector(".rate").setAttribute("aria-label", `Rate the answer of ${answer.model}`);
  drawn.querySelector(".again").addEventListener("click", () => writing || (field.focus(), write(turn, [answer])));
  for (const rating of ["up", "down"]) {
    drawn.querySelector(`.${rating}`).addEventListener("click", () => rate(turn, answer, rating));
  }
  drawn.querySelector(".note form").addEventListener("submit", (event) => {
    event.preventDefault();
    note(turn, answer, event.target);
  });
  return drawn;
}

const elementOf = (turn, answer) =>
  byId("log").children[turns.indexOf(turn)].querySelector(".answers").children[turn.answers.indexOf(answer)];

function drawAnswer(turn, answer) {
  const drawn = elementOf(turn, answer);
  const part = (name) => drawn.querySelector(name);
  // What is read aloud while it is half a word helps nobody: the whole is, once it is there.
  drawn.setAttribute("aria-busy", String(answer.state === "writing"));
  drawn.dataset.state = answer.state;
  part(".facts").textContent = facts(answer);
  part(".text").textContent = answer.text;
  part(".fault").hidden = answer.state !== "failed";
  part(".fault").textContent = answer.state === "failed" ? `${answer.fault}.` : "";
  part(".again").hidden = !["failed", "stopped"].includes(answer.state);
  part(".rate").hidden = answer.state !== "done" || page.feedback !== "true";
  drawRating(drawn, answer);
  drawPassages(drawn, turn, answer);
}

function facts(answer) {
  const rests = answer.rests;
  if (answer.state === "stopped") return "stopped";
  if (!rests) return "";
  const told = [
    rests.abstained && "abstained",
    rests.from_memory && !rests.abstained && "from memory",
    rests.finish === "length" && "cut at the token limit",
    likely(rests.retrieval),
    `${rests.seconds.all.toFixed(1)} s`,
  ];
  return told.filter(Boolean).join(" · ");
}

/** How likely the answer is right, where the server has measured that. */
function likely({ decision, probability }) {
  const chance = probability?.[decision === "skip" ? "closed_book" : "with_passages"];
  return typeof chance === "number" && `right by ${Math.round(100 * chance)} %`;
}

function drawRating(drawn, answer) {
  for (const rating of ["up", "down"]) {
    drawn.querySelector(`.${rating}`).setAttribute("aria-pressed", String(answer.rating === rating));
  }
  drawn.querySelector(".note").hidden = !answer.rating || page.notes !== "true";
}

function drawPassages(drawn, turn, answer) {
  const { passages = [], citations = [], quotes = [] } = answer.rests ?? {};
  const list = drawn.querySelector(".passages");
  list.hidden = !passages.length;
  list.querySelector("h3").textContent = passages.length === 1 ? "The passage shown" : `The ${passages.length} passages shown`;
  const cited = new Set(citations.map((one) => one.number));
  list.querySelector("ol").replaceChildren(...passages.map((passage) => {
    const mine = quotes.filter((one) => one.number === passage.number || one.number === null).map((one) => one.text);
    return drawPassage(passage, mine, cited.has(passage.number) && turn.answers.length === 1, cited.has(passage.number));
  }));
  for (const { number, title } of citations) {
    const cite = document.createElement("button");
    cite.type = "button";
    cite.className = "cite";
    cite.textContent = number;
    cite.setAttribute("aria-label", `Passage ${number}: ${title}`);
    cite.title = title;
    cite.addEventListener("click", () => show(list.querySelector(`[data-number="${Number(number)}"]`), cite));
    drawn.querySelector(".answer > .text").append(" ", cite);
  }
}

function drawPassage(passage, quotes, open, cited) {
  const drawn = byId("passage").content.firstElementChild.cloneNode(true);
  const part = (name) => drawn.querySelector(name);
  drawn.dataset.number = passage.number;
  part("details").open = open;
  part(".number").textContent = passage.number;
  part(".title").textContent = passage.title || passage.id;
  part(".cited").hidden = !cited;
  part(".text").append(marked(passage.text, quotes));
  part(".from").textContent = passage.document;
  return drawn;
}

/** Opens a passage and goes to its cited span; to all of it where nothing was quoted. */
function show(passage, from) {
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  passage.querySelector("details").open = true;
  const found = passage.querySelectorAll("mark");
  const whole = passage.querySelector(".text");
  whole.tabIndex = -1;
  for (const mark of found.length ? found : [whole]) mark.classList.add("lit");
  const first = found[0] ?? whole;
  first.scrollIntoView({ block: "center" });
  first.focus({ preventScroll: true });
  cameFrom = from;
}

// What is thought of it

async function rate(turn, answer, rating) {
  if (answer.rating === rating) return;
  await tell(turn, answer, { rating }, () => {
    answer.rating = rating;
    drawRating(elementOf(turn, answer), answer);
    if (rating === "down") elementOf(turn, answer).querySelector(".note").open = true;
  });
}

async function note(turn, answer, form) {
  const given = Object.fromEntries([...new FormData(form)].filter(([, text]) => text.trim()));
  if (!Object.keys(given).length) return form.elements.answer.focus();
  await tell(turn, answer, { rating: answer.rating, ...given }, () => {
    form.reset();
    form.parentElement.open = false;
    form.parentElement.querySelector("summary").focus();
  });
}

async function tell(turn, answer, given, done) {
  const told = elementOf(turn, answer).querySelector(".told");
  try {
    await call("/v1/feedback", posted({ id: answer.rests.id, ...given }));
    done();
    told.textContent = "Kept, thank you";
    keep();
  } catch (error) {
    told.textContent = `${error.message}.`;
  }
  say(told.textContent);
}

// What stands around it

function busy(now) {
  const [gone, come] = now ? [byId("send"), byId("stop")] : [byId("stop"), byId("send")];
  const follows = document.activeElement === gone;
  come.hidden = false;
  gone.hidden = true;
  if (follows) come.focus();
  byId("anew").hidden = now || !turns.length;
}

function say(text) {
  byId("status").textContent = text;
}

for (const kind of ["wheel", "touchmove", "keydown"]) {
  byId("scroll").addEventListener(kind, () => (followed = false), { passive: true });
}

function anew() {
  turns = [];
  byId("log").replaceChildren();
  byId("empty").hidden = false;
  byId("anew").hidden = true;
  keep();
  say("A new conversation");
  field.focus();
}

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(turns));
  } catch {
    // The tab's store is full: what is on the page stays there, and a reload forgets it.
    sessionStorage.removeItem(KEPT);
  }
}

function restore() {
  try {
    turns = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
    turns.forEach(drawTurn);
  } catch {
    sessionStorage.removeItem(KEPT);
    anew();
  }
  const view = byId("scroll");
  view.scrollTop = view.scrollHeight;
}

/** The models that the server has now; a choice that is still there stays. */
async function listModels() {
  let names;
  try {
    names = (await (await call("/v1/models")).json()).data.map((row) => row.id);
  } catch (error) {
    return say(`${error.message}.`);
  }
  const [model, other] = [byId("model"), byId("other")];
  fill(model, names, model.value || names[0]);
  fill(other, names, other.value || names.find((name) => name !== model.value));
  byId("beside-choice").hidden = names.length < 2;
  differ(model, other);
}

function fill(choice, names, chosen) {
  if ([...choice.options].map((option) => option.value).join("\n") === names.join("\n")) return;
  choice.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
}

/** Two models stand side by side, never one with itself. */
function differ(changed, follows) {
  if (changed.value !== follows.value) return;
  follows.value = [...follows.options].map((option) => option.value).find((name) => name !== changed.value) ?? "";
}

byId("model").addEventListener("change", () => differ(byId("model"), byId("other")));
byId("other").addEventListener("change", () => differ(byId("other"), byId("model")));
byId("beside").addEventListener("change", () => (byId("other").disabled = !byId("beside").checked));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && listModels());

restore();
listModels();
