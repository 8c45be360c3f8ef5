import { userInfo } from "node:os";

/** Who runs the command, for the audit log. A container's user may have no name. */
export function username(): string {
  try {
    return userInfo().username;
  } catch {
    return "CLI";
  }
}
