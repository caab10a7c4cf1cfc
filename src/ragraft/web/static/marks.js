// Marks quotes in a text. Knows text and elements; text stays text.

/** Every place of each quote, as [start, end]; line breaks and runs of blanks count as one blank. */
export function spans(text, quotes) {
  const found = [];
  for (const quote of quotes) {
    const words = quote.split(/\s+/u).filter(Boolean);
    if (!words.length) continue;
    const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")).join("\\s+");
    for (const match of text.matchAll(new RegExp(pattern, "g"))) found.push([match.index, match.index + match[0].length]);
  }
  return joined(found);
}

/** The text with its quotes as <mark>. */
export function marked(text, quotes) {
  const piece = document.createDocumentFragment();
  let place = 0;
  for (const [start, end] of spans(text, quotes)) {
    const mark = document.createElement("mark");
    mark.tabIndex = -1;
    mark.textContent = text.slice(start, end);
    piece.append(text.slice(place, start), mark);
    place = end;
  }
  piece.append(text.slice(place));
  return piece;
}

function joined(found) {
  const kept = [];
  for (const [start, end] of found.sort((one, other) => one[0] - other[0])) {
    const last = kept.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else kept.push([start, end]);
  }
  return kept;
}
