import { digest } from "./world.ts";

/** Where a run is: from the same place two go on alike. */
export interface Place {
  /** What all processes share, but for what may still come. */
  readonly shared: string;
  /** Where each process is, by its name. */
  readonly own: ReadonlyMap<string, string>;
  readonly faults: number;
  readonly jumps: number;
  readonly isCertain: boolean;
}

/** @param by the process that goes on; nobody where others do something */
export interface Step {
  readonly label: string;
  readonly faults: number;
  readonly jumps: number;
  readonly by?: string;
}

export function keyOf({ shared, own, faults, jumps, isCertain }: Place): string {
  return digest([shared, faults, jumps, isCertain, ...[...own.values()].sort()].join("\n"));
}

/** A process sees what all share and what is its own, and changes nothing else: its step makes the same of them wherever the others are. */
export class Forecast {
  readonly #made = new Map<string, Pick<Place, "shared" | "isCertain"> & { readonly own: string }>();

  /** @returns undefined where it was never taken */
  after(from: Place, { by = "", label, faults, jumps }: Step): Place | undefined {
    const made = this.#made.get(seenBy(by, from, label));
    if (made === undefined) return undefined;
    const left = { faults: from.faults - faults, jumps: from.jumps - jumps };
    return { ...made, ...left, own: new Map(from.own).set(by, made.own) };
  }

  learn(from: Place | undefined, step: Step | undefined, { shared, isCertain, own }: Place): void {
    if (from === undefined || step?.by === undefined) return;
    this.#made.set(seenBy(step.by, from, step.label), { shared, isCertain, own: own.get(step.by) ?? "" });
  }
}

function seenBy(by: string, { shared, isCertain, own }: Place, label: string): string {
  return digest([label, shared, isCertain, own.get(by)].join("\n"));
}
