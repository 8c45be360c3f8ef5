import { Readable, Writable } from "node:stream";
import { run as runMain } from "../../src/edges/cli/main.ts";
import { CONFIG, type Ended } from "./processes.ts";
import type { Variables } from "./service.ts";

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a command to its end in this process, since a new one takes a second of a processor. `runProcess` is for what tests a role, a
 * terminal or a signal.
 *
 * Commands wait for each other, because each has the environment, the streams and the exit code of the process.
 */
export function run(args: readonly string[], env: Variables, stdin = ""): Promise<Ended> {
  const ended = last.then(() => runAlone(args, env, stdin));
  last = ended.catch(() => {});
  return ended;
}

async function runAlone(args: readonly string[], env: Variables, stdin: string): Promise<Ended> {
  // Node.js reads its own variables when it starts.
  if (Object.keys(env).some((name) => name.startsWith("NODE_"))) throw new Error("use runProcess");
  const printed = { stdout: "", stderr: "" };
  const { PATH, HOME } = process.env;
  const undo = [
    keepListeners(),
    replace("env", { PATH, HOME, HOLDFAST_CONFIG: CONFIG, ...env }),
    replace("stdin", Readable.from([stdin])),
    ...(["stdout", "stderr"] as const).map((name) =>
      replace(
        name,
        collector((text) => (printed[name] += text)),
      ),
    ),
  ];
  try {
    return { code: await runMain([process.execPath, "holdfast", ...args]), ...printed };
  } finally {
    process.exitCode = undefined;
    for (const undoOne of undo) undoOne();
  }
}

function collector(add: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _, written) {
      add(chunk.toString());
      written();
    },
  });
}

/** @returns what puts the old value back */
function replace(name: "env" | "stdin" | "stdout" | "stderr", value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(process, name)!;
  Object.defineProperty(process, name, { value, configurable: true, writable: true });
  return () => void Object.defineProperty(process, name, before);
}

/** @returns what removes the listeners that a command has added, as the end of its process does */
function keepListeners(): () => void {
  const events = ["SIGTERM", "SIGINT", "SIGHUP", "disconnect"] as const;
  const before = new Map(
    events.map((event) => [event, new Set<unknown>(process.listeners(event as "exit"))]),
  );
  return () => {
    for (const event of events)
      for (const listener of process.listeners(event as "exit"))
        if (!before.get(event)?.has(listener)) process.off(event, listener);
  };
}
