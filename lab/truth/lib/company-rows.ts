import { type Company, companiesOf, nameOf } from "../faults/company.ts";
import type { Library } from "../libraries.ts";
import { Acts } from "../servers/acts.ts";
import type { Databases } from "../servers/databases.ts";
import { type Downstream, nobodyFor } from "../servers/downstream.ts";
import { openLate } from "../servers/late.ts";
import type { Mode } from "./effect-names.ts";
import { type Play, playOfFetch, playsOf } from "./plays.ts";
import type { Row } from "./row.ts";

/** What each library's downstream refuses, where both calls are its own. */
const refusing: ReadonlySet<string> = new Set([
  "refuses with 402",
  "refuses with INVALID_ARGUMENT",
  "refuses at RCPT: 550",
  "refuses the statement",
  "refuses the command",
]);

/** Of effects that do more than one call: the error that leaves them is about another one than the call that acts. */
export function companyRows(library: Library, mode: Mode, databases: Databases): Row[] {
  const plays = playsOf(library, databases);
  return companiesOf(library).map((company) => {
    const { fault, open } = actingPlay(plays, company);
    const isSlowName = company.lateness === "name";
    return {
      library: library.name,
      protocol: library.protocol,
      fault: nameOf(company),
      mode,
      clock: undefined,
      ask: fault.ask,
      isWarm: library.role === "shared",
      proof: undefined,
      isQuick: isQuick(company),
      // Other runtimes look names up by themselves.
      isForNode: isSlowName,
      company,
      async open(acts) {
        const downstream = await open(acts);
        if (isSlowName) return { ...downstream, host: "slow.test" };
        return company.lateness === "handshake" ? await openLate(downstream) : downstream;
      },
      openOther: (acting) => openOther(plays, company, acting),
    };
  });
}

function isQuick({ order, context, by, refusal, lateness }: Company): boolean {
  if (order === "joined" || lateness !== undefined) return true;
  return order === "beside" && refusal === "connection" && (by === "itself" || context === "p-queue");
}

function actingPlay(plays: readonly Play[], { refusal, afterwards, lateness }: Company): Play {
  const play = plays.find(({ fault: { name, isThenGone = false, isWarm = false, isSecure = false } }) => {
    if (refusal === "gone") return isThenGone && !isWarm && !isSecure;
    if (afterwards === "resets") return name === "resets after acting";
    if (afterwards === "is silent") return name === "is slow: effect";
    return lateness === "handshake" && plays.some((one) => one.fault.isSecure)
      ? isSecure && name.endsWith("answers 200")
      : true;
  });
  if (play === undefined) throw new Error("no downstream acts like that");
  return play;
}

/** Where the other call goes, and what it asks for. */
async function openOther(
  plays: readonly Play[],
  { by, refusal }: Company,
  acting: Downstream,
): Promise<Downstream & Pick<Row, "ask">> {
  const stop = async () => {};
  if (refusal === "gone") return { ...acting, stop, ask: undefined };
  if (refusal === "same") return { ...acting, stop, ask: "refused" };
  if (by === "itself" && refusal === "connection") return { ...nobodyFor("closed port"), ask: undefined };
  const play =
    refusal === "statement" ? plays.find(({ fault }) => refusing.has(fault.name)) : playOfFetch(refusal);
  if (play === undefined) throw new Error("no downstream refuses like that");
  return { ...(await play.open(new Acts())), ask: play.fault.ask };
}
