import type { Company } from "../faults/company.ts";
import type { Ask, Clock, Proof } from "../faults/fault.ts";
import type { Protocol } from "../libraries.ts";
import type { Acts } from "../servers/acts.ts";
import type { Downstream } from "../servers/downstream.ts";
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
