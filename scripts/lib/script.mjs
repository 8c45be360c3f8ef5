// Shared by all scripts: they run in the checkout's root, on a recent enough Node.js, and print a failure that a person can fix as one
// line instead of a stack.
import { fileURLToPath } from "node:url";

const oldestNode = [20, 19];

/** A failure to print as one line, below the `output` of the failed command. */
export class Failure extends Error {
  constructor(line, output = "") {
    super(line);
    this.output = output;
  }
}

/** Runs a script's `main`, which may return the exit code. */
export async function runScript(main) {
  try {
    requireNode();
    process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
    const exitCode = await main();
    if (exitCode !== undefined) process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.output.trim() !== "") console.error(error.output.trimEnd());
    console.error(error.message);
    process.exitCode = 1;
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Failure(
    `Holdfast needs Node.js ${oldestNode.join(".")} or newer; this is ${process.versions.node}.`,
  );
}
