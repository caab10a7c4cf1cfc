// Keys for what the page's links and buttons do; without this file they still do it.
"use strict";
const byId = (id) => document.getElementById(id);
const mend = byId("mend");

function startMending() {
  mend.open = true;
  const field = byId("question");
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

const keys = {
  a: () => byId("accept").click(),
  d: () => byId("drop").click(),
  e: startMending,
  ArrowLeft: () => byId("previous")?.click(),
  ArrowRight: () => byId("next")?.click(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.tagName === "TEXTAREA";
  if (writing && event.key === "Escape") {
    mend.open = false;
    mend.querySelector("summary").focus();
  } else if (writing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    byId("mending").requestSubmit(byId("mending").querySelector("button"));
  } else if (!writing && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat && keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
