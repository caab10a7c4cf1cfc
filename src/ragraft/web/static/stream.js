// Speaks with the API of this server. Knows requests and events; knows no page.

export class Fault extends Error {}

/** A response that is well; Fault, in one sentence, else. Where a key is needed, to the page that asks for it. */
export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("The server does not answer; see whether ragraft serve is still running");
  }
  if (response.ok) return response;
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  throw new Fault(await told(response));
}

export const posted = (data, more = {}) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(data),
  ...more,
});

async function told(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server refused, with status ${response.status}`;
  }
}

/** Asks, calls `more` with each piece of text, and returns what the answer rests on. Aborting `signal` ends it. */
export async function answerTo(body, signal, more) {
  const response = await call("/v1/chat/completions", posted({ ...body, stream: true }, { signal }));
  let last = null;
  for await (const data of events(response)) {
    if (data === "[DONE]" && last) return last;
    const event = JSON.parse(data);
    if (event.error) throw new Fault(event.error.message);
    const choice = event.choices[0];
    if (choice?.delta?.content) more(choice.delta.content);
    if (choice?.ragraft) last = { ...choice.ragraft, finish: choice.finish_reason };
  }
  throw new Fault("The answer was cut off: the connection has ended");
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      return { done: true };
    });
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) yield part.replace(/^data: /, "");
  }
}
