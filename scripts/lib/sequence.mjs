// Draws the sequences of docs/tour.md for the site: from Mermaid's text, which GitHub draws itself, a picture that is readable on a phone.
import { Failure } from "./script.mjs";

const WIDTH = 360;
const MARGIN = 46;
const HEADER = { width: 84, height: 30 };
const ROW = 38;
/** An estimate of the reader's font, at 13 units. */
const CHARACTER = 6.9;

const message = /^(?<from>[^-]+?)(?<arrow>-->>|->>|--x)(?<to>[^:]+): (?<text>.+)$/;
const note = /^Note over (?<over>[^:]+): (?<text>.+)$/;

/** A page with its sequences drawn. @throws Failure for a line that is not understood */
export function withSequences(text) {
  return text.replace(/^```mermaid\nsequenceDiagram\n([\s\S]*?)^```$/gm, (_block, lines) => drawn(lines));
}

function drawn(text) {
  const steps = text.trim().split("\n").map(parsed);
  const actors = [...new Set(steps.flatMap(({ from, to, over }) => [from, to, over].filter(Boolean)))];
  const xOf = columnsOf(actors);
  const bottom = HEADER.height + steps.length * ROW + 12;
  const parts = [
    ...actors.map((actor) => `<path class="life" d="M${xOf(actor)} ${HEADER.height}V${bottom}"/>`),
    ...actors.map((actor) => box("actor", xOf(actor), 0.5, HEADER, actor)),
    ...steps.map((step, row) => drawnStep(step, HEADER.height + (row + 1) * ROW, xOf)),
  ];
  const size = `viewBox="0 0 ${WIDTH} ${bottom}"`;
  return `<svg class="sequence" ${size} role="img" aria-label="${escaped(told(steps))}">${parts.join("")}</svg>`;
}

function parsed(line) {
  const groups = (message.exec(line.trim()) ?? note.exec(line.trim()))?.groups;
  if (groups === undefined) throw new Failure(`The site cannot draw this line of a sequence: ${line.trim()}`);
  return { ...groups };
}

/** Where each actor's line is: from the left margin to the right one, evenly. */
function columnsOf(actors) {
  const between = (WIDTH - 2 * MARGIN) / Math.max(1, actors.length - 1);
  const columns = new Map(actors.map((actor, index) => [actor, Math.round(MARGIN + index * between)]));
  return (actor) => columns.get(actor);
}

function drawnStep({ from, arrow, to, over, text }, y, xOf) {
  const width = text.length * CHARACTER + 16;
  if (over !== undefined) return box("note", inside(xOf(over), width), y - 19, { width, height: 26 }, text);
  const [start, end] = [xOf(from), xOf(to)];
  const isLost = arrow === "--x";
  const back = start < end ? -1 : 1;
  const line = `<path class="${arrow === "->>" ? "" : "reply"}" d="M${start} ${y}H${isLost ? end + 16 * back : end}"/>`;
  const label = `<text x="${inside((start + end) / 2, width)}" y="${y - 7}">${escaped(text)}</text>`;
  return line + headOf(isLost, end, y, back) + label;
}

/** An arrow's head, or the cross of what never arrives. */
function headOf(isLost, x, y, back) {
  if (!isLost) return `<path class="head" d="M${x + 8 * back} ${y - 4}L${x} ${y}l${8 * back} 4z"/>`;
  return `<path class="lost" d="M${x + 16 * back - 5} ${y - 5}l10 10m0-10l-10 10"/>`;
}

function box(kind, x, y, { width, height }, text) {
  const rectangle = `<rect class="${kind}" x="${x - width / 2}" y="${y}" width="${width}" height="${height}" rx="4"/>`;
  return `${rectangle}<text x="${x}" y="${y + height / 2 + 4.5}">${escaped(text)}</text>`;
}

/** The nearest middle at which a text is inside of the picture. */
function inside(x, width) {
  return Math.min(Math.max(x, width / 2 + 1), WIDTH - width / 2 - 1);
}

/** The sequence in words, for who does not see it. */
function told(steps) {
  const sentences = steps.map(({ from, arrow, to, over, text }) =>
    over === undefined ? `${from} to ${to}${arrow === "--x" ? ", lost" : ""}: ${text}` : `${over}: ${text}`,
  );
  return `${sentences.join(". ")}.`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
