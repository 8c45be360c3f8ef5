import { SnoozeError } from "../../../src/evidence/attempt-errors.ts";
import { isOutside, isProbe, noAnswer, refusal } from "./outside.ts";
import type { Answer, Request } from "./world.ts";

/** What can go wrong with a request: whether it is done all the same, and what its process is told, if anything. */
interface Fault {
  readonly how: string;
  readonly isDone: boolean;
  readonly told?: () => Answer;
}

const closed = () => ({ error: new Error("Connection is closed.") });
const loading = () => ({
  error: Object.assign(new Error("LOADING Redis is loading the dataset in memory"), { name: "ReplyError" }),
});

const refused: Fault = { how: "which Redis refuses for now", isDone: false, told: loading };
const ofOutside: readonly Fault[] = [
  { how: "and the answer is lost", isDone: true, told: noAnswer },
  { how: "and the request is lost", isDone: false, told: noAnswer },
  { how: "which the outside refuses", isDone: false, told: refusal },
];
/** What a probe answers that proves nothing. */
const ofProbe: readonly Fault[] = [
  { how: "which does not know", isDone: false, told: () => ({ reply: "unknown", text: "unknown" }) },
  { how: "which answers something else", isDone: false, told: () => ({ reply: {}, text: "{}" }) },
  { how: "which asks for patience", isDone: false, told: () => ({ error: new SnoozeError(300) }) },
];
const ofFailFast: readonly Fault[] = [
  { how: "and its connection breaks before the reply", isDone: true, told: closed },
  { how: "but its connection breaks before", isDone: false, told: closed },
  refused,
];
const ofRetrying: readonly Fault[] = [
  { how: "and its connection breaks before the reply: it is sent again", isDone: true },
  refused,
];

export function faultsOf(request: Request): readonly Fault[] {
  if (isProbe(request)) return [...ofOutside, ...ofProbe];
  if (isOutside(request)) return ofOutside;
  const faults = request.actor.failsFast ? ofFailFast : ofRetrying;
  // A process looks for losses every two seconds, and reports again what was refused. Here it looks once.
  const isRepeated = /^(check-epoch|doubt-forgotten)$/.test(request.what);
  return isRepeated ? faults.filter((one) => one !== refused) : faults;
}
