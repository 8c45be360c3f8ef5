import type { Ask, Clock, Fault, Proof } from "../faults/fault.ts";
import { grpcFaults } from "../faults/grpc.ts";
import { httpFaults } from "../faults/http.ts";
import { smtpFaults } from "../faults/smtp.ts";
import { sqlFaults, storeFaults, type WireFault } from "../faults/wire.ts";
import { type Library, libraries, type Protocol } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Databases } from "../servers/databases.ts";
import type { Downstream } from "../servers/downstream.ts";
import { openGrpc } from "../servers/grpc.ts";
import { openHttp } from "../servers/http.ts";
import { openSmtp } from "../servers/smtp.ts";
import { openWire } from "../servers/wire.ts";
import type { Mode } from "./effect-names.ts";

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
  open(acts: Acts): Promise<Downstream>;
}

export interface Chosen {
  readonly libraries: readonly string[];
  readonly modes: readonly Mode[];
  readonly isQuick: boolean;
}

export function rowsOf({ libraries: names, modes, isQuick }: Chosen, databases: Databases): Row[] {
  return libraries
    .filter(({ name }) => names.includes(name))
    .flatMap((library) => modes.flatMap((mode) => rowsFor(library, mode, databases)))
    .filter((row) => row.isQuick || !isQuick);
}

function rowsFor(library: Library, mode: Mode, databases: Databases): Row[] {
  const rows = <Given extends Fault<never>>(
    faults: readonly Given[],
    open: (fault: Given, library: string, acts: Acts) => Promise<Downstream>,
  ) =>
    faults
      .filter((fault) => applies(fault, library, mode))
      .map((fault) => rowOf(library, mode, fault, (acts) => open(fault, library.name, acts)));
  const openProxy = (fault: WireFault, _: string, acts: Acts) => {
    const database = databases.get(library.protocol);
    if (database === undefined) throw new Error(`no database for ${library.protocol}`);
    return openWire(database, fault, acts);
  };
  switch (library.protocol) {
    case "http":
    case "http2":
      return rows(httpFaults, openHttp);
    case "grpc":
      return rows(grpcFaults, openGrpc);
    case "smtp":
      return rows(smtpFaults, openSmtp);
    case "postgres":
    case "mysql":
      return rows(sqlFaults, openProxy);
    case "mongodb":
    case "redis":
      return rows(storeFaults, openProxy);
  }
}

function rowOf(
  { name: library, protocol }: Library,
  mode: Mode,
  { name: fault, clock, ask, isWarm = false, proof, isQuick = false }: Fault<never>,
  open: Row["open"],
): Row {
  return { library, protocol, fault, mode, clock, ask, isWarm, proof, isQuick, open };
}

function applies({ clock, isLie, isWarm }: Fault<never>, library: Library, mode: Mode): boolean {
  if (isWarm && !library.keepsConnections) return false;
  if (clock === "library") return library.hasTimeout;
  if (clock === "AbortSignal.timeout" || clock === "AbortSignal.any") return library.takesSignal;
  return mode !== "as documented" || !isLie;
}
