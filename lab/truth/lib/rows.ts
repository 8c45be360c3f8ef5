import type { Company } from "../faults/company.ts";
import type { Ask, Clock, Fault, Proof } from "../faults/fault.ts";
import { type Library, libraries, type Protocol } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Databases } from "../servers/databases.ts";
import type { Downstream } from "../servers/downstream.ts";
import { type HttpExchange, openHttp } from "../servers/http.ts";
import { companyRows } from "./company-rows.ts";
import type { Mode } from "./effect-names.ts";
import { type Play, playsOf } from "./plays.ts";

/** One library against one fault, used in one way. */
export interface Row {
  readonly library: string;
  readonly protocol: Protocol;
  readonly fault: string;
  readonly mode: Mode;
  readonly clock: Clock | undefined;
  readonly ask: Ask | undefined;
  readonly isWarm: boolean;
  readonly proof: Proof | undefined;
  readonly isQuick: boolean;
  /** Whether it makes sense on Node.js alone. */
  readonly isForNode?: boolean;
  /** What else the effect does. @default nothing */
  readonly company?: Company;
  /** How many jobs do it, twenty at a time. @default one */
  readonly jobs?: number;
  open(acts: Acts): Promise<Downstream>;
  /** Where the other call goes, in company. */
  openOther?(acting: Downstream): Promise<Downstream & Pick<Row, "ask">>;
}

export interface Chosen {
  readonly libraries: readonly string[];
  readonly modes: readonly Mode[];
  readonly isQuick: boolean;
}

/** Each effect is one call. */
export function rowsAlone(chosen: Chosen, databases: Databases): Row[] {
  return rowsOf(chosen, (library, mode) =>
    playsOf(library, databases)
      .filter(({ fault }) => applies(fault, library, mode))
      .map((play) => rowOf(library, mode, play)),
  );
}

const NEIGHBOURS = 60;

/** Many jobs at a time, whose downstream answers each, and refuses a third: none may be in doubt because of its neighbours. */
export function rowsOfNeighbours(chosen: Chosen): Row[] {
  const fault: Fault<HttpExchange> = {
    name: "refuses a third with 429",
    acts: true,
    proof: "refused",
    refusesOneIn: 3,
    answer: (call) => call.succeed(),
  };
  return rowsOf(chosen, (library, mode) => {
    if (library.protocol !== "http" || library.role !== undefined) return [];
    const open = (acts: Acts) => openHttp(fault, library.name, acts);
    const row = rowOf(library, mode, { fault, open });
    // Where `fetch` is not seen, each refusal is a doubt.
    return [{ ...row, isForNode: true, isQuick: library.name === "fetch", jobs: NEIGHBOURS }];
  });
}

/** Each effect does something beside the call that acts. */
export function rowsInCompany(chosen: Chosen, databases: Databases): Row[] {
  return rowsOf(chosen, (library, mode) => companyRows(library, mode, databases));
}

function rowsOf(
  { libraries: names, modes, isQuick }: Chosen,
  rowsFor: (library: Library, mode: Mode) => Row[],
): Row[] {
  return libraries
    .filter(({ name }) => names.includes(name))
    .flatMap((library) => modes.flatMap((mode) => rowsFor(library, mode)))
    .filter((row) => row.isQuick || !isQuick);
}

function rowOf({ name: library, protocol, role }: Library, mode: Mode, { fault, open }: Play): Row {
  const { name, clock, ask, isWarm = false, proof, isQuick = false } = fault;
  const isShared = role === "shared";
  return {
    library,
    protocol,
    fault: name,
    mode,
    clock,
    ask,
    isWarm: isWarm || isShared,
    proof,
    isQuick,
    open,
  };
}

function applies(
  { clock, isLie, isWarm, isForShared = false }: Fault<never>,
  library: Library,
  mode: Mode,
): boolean {
  if (library.role === "channel" || (library.role === "shared" && !isForShared)) return false;
  if (isWarm && !library.keepsConnections) return false;
  if (clock === "library") return library.hasTimeout;
  if (clock === "AbortSignal.timeout" || clock === "AbortSignal.any") return library.takesSignal;
  return mode !== "as documented" || !isLie;
}
