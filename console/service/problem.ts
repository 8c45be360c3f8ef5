import { HoldfastError, type Issue } from "../../src/edges/client/index.ts";
import { errorCodes } from "../../src/platform/errors/error-codes.ts";

interface ProblemDetails {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly Issue[];
}

/** Why a request failed, in the service's words if it answered. */
export class Problem extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly issues: readonly Issue[];

  constructor({ status, code, title, detail, errors = [] }: ProblemDetails) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.issues = errors;
  }
}

export async function readProblem(response: Response): Promise<Problem> {
  const { status } = response;
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  const body: unknown = isProblem ? await response.json().catch(() => null) : null;
  if (isDetails(body)) return new Problem({ ...body, status });
  return new Problem({
    status,
    code: `HTTP ${status}`,
    title: "This answer is not from Holdfast",
    detail: "Something between this page and the service answered instead, such as a proxy.",
  });
}

/** Anything thrown, as a problem to show. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof HoldfastError) return problemOf(thrown);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new Problem({ status: 0, code: "CONSOLE", title: "The console could not do this", detail });
}

function problemOf({ code, message: detail, issues: errors, statusCode }: HoldfastError): Problem {
  if (code === "API_UNREACHABLE") return unreachable();
  const status = code === "ANSWER_INVALID" ? 0 : statusCode;
  return new Problem({ status, code, title: errorCodes[code].title, detail, errors });
}

/** Whether the service, or what is before it, failed at it: that says nothing of what was done. */
export function mayBeDone(thrown: unknown): boolean {
  return asProblem(thrown).status >= 500;
}

/** The code of a refusal. */
export function codeOf(thrown: unknown): string {
  return asProblem(thrown).code;
}

/** Whoever confirms has seen something else: nothing is done. */
export function changedMeanwhile(detail: string): Problem {
  return new Problem({
    status: 0,
    code: "CHANGED",
    title: "Somebody has changed it meanwhile: nothing was done",
    detail,
  });
}

export function unreachable(): Problem {
  return new Problem({
    status: 0,
    code: "NO ANSWER",
    title: "The service cannot be reached",
    detail: "No answer came. The request may or may not have been carried out.",
  });
}

function isDetails(body: unknown): body is ProblemDetails {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body && "title" in body;
}
