import { isErrorCode } from "../../../src/platform/errors/error-codes.ts";
import type { Answer } from "./answers.ts";
import type { Exchange } from "./exchange.ts";

/**
 * How input must be answered.
 *
 * `refusal`: a 4xx problem. `results`: 200, and a 4xx problem for each job of a batch. `no fault`: anything but 5xx, with a problem
 * for each refusal. `hang-up`: a refusal, or a closed connection. `answer`: 2xx.
 */
export type Expected = "refusal" | "results" | "no fault" | "hang-up" | "answer";

export interface Verdict {
  /** Of each refusal; `HTTP 200` without one, `hung up` without an answer. */
  readonly codes: readonly string[];
  /** What is wrong with the answer. */
  readonly finding: string | undefined;
}

/** Far more than any answer takes that does not wait. */
const ANSWER_MAX_MS = 5_000;
/** The time limit for slow requests, plus the interval of its check, plus what a busy machine takes. */
const SLOW_MAX_MS = 16_000;

/** @param bytes the request */
export function judge(
  bytes: Buffer,
  { answers, ms, isSilent }: Exchange,
  expected: Expected,
  isSlow = false,
): Verdict {
  if (isSilent) return { codes: ["silent"], finding: "no answer within 20 s" };
  const late =
    ms > (isSlow ? SLOW_MAX_MS : ANSWER_MAX_MS) ? `answered after ${Math.round(ms)} ms` : undefined;
  if (answers.length === 0)
    return { codes: ["hung up"], finding: expected === "hang-up" ? late : "hung up without an answer" };
  const isHead = bytes.toString("latin1", 0, 5) === "HEAD ";
  const verdicts = answers.map((answer) => {
    if (expected === "results") return judgeResults(answer);
    return isHead ? judgeHead(answer) : judgeOne(answer, expected);
  });
  return {
    codes: verdicts.flatMap(({ codes }) => codes),
    finding: verdicts.find(({ finding }) => finding !== undefined)?.finding ?? late,
  };
}

/** An answer to HEAD has no body. */
function judgeHead({ status }: Answer): Verdict {
  return {
    codes: [`HTTP ${status}`],
    finding: status >= 500 || status < 200 ? `answered ${status}` : undefined,
  };
}

function judgeOne({ status, contentType, body }: Answer, expected: Expected): Verdict {
  if (status >= 400) return judgeProblem(status, contentType, parse(body), expected);
  const isWelcome = status >= 200 && expected !== "refusal";
  return { codes: [`HTTP ${status}`], finding: isWelcome ? undefined : `accepted with ${status}` };
}

function judgeProblem(status: number, contentType: string, problem: unknown, expected: Expected): Verdict {
  const { code: given, status: stated } = (problem ?? {}) as {
    readonly code?: unknown;
    readonly status?: unknown;
  };
  const code = typeof given === "string" ? given : `HTTP ${status}`;
  const codes = [code];
  if (expected === "answer") return { codes, finding: `a good request was answered ${status}` };
  if (status >= 500) return { codes, finding: `answered ${status}` };
  if (!contentType.startsWith("application/problem+json"))
    return { codes, finding: `answered ${status} as ${contentType || "nothing"}` };
  if (!isErrorCode(code) || stated !== status)
    return { codes, finding: `no code that is known, or another status: ${JSON.stringify(problem)}` };
  return { codes, finding: undefined };
}

function judgeResults({ status, body }: Answer): Verdict {
  const { results } = (parse(body) ?? {}) as { readonly results?: readonly { readonly status: number }[] };
  if (status !== 200 || results === undefined)
    return { codes: [`HTTP ${status}`], finding: "a batch was not answered by results" };
  const each = results.map((result) =>
    result.status >= 400
      ? judgeProblem(result.status, "application/problem+json", result, "refusal")
      : { codes: [`HTTP ${result.status}`], finding: `a bad job was accepted with ${result.status}` },
  );
  return {
    codes: each.flatMap(({ codes }) => codes),
    finding: each.find(({ finding }) => finding !== undefined)?.finding,
  };
}

/** Only the end of a chunked or streamed answer fails to parse, and problems are neither. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
