import { readVariable } from "../config/settings.ts";
import { type Application, requiredVariables } from "../job/define-config.ts";
import { type Finding, finding } from "./finding.ts";

/** Whether the variables are set that the jobs require: a worker with the same environment starts, or does not. */
export function diagnoseVariables(application: Application): Finding[] {
  return [...requiredVariables(application)].map(([name, types]) => {
    const value = readVariable(name);
    return finding(
      name,
      value === undefined ? "warn" : "ok",
      value === undefined ? `not set; required by ${types.join(", ")}` : described(name, value),
      {
        reason: `a worker whose environment is this one does not start`,
        remedy: `set ${name} for every worker${name === "SMTP_URL" ? "; only holdfast up brings a mailbox of its own, for development" : ""}`,
      },
    );
  });
}

/** A variable's value can be a secret, or hold one: of a mail server only its address is shown. */
function described(name: string, value: string): string {
  return name === "SMTP_URL" && URL.canParse(value) ? new URL(value).host : "set";
}
