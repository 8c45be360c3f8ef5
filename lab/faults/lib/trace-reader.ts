import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/** One step of one attempt, as its worker recorded it. */
export interface Step {
  readonly at: number;
  readonly life: string;
  readonly event: string;
  readonly jobId: string;
  readonly detail: string;
}

/** Reads the traces while the workers write them. */
export interface TraceReader {
  /** All steps so far, in each worker's order. */
  read(): readonly Step[];
}

export function openTraceReader(directory: string): TraceReader {
  const steps: Step[] = [];
  const positions = new Map<string, number>();
  return {
    read() {
      for (const name of readdirSync(directory)) {
        const text = readFrom(join(directory, name), positions.get(name) ?? 0);
        const whole = text.slice(0, text.lastIndexOf("\n") + 1);
        positions.set(name, (positions.get(name) ?? 0) + Buffer.byteLength(whole));
        for (const line of whole.split("\n")) if (line !== "") steps.push(parse(line));
      }
      return steps;
    },
  };
}

function parse(line: string): Step {
  const [at = "", life = "", event = "", jobId = "", detail = ""] = line.split(" ");
  return { at: Number(at), life, event, jobId, detail };
}

function readFrom(path: string, position: number): string {
  const file = openSync(path, "r");
  try {
    const length = fstatSync(file).size - position;
    if (length <= 0) return "";
    const buffer = Buffer.alloc(length);
    readSync(file, buffer, 0, length, position);
    return buffer.toString("utf8");
  } finally {
    closeSync(file);
  }
}
