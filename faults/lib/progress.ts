/** One line per experiment: in a terminal it is rewritten while the experiment runs. */
export interface Progress {
  say(text: string): void;
  /** Ends the line. */
  end(text: string): void;
}

const REWRITE_MS = 100;
const PLAIN_MS = 20_000;

export function startProgress(title: string): Progress {
  const startedAt = performance.now();
  const isTerminal = process.stdout.isTTY === true;
  const seconds = () => `${Math.round((performance.now() - startedAt) / 1_000)} s`;
  let last = isTerminal ? 0 : performance.now();
  if (!isTerminal) process.stdout.write(`  ${title}…\n`);
  return {
    say(text) {
      const now = performance.now();
      if (now - last < (isTerminal ? REWRITE_MS : PLAIN_MS)) return;
      last = now;
      const line = `  ${title}: ${text} (${seconds()})`;
      if (isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
      else process.stdout.write(`${line}\n`);
    },
    end(text) {
      process.stdout.write(`${isTerminal ? "\r\x1b[K" : ""}${text} (${seconds()})\n`);
    },
  };
}
