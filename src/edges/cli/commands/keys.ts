import { createHash, randomBytes } from "node:crypto";
import type { Command } from "commander";
import { apiKeyEntry, apiKeyName, scopeList } from "../../../platform/config/api-keys.ts";
import { usage } from "../exit-code.ts";
import { printOutcome } from "../screen/output.ts";

interface CreateOptions {
  readonly name: string;
  readonly scope: string;
  readonly json?: true;
}

/** Lets people and secret scanners recognise our keys. */
const KEY_PREFIX = "hf_";
const KEY_BYTES = 32;

/** `holdfast keys`. Nothing is stored: the service needs only what its configuration says. */
export function addKeysCommands(program: Command): void {
  const keys = program.command("keys").description("API keys");
  keys
    .command("create")
    .description("create an API key and print it once, with the entry to configure")
    .requiredOption("--name <name>", "whose key it is: 1 to 64 letters, digits, dots, - or _")
    .requiredOption(
      "--scope <scopes>",
      "what it allows: submit, read, operate, act, or several as submit+read",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
HOLDFAST_API_KEYS holds only the key's hash, so the key cannot be printed again.
To replace a key without a gap, configure both entries, comma-separated, until its owner uses the new one.

Example:
  holdfast keys create --name shop --scope submit+read`,
    )
    .action(create);
}

function create({ name, scope, json }: CreateOptions): void {
  const wrong = (option: string, expected: string, got: string) =>
    usage(`--${option}: expected ${expected}, got ${JSON.stringify(got)}`);
  if (!apiKeyName.safeParse(name).success) throw wrong("name", "1 to 64 letters, digits, dots, - or _", name);
  const { data: scopes } = scopeList.safeParse(scope);
  if (scopes === undefined) throw wrong("scope", "submit, read, operate or act, several joined by +", scope);

  const key = `${KEY_PREFIX}${randomBytes(KEY_BYTES).toString("base64url")}`;
  const entry = apiKeyEntry({ name, scopes, sha256: createHash("sha256").update(key).digest() });
  const text = `The key, for its owner. It is not shown again:\n  ${key}\n\nIts entry for HOLDFAST_API_KEYS, comma-separated from others:\n  ${entry}`;
  printOutcome(json, { name, scopes: [...scopes], key, entry }, text);
}
