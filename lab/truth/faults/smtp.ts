import { type Fault, nowhereFaults, slowFaults } from "./fault.ts";

export type SmtpStage = "greeting" | "MAIL" | "RCPT" | "DATA" | "message";

/** What the server does at a stage instead of going on: a reply, or an end of the connection. */
export interface SmtpFault extends Fault<never> {
  readonly at?: SmtpStage;
  readonly does?: "close" | "reset" | "break off" | `${number} ${string}` | "HTTP";
}

export const smtpFaults: readonly SmtpFault[] = [
  { name: "accepts the message", acts: true, isQuick: true },
  refuses("greeting", "421 too busy"),
  refuses("MAIL", "550 not you"),
  refuses("RCPT", "550 nobody of that name"),
  refuses("DATA", "554 no"),
  refuses("message", "451 later"),
  refuses("message", "552 too large"),
  { name: "acts, answers 451", acts: true, isLie: true, at: "message", does: "451 later" },
  { name: "closes at RCPT", acts: false, proof: "never reached", at: "RCPT", does: "close" },
  { name: "resets at DATA", acts: false, proof: "never reached", at: "DATA", does: "reset", isQuick: true },
  { name: "greets with HTTP", acts: false, proof: "never reached", at: "greeting", does: "HTTP" },
  { name: "closes after the message", acts: true, at: "message", does: "close", isQuick: true },
  { name: "resets after the message", acts: true, at: "message", does: "reset", isQuick: true },
  { name: "breaks its last reply off", acts: true, at: "message", does: "break off" },
  { name: "answers HTTP after the message", acts: true, at: "message", does: "HTTP" },
  ...slowFaults<never>(),
  ...nowhereFaults<never>(),
  { name: "acts, closes, is then gone", acts: true, at: "message", does: "close", isThenGone: true },
];

function refuses(at: SmtpStage, reply: `${number} ${string}`): SmtpFault {
  const name = `refuses at ${at}: ${reply.slice(0, 3)}`;
  return { name, acts: false, proof: "refused", at, does: reply, isQuick: at === "RCPT" };
}
