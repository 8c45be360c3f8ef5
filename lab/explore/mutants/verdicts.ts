import type { KeptMutants } from "../lib/kept.ts";
import { reasonFor } from "./equivalent.ts";

/** What became of one changed condition. */
export interface Verdict {
  readonly file: string;
  readonly line: number;
  readonly was: string;
  readonly becomes: string;
  /** Killed: some order breaks a promise. Survived: none does. Unreached: its condition was never otherwise. */
  readonly outcome: "killed" | "survived" | "unreached";
  readonly by: string;
}

/** Prints each verdict as it comes, and the sums at the end. One that survives needs a reason. */
export function tableOf(print: (text: string) => void) {
  const sums = new Map<string, KeptMutants>();
  return {
    add({ file, line, was, becomes, outcome, by }: Verdict): void {
      const change = `${was.replace(/\s+/g, " ")} → ${becomes}`;
      const reason = outcome === "survived" ? reasonFor(file, change) : undefined;
      const counted = reason === undefined ? outcome : "equivalent";
      const old = sums.get(file) ?? { file, killed: 0, equivalent: 0, survived: 0, unreached: 0 };
      sums.set(file, { ...old, [counted]: old[counted] + 1 });
      print(`${counted} ${file}:${line} ${change} ${reason ?? by}`);
    },
    end() {
      const mutants = [...sums.values()];
      for (const { file, killed, equivalent, survived, unreached } of mutants)
        print(
          `${file}: ${killed} killed, ${equivalent} equivalent, ${survived} survived, ${unreached} unreached`,
        );
      return { mutants, hasNoneElse: mutants.every(({ survived }) => survived === 0) };
    },
  };
}
