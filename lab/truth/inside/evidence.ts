import type { Classify } from "../../../src/evidence/classifier.ts";
import { built } from "./built.ts";

type Name =
  | "http"
  | "stripe"
  | "aws"
  | "smtp"
  | "sql"
  | "octokit"
  | "openai"
  | "anthropic"
  | "grpc"
  | "connection";

const all = await built<Partial<Record<Name, Classify>>>("evidence/index").catch(
  (): Partial<Record<Name, Classify>> => ({}),
);

export const { http, stripe, aws, smtp, sql, octokit, openai, anthropic, grpc, connection } = all;

/** Believes each of them: what any of them calls not done is called so. */
export const every: Classify = (error, seen) => {
  const verdicts = [http, stripe, aws, smtp, sql, octokit, openai, anthropic, grpc, connection].map(
    (classify) => classify?.(error, seen),
  );
  return verdicts.find((verdict) => verdict !== undefined && verdict !== "unknown");
};
