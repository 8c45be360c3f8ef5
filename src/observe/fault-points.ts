/**
 * Named places between two steps where a fault would hurt most. The fault laboratory hooks in there; without a hook
 * they cost one comparison.
 */
export type FaultPoint =
  | "submit:claimed"
  | "reserve:before"
  | "reserve:after"
  | "commit:before"
  | "commit:after"
  | "finish:before"
  | "finish:after";

type Hook = (point: FaultPoint, jobId: string) => Promise<void>;

let hook: Hook | undefined;

/** Installs the laboratory's hook. */
export function onFaultPoint(install: Hook): void {
  hook = install;
}

export function faultPoint(point: FaultPoint, jobId: string): Promise<void> | undefined {
  return hook?.(point, jobId);
}
