import { createHash } from "node:crypto";

// What all mails share: texts from outside made safe, an HTML page, and a Message-ID.

/**
 * A text that is safe in a header: one line, in its own direction.
 *
 * Line breaks and other control characters become one space. Direction marks are removed, so that no name can make an
 * address look like another. The start of an encoded word (RFC 2047) is broken up, because mail programs would decode it.
 */
export function oneLine(text: string): string {
  return text
    .replace(/\p{Bidi_Control}/gu, "")
    .replace(/[\s\p{Control}\p{Surrogate}]+/gu, " ")
    .replaceAll("=?", "= ?")
    .trim();
}

/** A text of several lines, without control characters. */
export function plainText(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/[^\P{Control}\n\t]|\p{Surrogate}/gu, "");
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** @param seed identifies the mail, e.g. its effect's key: every sending has the same Message-ID */
export function messageIdFor(jobType: string, seed: string): string {
  const digest = createHash("sha256").update(seed).digest("hex").slice(0, 32);
  return `<${jobType}.${digest}@holdfast.invalid>`;
}

/**
 * A page without colours of its own, so that it follows the reader's light or dark scheme.
 *
 * @param content HTML; `heading` is text
 */
export function htmlPage(heading: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>:root { color-scheme: light dark; }</style>
</head>
<body style="margin: 0; padding: 24px; font: 16px/1.6 system-ui, -apple-system, 'Segoe UI', sans-serif;">
<div style="max-width: 560px; margin: 0 auto; overflow-wrap: anywhere;">
<h1 dir="auto" style="margin: 0 0 16px; padding-bottom: 16px; border-bottom: 2px solid #2e9b76; font-size: 22px; line-height: 1.3;">${escapeHtml(heading)}</h1>
${content}
</div>
</body>
</html>
`;
}
