/** Progress of the running experiments: one line each, rewritten in place in a terminal. */
export interface Board {
  add(title: string): Progress;
  close(): void;
}

export interface Progress {
  say(text: string): void;
  /** Ends the line. @param mark of the outcome */
  end(mark: string): void;
}

const REWRITE_MS = 200;
const PLAIN_MS = 30_000;

export function openBoard(): Board {
  return process.stdout.isTTY ? openLiveBoard() : openPlainBoard();
}

/** One line after another, few enough for a log. */
function openPlainBoard(): Board {
  return {
    add(title) {
      const seconds = stopWatch();
      let saidAt = performance.now();
      print(`… ${title}`);
      return {
        say(text) {
          if (performance.now() - saidAt < PLAIN_MS) return;
          saidAt = performance.now();
          print(`… ${title}: ${text} (${seconds()})`);
        },
        end: (mark) => print(`${mark} ${title} (${seconds()})`),
      };
    },
    close() {},
  };
}

/** Keeps one line for each running experiment at the bottom of the terminal. */
function openLiveBoard(): Board {
  const running = new Map<string, { text: string; seconds: () => string }>();
  let shown = 0;
  const clear = () => {
    if (shown > 0) process.stdout.write(`\x1b[${shown}A\x1b[J`);
    shown = 0;
  };
  const draw = () => {
    clear();
    for (const [title, { text, seconds }] of running) {
      print(`… ${title}: ${text} (${seconds()})`.slice(0, process.stdout.columns - 1));
      shown += 1;
    }
  };
  const timer = setInterval(draw, REWRITE_MS);
  return {
    add(title) {
      const line = { text: "starting", seconds: stopWatch() };
      running.set(title, line);
      return {
        say(text) {
          line.text = text;
        },
        end(mark) {
          running.delete(title);
          clear();
          print(`${mark} ${title} (${line.seconds()})`);
        },
      };
    },
    close() {
      clearInterval(timer);
      clear();
    },
  };
}

function stopWatch(): () => string {
  const startedAt = performance.now();
  return () => `${Math.round((performance.now() - startedAt) / 1_000)} s`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
