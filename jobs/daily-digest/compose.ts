import { escapeHtml, htmlPage, messageIdFor } from "../mail-text.ts";
import type { MailMessage } from "../mailer.ts";
import { type Counted, type Digest, READ_MAX } from "./collect.ts";

/**
 * Writes the mail. Equal arguments give an equal mail, Message-ID included.
 *
 * @param to the operator's address
 * @param seed identifies this mail, e.g. its effect's key
 */
export function composeDigest(digest: Digest, to: string, seed: string): MailMessage {
  const heading = `Daily digest for ${digest.from.toISOString().slice(0, 10)}`;
  const span = `From ${instant(digest.from)} to ${instant(digest.to)}`;
  const sections = [countsOf(digest), failuresOf(digest), doubtsOf(digest)];
  return {
    messageId: messageIdFrom(seed),
    to: { name: "", address: to },
    subject: `${heading}: ${summaryOf(digest)}`,
    text: [heading, span, ...sections.map(asText)].join("\n\n").concat("\n"),
    html: htmlPage(heading, [paragraph(span), ...sections.map(asHtml)].join("\n")),
  };
}

/** The Message-ID of the mail that `composeDigest` writes from the same seed. */
export function messageIdFrom(seed: string): string {
  return messageIdFor("daily-digest", seed);
}

/** A part of the mail, rendered as text and as HTML. */
interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

function countsOf({ counts, cutShort }: Digest): Section {
  const rows = counts.map(({ type, completed, failed, waiting }) => [
    type,
    String(completed),
    String(failed),
    String(waiting),
  ]);
  return {
    title: "Jobs",
    head: ["type", "completed", "failed", "waiting now"],
    rows,
    notes: [...(rows.length === 0 ? ["No job ended, and no job waits."] : []), ...cutShort.map(cutShortNote)],
  };
}

function cutShortNote(counted: Counted): string {
  return `There are more ${counted} jobs: counting stopped after the first ${READ_MAX}.`;
}

function failuresOf({ failures, omitted }: Digest): Section {
  return {
    title: "Failures",
    head: ["times", "type", "for example", "reason"],
    rows: failures.map(({ count, type, exampleJobId, reason }) => [
      String(count),
      type,
      exampleJobId,
      reason,
    ]),
    notes: [
      ...(failures.length === 0 ? ["No job failed."] : []),
      ...(omitted.failures > 0 ? [`${omitted.failures} more reasons are not listed.`] : []),
    ],
  };
}

function doubtsOf({ doubts, omitted }: Digest): Section {
  return {
    title: "In doubt",
    head: ["for", "effect", "job", "reason"],
    rows: doubts.map(({ ageMs, effect, jobId, reason }) => [age(ageMs), effect, jobId, reason]),
    notes: [
      doubts.length === 0
        ? "No effect is in doubt."
        : "Nobody knows whether these happened. Find out, then run: holdfast doubts resolve JOB EFFECT --as done|not-done --evidence TEXT",
      ...(omitted.doubts > 0 ? [`${omitted.doubts} more are not listed.`] : []),
    ],
  };
}

function summaryOf({ counts, cutShort, doubts, omitted }: Digest): string {
  const total = (counted: "completed" | "failed") =>
    counts.reduce((sum, type) => sum + type[counted], 0) + (cutShort.includes(counted) ? "+" : "");
  const inDoubt = doubts.length + omitted.doubts;
  if (counts.length === 0 && inDoubt === 0) return "nothing happened";
  return `${total("completed")} completed, ${total("failed")} failed, ${inDoubt} in doubt`;
}

const units = [
  { name: "d", ms: 24 * 60 * 60 * 1000 },
  { name: "h", ms: 60 * 60 * 1000 },
  { name: "min", ms: 60 * 1000 },
];

/** "3 d", "5 h", "1 min": the largest unit that fits, rounded down. */
function age(ms: number): string {
  const unit = units.find((candidate) => ms >= candidate.ms);
  return unit === undefined ? "less than 1 min" : `${Math.floor(ms / unit.ms)} ${unit.name}`;
}

function instant(date: Date): string {
  return date.toISOString().replace(".000Z", "Z");
}

function asText({ title, head, rows, notes }: Section): string {
  return [title, ...(rows.length > 0 ? [textTable([head, ...rows])] : []), ...notes].join("\n");
}

function textTable(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const pad = (cell: string, column: number) => cell.padEnd(widths?.[column] ?? 0);
  return lines.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}

function asHtml({ title, head, rows, notes }: Section): string {
  const table = rows.length > 0 ? [htmlTable(head, rows)] : [];
  return [
    `<h2 style="margin: 24px 0 8px; font-size: 18px; line-height: 1.3;">${escapeHtml(title)}</h2>`,
    ...table,
    ...notes.map(paragraph),
  ].join("\n");
}

function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (tag: "th" | "td") => (cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag} dir="auto" style="padding: 4px 12px 4px 0; text-align: start; vertical-align: top;">${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return [
    `<table style="border-collapse: collapse; font-size: 14px;">`,
    row("th")(head),
    ...rows.map(row("td")),
    "</table>",
  ].join("\n");
}

function paragraph(text: string): string {
  return `<p style="margin: 0 0 8px;">${escapeHtml(text)}</p>`;
}
