import { hostname, userInfo } from "node:os";

/** Who runs this process, for the audit log: `ann@build-1`. A container's user may have no name. */
export function username(): string {
  return `${systemUser()}@${hostname()}`;
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return "holdfast";
  }
}
