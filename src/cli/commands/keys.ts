import { createHash, randomBytes } from "node:crypto";
import type { Command } from "commander";
import { apiKeyEntry, apiKeyName, scopeList } from "../../config/api-keys.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { print, printJson } from "../output.ts";

interface CreateOptions {
  readonly name: string;
  readonly scope: string;
  readonly json?: true;
}

/** What scanners for leaked secrets, and people, know a key of ours by. */
const KEY_PREFIX = "hf_";
const KEY_BYTES = 32;

/** Making API keys. Nothing is stored: what the service needs to know of a key is in its configuration. */
export function addKeysCommands(program: Command): void {
  const keys = program.command("keys").description("API keys");
  keys
    .command("create")
    .description("make an API key, and print it once, with what to configure")
    .requiredOption("--name <name>", "whose key it is: 1 to 64 letters, digits, dots, - or _")
    .requiredOption("--scope <scopes>", "what it allows: submit, read, operate, or several as submit+read")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
The service never needs the key itself: HOLDFAST_API_KEYS takes its hash, and nobody can print it again.
To replace a key without a gap, configure both entries, comma-separated, until its owner uses the new one.

Example:
  holdfast keys create --name shop --scope submit+read`,
    )
    .action(create);
}

function create({ name, scope, json }: CreateOptions): void {
  const wrong = (option: string, expected: string, got: string) =>
    new HoldfastError("USAGE", `--${option}: expected ${expected}, got ${JSON.stringify(got)}`);
  if (!apiKeyName.safeParse(name).success) throw wrong("name", "1 to 64 letters, digits, dots, - or _", name);
  const { data: scopes } = scopeList.safeParse(scope);
  if (scopes === undefined) throw wrong("scope", "submit, read or operate, several joined by +", scope);

  const key = `${KEY_PREFIX}${randomBytes(KEY_BYTES).toString("base64url")}`;
  const entry = apiKeyEntry({ name, scopes, sha256: createHash("sha256").update(key).digest() });
  if (json) printJson({ name, scopes: [...scopes], key, entry });
  else print(describe(key, entry));
}

function describe(key: string, entry: string): string {
  return `The key, for its owner; it is not shown again:\n  ${key}\n\nIts entry for HOLDFAST_API_KEYS, comma-separated from others:\n  ${entry}`;
}
