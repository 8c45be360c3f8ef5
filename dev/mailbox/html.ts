/** Text that is already HTML. Plain strings still need escaping. */
export class Html {
  constructor(readonly markup: string) {}
}

type Piece = string | number | undefined | Html | readonly Html[];

/** A template that escapes every value that is not `Html`. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(String.raw({ raw: strings }, ...pieces.map(markupOf)));
}

function markupOf(piece: Piece): string {
  if (piece === undefined) return "";
  if (piece instanceof Html) return piece.markup;
  if (typeof piece === "object") return piece.map(markupOf).join("");
  return escapeHtml(String(piece));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
