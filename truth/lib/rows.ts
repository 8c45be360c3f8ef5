import type { Clock, Fault, Proof } from "../faults/fault.ts";
import { httpFaults } from "../faults/http.ts";
import { smtpFaults } from "../faults/smtp.ts";
import { type Library, libraries, type Protocol } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Downstream } from "../servers/downstream.ts";
import { openHttp } from "../servers/http.ts";
import { openSmtp } from "../servers/smtp.ts";
import type { Mode } from "./effect-names.ts";

/** One library against one fault, used in one way. */
export interface Row {
  readonly library: string;
  readonly fault: string;
  readonly mode: Mode;
  readonly clock: Clock | undefined;
  readonly proof: Proof | undefined;
  readonly isQuick: boolean;
  open(acts: Acts): Promise<Downstream>;
}

export interface Chosen {
  readonly libraries: readonly string[];
  readonly modes: readonly Mode[];
  readonly isQuick: boolean;
}

export function rowsOf({ libraries: names, modes, isQuick }: Chosen): Row[] {
  return libraries
    .filter(({ name }) => names.includes(name))
    .flatMap((library) => modes.flatMap((mode) => protocols[library.protocol](library, mode)))
    .filter((row) => row.isQuick || !isQuick);
}

const protocols: Record<Protocol, (library: Library, mode: Mode) => Row[]> = {
  http: (library, mode) => rowsFor(library, mode, httpFaults, openHttp),
  smtp: (library, mode) => rowsFor(library, mode, smtpFaults, openSmtp),
};

function rowsFor<Given extends Fault<never>>(
  library: Library,
  mode: Mode,
  faults: readonly Given[],
  open: (fault: Given, library: string, acts: Acts) => Promise<Downstream>,
): Row[] {
  return faults
    .filter((fault) => applies(fault, library, mode))
    .map((fault) => ({
      library: library.name,
      fault: fault.name,
      mode,
      clock: fault.clock,
      proof: fault.proof,
      isQuick: fault.isQuick ?? false,
      open: (acts) => open(fault, library.name, acts),
    }));
}

function applies(
  { clock, isLie = false }: Fault<never>,
  { hasTimeout, takesSignal }: Library,
  mode: Mode,
): boolean {
  if (clock === "library") return hasTimeout;
  if (clock === "AbortSignal.timeout" || clock === "AbortSignal.any") return takesSignal;
  return mode !== "as documented" || !isLie;
}
