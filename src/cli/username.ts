import { userInfo } from "node:os";

/** Who is at the command, for the audit list; a container's user may have no name. */
export function username(): string {
  try {
    return userInfo().username;
  } catch {
    return "CLI";
  }
}
