/**
 * Controls and format characters: a browser obeys those that change the direction of text, and shows none. Line ends and tabs
 * stay, Arabic number signs are visible, and joiners form letters and emoji except after Latin ones.
 */
const hidden =
  /(?![\t\n\u0600-\u0605\u06dd\u08e2])(?!(?<=[^\0-\u024f])[\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A text from outside, such as a key, with a dot for each character that nobody would see, as in the command line. */
export function visible(text: string): string {
  return text.replaceAll(hidden, "·");
}

/** JSON in which such characters are escapes: it keeps its value. */
export function visibleJson(json: string): string {
  return json.replaceAll(hidden, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
