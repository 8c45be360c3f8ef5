const PLAIN_MS = 30_000;

/** Shows how many rows have ended: in place in a terminal, now and then in a log. */
export function openProgress(title: string, total: number) {
  const startedAt = performance.now();
  let shownAt = startedAt;
  let count = 0;
  const seconds = () => Math.round((performance.now() - startedAt) / 1_000);
  const { stdout } = process;
  return {
    step() {
      count += 1;
      if (!stdout.isTTY && performance.now() - shownAt < PLAIN_MS) return;
      shownAt = performance.now();
      stdout.write(
        `${stdout.isTTY ? "\r" : ""}… ${title}: ${count} of ${total} rows, ${seconds()} s${stdout.isTTY ? "" : "\n"}`,
      );
    },
    end: () =>
      void stdout.write(`${stdout.isTTY ? "\r\x1b[K" : ""}✓ ${title}: ${count} rows, ${seconds()} s\n`),
  };
}
