import type { Fault } from "../faults/fault.ts";
import { grpcFaults } from "../faults/grpc.ts";
import { httpFaults } from "../faults/http.ts";
import { smtpFaults } from "../faults/smtp.ts";
import { sqlFaults, storeFaults, type WireFault } from "../faults/wire.ts";
import type { Library } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Databases } from "../servers/databases.ts";
import type { Downstream } from "../servers/downstream.ts";
import { openGrpc } from "../servers/grpc.ts";
import { openHttp } from "../servers/http.ts";
import { openSmtp } from "../servers/smtp.ts";
import { openUdp, udpFaults } from "../servers/udp.ts";
import { openWire } from "../servers/wire.ts";

/** A fault, and a downstream that plays it for one library. */
export interface Play {
  readonly fault: Fault<never>;
  open(acts: Acts): Promise<Downstream>;
}

/** All that a library's downstream can do. The first acts, and answers well. */
export function playsOf(library: Library, databases: Databases): Play[] {
  const plays = <Given extends Fault<never>>(
    faults: readonly Given[],
    open: (fault: Given, library: string, acts: Acts) => Promise<Downstream>,
  ) => faults.map((fault) => ({ fault, open: (acts: Acts) => open(fault, library.name, acts) }));
  const openProxy = (fault: WireFault, _: string, acts: Acts) => {
    const database = databases.get(library.protocol);
    if (database === undefined) throw new Error(`no database for ${library.protocol}`);
    return openWire(database, fault, acts);
  };
  switch (library.protocol) {
    case "http":
    case "http2":
      return plays(httpFaults, openHttp);
    case "grpc":
      return plays(grpcFaults, openGrpc);
    case "smtp":
      return plays(smtpFaults, openSmtp);
    case "postgres":
    case "mysql":
      return plays(sqlFaults, openProxy);
    case "mongodb":
    case "redis":
      return plays(storeFaults, openProxy);
    case "udp":
      return plays(udpFaults, openUdp);
  }
}

/** Where `fetch` is refused: nobody listens, or the answer has this status. */
export function playOfFetch(refusal: "connection" | 404 | 429): Play {
  const name = refusal === "connection" ? "refuses the connection" : `refuses with ${refusal}`;
  const fault = httpFaults.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`no fault "${name}"`);
  return { fault, open: (acts) => openHttp(fault, "fetch", acts) };
}
