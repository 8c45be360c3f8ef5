import type { Fault } from "../faults/fault.ts";
import { type Library, libraries } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Databases } from "../servers/databases.ts";
import { type HttpExchange, openHttp } from "../servers/http.ts";
import { companyRows } from "./company-rows.ts";
import type { Mode } from "./effect-names.ts";
import { type Play, playsOf } from "./plays.ts";
import type { Row } from "./row.ts";

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
