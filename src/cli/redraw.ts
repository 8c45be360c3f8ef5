import { print } from "./output.ts";

/** Shows a text in place of the one before, cut to the terminal's height; without a terminal, below it. */
export function redraw(text: string): void {
  const { stdout } = process;
  if (!stdout.isTTY) {
    print(`${text}\n`);
    return;
  }
  // To the top left; then the rest of the screen is deleted.
  stdout.write("\u001B[H\u001B[J");
  print(
    text
      .split("\n")
      .slice(0, Math.max(1, stdout.rows - 1))
      .join("\n"),
  );
}
