import type { Classify } from "../../src/evidence/classifier.ts";
import { built } from "./built.ts";

type Name = "http" | "stripe" | "aws" | "smtp" | "sql" | "octokit" | "openai" | "anthropic" | "grpc";

export const { http, stripe, aws, smtp, sql, octokit, openai, anthropic, grpc } = await built<
  Partial<Record<Name, Classify>>
>("evidence/index").catch((): Partial<Record<Name, Classify>> => ({}));
