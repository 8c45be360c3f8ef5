/**
 * Named places between two steps where a fault would hurt most. The fault laboratory hooks in there; without a hook
 * they cost one comparison.
 */
export type Failpoint =
  | "submit:claimed"
  | "reserve:before"
  | "reserve:after"
  | "commit:before"
  | "commit:after"
  | "finish:before"
  | "finish:after";

type Hook = (point: Failpoint, jobId: string) => Promise<void>;

let hook: Hook | undefined;

/** Installs the laboratory's hook. */
export function onFailpoint(install: Hook): void {
  hook = install;
}

export function failpoint(point: Failpoint, jobId: string): Promise<void> | undefined {
  return hook?.(point, jobId);
}
